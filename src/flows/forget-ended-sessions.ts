import type { Service, Visit } from "../service.ts";
import { ENDED_SESSION_SWEEPS_PER_MINUTE, ENDED_SESSIONS_SWEPT_AT_ONCE } from "../token-policy.ts";

/** Removes what is no longer listed, a few rows at a time; what is left over waits for the next minute. */
export async function forgetEndedSessions({ endedSessions }: Service, { now }: Visit): Promise<void> {
  for (let sweeps = 0; sweeps < ENDED_SESSION_SWEEPS_PER_MINUTE; sweeps += 1) {
    const forgotten = await endedSessions.forget(now, ENDED_SESSIONS_SWEPT_AT_ONCE);
    if (forgotten < ENDED_SESSIONS_SWEPT_AT_ONCE) return;
  }
}
