import { type AccountTries, measureOf, withAccountTries } from "./account-tries.ts";
import type { Detector } from "./detector.ts";
import { DISTRIBUTED_SOURCES, DISTRIBUTED_TRIES, DISTRIBUTED_WINDOW_MS } from "./thresholds.ts";

const MEMORY = { windowMs: DISTRIBUTED_WINDOW_MS, patienceMs: 0 };

/** Many passwords on one account, from so many places that none of them is worth a throttle. */
export const distributedBruteForce: Detector<AccountTries> = {
  pattern: "distributed_brute_force",
  empty: { people: {}, names: {} },
  step(before, events, now) {
    const state = withAccountTries(before, events, now, MEMORY);
    const findings = Object.values(state.people).flatMap((person) => {
      const measure = measureOf(person, DISTRIBUTED_WINDOW_MS);
      if (!person.account || measure.sources < DISTRIBUTED_SOURCES || measure.tries < DISTRIBUTED_TRIES) return [];
      const severity = measure.sources >= 3 * DISTRIBUTED_SOURCES ? ("high" as const) : ("medium" as const);
      const subject = `account:${person.account}`;
      return [{ pattern: "distributed_brute_force" as const, subject, severity, addresses: 1, ...measure }];
    });
    return { state, findings };
  },
};
