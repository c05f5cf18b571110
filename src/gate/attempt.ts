import type { Circumstances, Occurrence } from "../events/security-event.ts";

/** A try, as far as events may tell of it. */
export interface Attempt {
  from: Circumstances;
  /** Keyed digest of the email key that it names. */
  address?: string;
  factor?: NonNullable<Occurrence["factor"]>;
}

/** Why a try failed, in the words of `refusal.ts`, and whose it was where that is known. */
export interface Failure {
  reason: string;
  account?: string;
}

/** A try that has failed: an event of its own when its account is known, and else one of a count. */
export interface FailedAttempt extends Attempt, Failure {}
