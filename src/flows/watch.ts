import { EVENT_FORGETTING_MS } from "../event-policy.ts";
import type { Service, Visit } from "../service.ts";
import { carryOut } from "./carry-out.ts";
import { detect } from "./detect.ts";

/**
 * Looks for attacks in what has arrived, and does what comes of it in the same minute. A detection that fails keeps nobody
 * from hearing of the alerts before.
 */
export async function watchEvents(service: Service, visit: Visit): Promise<void> {
  try {
    await detect(service, visit);
  } finally {
    await carryOut(service, visit);
  }
  if (isTimeToForget(visit)) await forgetOld(service, visit);
}

/** Counts and alerts are kept as long as events are. */
async function forgetOld({ config, eventCounts, alerts }: Service, { now }: Visit): Promise<void> {
  const before = now - config.eventRetentionMs;
  await eventCounts.forget(before);
  await alerts.forget(before);
}

function isTimeToForget({ now }: Visit): boolean {
  return now % EVENT_FORGETTING_MS < 60_000;
}
