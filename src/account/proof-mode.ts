import { METHOD_FAILURES_MAX, PROOF_MODE_ABANDONED, PROOF_MODE_FAILURES } from "../policy.ts";
import type { SecondFactorMethod } from "./methods.ts";

/** What has gone wrong in a row, with nothing right in between. */
export interface Streaks {
  /** Wrong answers from browsers that the account does not recognise. */
  failures: number;
  /** Their challenges that expired, were pushed out or were exhausted. */
  abandoned: number;
  /** Wrong answers by kind of factor, from browsers that the account does not recognise, with the mailbox proven or not. */
  byMethod: Partial<Record<SecondFactorMethod, number>>;
}

/** An account on which nothing has gone wrong. */
export const NO_STREAKS: Streaks = { failures: 0, abandoned: 0, byMethod: {} };

/**
 * Whether a right password from an unrecognised browser must bring a proof of the mailbox: somebody has the password
 * and no factor. Ends with a complete sign-in and never by time, so that waiting gains an attacker nothing.
 */
export function isProofMode({ failures, abandoned }: Streaks): boolean {
  return failures >= PROOF_MODE_FAILURES || abandoned >= PROOF_MODE_ABANDONED;
}

/** The streaks of an account whose factors are gone: its password alone must not be what adds the next one. */
export function demandingProof(streaks: Streaks): Streaks {
  return { ...streaks, abandoned: Math.max(streaks.abandoned, PROOF_MODE_ABANDONED) };
}

/**
 * The streaks after one more sign-in attempt, counted before it is judged. A recognised browser has its pot and is held
 * against nobody else: whoever sits at one could otherwise close the way of an owner who comes from elsewhere.
 */
export function withAttempt(
  streaks: Streaks,
  method: SecondFactorMethod,
  from: "unrecognised" | "proven" | "recognised",
): Streaks {
  if (from === "recognised") return streaks;
  return {
    ...streaks,
    failures: streaks.failures + (from === "unrecognised" ? 1 : 0),
    byMethod: { ...streaks.byMethod, [method]: (streaks.byMethod[method] ?? 0) + 1 },
  };
}

/** Whether a kind of factor has failed so often in a row that unrecognised browsers may no longer try it. */
export function isMethodClosed({ byMethod }: Streaks, method: SecondFactorMethod): boolean {
  return (byMethod[method] ?? 0) >= METHOD_FAILURES_MAX;
}

/** The streaks after a right answer. Challenges left unanswered are forgiven by a complete sign-in alone. */
export function afterRightAnswer(streaks: Streaks, isSignIn: boolean): Streaks {
  return { ...streaks, failures: isSignIn ? 0 : streaks.failures, byMethod: {} };
}
