import { SECOND_FACTOR_FAILURES, SECOND_FACTOR_WINDOW_MS } from "../policy.ts";

/**
 * Second-factor attempts of one pot: the moments (epoch milliseconds) at which one was taken and not given back. An
 * attempt is taken before its code is looked at, so one that never settles stays spent.
 */
export type SpentAttempts = number[];

/**
 * Whose attempts are counted together. Unrecognised browsers share one pot, those who have proven the mailbox another, and each
 * recognised browser has its own, named by its id: so nobody can use up what the owner needs.
 */
export type Pot = "unrecognised" | "proven" | (string & {});

/** The spent attempts of every pot. */
export type Pots = Record<string, SpentAttempts>;

/** Attempts that still count at `now`. One from the future (a clock set back) counts too: time gives nothing away. */
export function countingAttempts(spent: SpentAttempts, now: number): SpentAttempts {
  return spent.filter((at) => at > now - SECOND_FACTOR_WINDOW_MS);
}

/** How many attempts are left in the rolling hour before `now`. */
export function attemptsLeft(spent: SpentAttempts, now: number): number {
  return Math.max(0, SECOND_FACTOR_FAILURES - countingAttempts(spent, now).length);
}

/** Whole seconds until one attempt is free again; 0 when one is free now. */
export function retryAfterSeconds(spent: SpentAttempts, now: number): number {
  const counting = countingAttempts(spent, now).sort((a, b) => a - b);
  const blocking = counting[counting.length - SECOND_FACTOR_FAILURES];
  return blocking === undefined ? 0 : Math.ceil((blocking + SECOND_FACTOR_WINDOW_MS - now) / 1000);
}

/** Takes an attempt at `now`. From an empty pot nothing is taken: what cannot be guessed may still be tried. */
export function takeAttempt(spent: SpentAttempts, now: number): SpentAttempts {
  const counting = countingAttempts(spent, now);
  return attemptsLeft(spent, now) > 0 ? [...counting, now] : counting;
}

/** Gives back the attempt taken at `takenAt`: the answer was right. No other failure is forgiven with it. */
export function giveBack(spent: SpentAttempts, takenAt: number): SpentAttempts {
  const index = spent.indexOf(takenAt);
  return index < 0 ? spent : spent.toSpliced(index, 1);
}
