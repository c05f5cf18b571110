import { type AccountTries, type Measure, measureOf, withAccountTries } from "./account-tries.ts";
import type { Detector, Finding } from "./detector.ts";
import {
  BRUTE_FORCE_PATIENCE_MS,
  BRUTE_FORCE_TRIES,
  BRUTE_FORCE_TRIES_AT_ONCE,
  BRUTE_FORCE_WINDOW_MS,
  FEW_SOURCES,
} from "./thresholds.ts";

const MEMORY = { windowMs: BRUTE_FORCE_WINDOW_MS, patienceMs: BRUTE_FORCE_PATIENCE_MS };

/** Many passwords on one account, from one place or a few. */
export const bruteForce: Detector<AccountTries> = {
  pattern: "brute_force",
  empty: { people: {}, names: {} },
  step(before, events, now) {
    const state = withAccountTries(before, events, now, MEMORY);
    const findings: Finding[] = [];
    for (const [key, person] of Object.entries(state.people)) {
      const measure = measureOf(person, BRUTE_FORCE_WINDOW_MS);
      const isMuch = measure.tries >= BRUTE_FORCE_TRIES && measure.sources <= FEW_SOURCES;
      const { since: sinceBefore, ...rest } = person;
      const since = Math.min(sinceBefore ?? now, now);
      state.people[key] = isMuch ? { ...rest, since } : rest;
      const isPatienceOver = now - since >= BRUTE_FORCE_PATIENCE_MS || measure.tries >= BRUTE_FORCE_TRIES_AT_ONCE;
      if (person.account && isMuch && isPatienceOver) findings.push(findingOf(person.account, measure));
    }
    return { state, findings };
  },
};

function findingOf(account: string, measure: Measure): Finding {
  const severity = measure.tries >= 5 * BRUTE_FORCE_TRIES ? "high" : "medium";
  return { pattern: "brute_force", subject: `account:${account}`, severity, addresses: 1, ...measure };
}
