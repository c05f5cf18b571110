import { UNKNOWN } from "../gate/network.ts";
import { logLine } from "../log.ts";
import type { Service, Visit } from "../service.ts";
import { keepAppointments } from "./due-appointments.ts";
import { forgetEndedSessions } from "./forget-ended-sessions.ts";
import { forgetOldEvents } from "./forget-old-events.ts";
import { linkEvents, setCheckpoint } from "./link-events.ts";
import { runOperations } from "./operations.ts";
import { watchEvents } from "./watch.ts";

const JOBS = [
  keepAppointments,
  runOperations,
  forgetEndedSessions,
  linkEvents,
  setCheckpoint,
  forgetOldEvents,
  watchEvents,
];

/** What the minute cron does, side by side: none of it keeps the others from being done. `now` in epoch milliseconds. */
export async function everyMinute(service: Service, now: number): Promise<void> {
  const visit: Visit = {
    now,
    network: UNKNOWN,
    from: { source: UNKNOWN.network },
    userAgent: "",
    browser: { isBrowser: false, recognised: undefined, trusted: undefined },
  };
  await Promise.all(JOBS.map((job) => done(job(service, visit), job.name)));
}

async function done(work: Promise<void>, job: string): Promise<void> {
  try {
    await work;
  } catch (error) {
    logLine({ level: "error", event: "job_failed", job, error: String(error) });
  }
}
