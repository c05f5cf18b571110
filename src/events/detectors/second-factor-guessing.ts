import type { SecurityEvent } from "../security-event.ts";
import type { Detector } from "./detector.ts";
import { FACTOR_GUESSES, FACTOR_WINDOW_MS } from "./thresholds.ts";
import { isWrongFactor } from "./tries.ts";
import { guessedAt, type Rule, type WrongFactors, withWrongFactors } from "./wrong-factors.ts";

/** Wrong codes and passkeys; recovery codes have a detector of their own. */
const RULE: Rule = {
  pattern: "second_factor_guessing",
  counts: (event: SecurityEvent) =>
    isWrongFactor(event) &&
    (event.factor === "totp" || event.factor === "passkey") &&
    event.reason !== "challenge_abandoned",
  isSpent: ({ kind, factor, reason }: SecurityEvent) =>
    kind === "authn_login_fail_max" &&
    factor !== "recovery_code" &&
    (reason === "second_factor_budget_spent" || reason === "factor_kind_closed"),
  windowMs: FACTOR_WINDOW_MS,
  tries: FACTOR_GUESSES,
};

/** Somebody who has the password and guesses at codes. */
export const secondFactorGuessing: Detector<WrongFactors> = {
  pattern: RULE.pattern,
  empty: { accounts: {} },
  step(before, events, now) {
    const state = withWrongFactors(before, events, now, RULE);
    return { state, findings: guessedAt(state, RULE) };
  },
};
