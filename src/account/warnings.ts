import { CHALLENGE_TTL_MS, WARNING_FAILURES, WARNING_PAUSE_MS } from "../policy.ts";
import type { Warning } from "../refusal.ts";
import type { Guard } from "./account-store.ts";
import type { Challenge } from "./challenges.ts";
import type { Unproven } from "./evidence.ts";

/** When the owner was last told, epoch milliseconds. */
export type Warned = Partial<Record<Warning, number>>;

/** A right password from a browser that nobody knows, with no right answer after it: when, and what asked. */
export interface Unanswered {
  /** Epoch milliseconds. */
  at: number;
  userAgent: string;
}

/** What the owner has to hear of after a wrong answer. The guard is left to be saved where there is something. */
export function warningAfter(guard: Guard, challenge: Challenge, unproven: Unproven, now: number): Warning | undefined {
  if (unproven === "sign_count_fell") return warnOnce(guard, "sign_count_fell", now);
  const isEnough = guard.streaks.failures >= WARNING_FAILURES;
  return isEnough && isOfStranger(challenge) ? warnOnce(guard, "second_factor_failed", now) : undefined;
}

/**
 * The newest of these dead challenges that the owner has to hear of; one with many wrong answers was told of by those.
 * The guard is left to be saved.
 */
export function unansweredOf(guard: Guard, dead: Challenge[], now: number): Unanswered | undefined {
  const newest = dead.findLast((challenge) => isOfStranger(challenge) && challenge.attempts < WARNING_FAILURES);
  if (!newest || !warnOnce(guard, "second_factor_failed", now)) return undefined;
  return { at: newest.expiresAt - CHALLENGE_TTL_MS, userAgent: newest.terms.userAgent };
}

/** The same warning again only after a pause: whoever causes it can cause it as often as he likes. */
export function warnOnce(guard: Guard, warning: Warning, now: number): Warning | undefined {
  const last = guard.warned[warning];
  if (last !== undefined && now < last + WARNING_PAUSE_MS) return undefined;
  guard.warned = { ...guard.warned, [warning]: now };
  return warning;
}

/** A sign-in that showed a right password and comes from a browser that the account does not recognise. */
function isOfStranger({ purpose, pot }: Challenge): boolean {
  return purpose === "login" && pot === "unrecognised";
}
