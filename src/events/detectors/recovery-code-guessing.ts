import type { SecurityEvent } from "../security-event.ts";
import type { Detector } from "./detector.ts";
import { RECOVERY_CODE_GUESSES, RECOVERY_CODE_WINDOW_MS } from "./thresholds.ts";
import { isWrongFactor } from "./tries.ts";
import { guessedAt, type Rule, type WrongFactors, withWrongFactors } from "./wrong-factors.ts";

const RULE: Rule = {
  pattern: "recovery_code_guessing",
  counts: (event: SecurityEvent) => isWrongFactor(event) && event.factor === "recovery_code",
  isSpent: () => false,
  windowMs: RECOVERY_CODE_WINDOW_MS,
  tries: RECOVERY_CODE_GUESSES,
};

/** Somebody who has the password and hopes that recovery codes are short. */
export const recoveryCodeGuessing: Detector<WrongFactors> = {
  pattern: RULE.pattern,
  empty: { accounts: {} },
  step(before, events, now) {
    const state = withWrongFactors(before, events, now, RULE);
    return { state, findings: guessedAt(state, RULE) };
  },
};
