import { UNKNOWN } from "../gate/network.ts";
import { logLine } from "../log.ts";
import type { Service, Visit } from "../service.ts";
import { keepAppointments } from "./due-appointments.ts";
import { runOperations } from "./operations.ts";

/** What the minute cron does, in turn; none of it keeps the others from being done. `now` in epoch milliseconds. */
export async function everyMinute(service: Service, now: number): Promise<void> {
  const visit: Visit = {
    now,
    network: UNKNOWN,
    userAgent: "",
    browser: { isBrowser: false, recognised: undefined, trusted: undefined },
  };
  for (const job of [keepAppointments, runOperations]) {
    try {
      await job(service, visit);
    } catch (error) {
      logLine({ level: "error", event: "job_failed", job: job.name, error: String(error) });
    }
  }
}
