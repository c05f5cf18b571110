import { CHALLENGE_ATTEMPTS, LIVE_CHALLENGES } from "../policy.ts";
import type { FactorTimes } from "../tokens/access-token.ts";
import type { ChallengePurpose } from "../tokens/challenge-token.ts";

/** The terms a request asked for; a challenge carries them, and its answer is given under them. */
export interface SignInTerms {
  audience: string;
  roles: string[];
  userAgent: string;
  /** Lifetimes of a session opened under these terms, milliseconds. */
  idleMs: number;
  absoluteMs: number;
}

/** A challenge as the account remembers it. Times in epoch milliseconds. */
export interface Challenge {
  id: string;
  purpose: ChallengePurpose;
  /** The session it belongs to; none for a sign-in. */
  sessionId?: string;
  expiresAt: number;
  attempts: number;
  passwordVersion: number;
  epoch: number;
  /** What was proven before it was opened. */
  factors: FactorTimes;
  terms: SignInTerms;
}

/** Whether a challenge can still be answered. */
export function isLive(challenge: Challenge, now: number): boolean {
  return now < challenge.expiresAt && challenge.attempts < CHALLENGE_ATTEMPTS;
}

/**
 * Adds a challenge and drops what it replaces: dead ones, the oldest sign-ins beyond the limit, and an earlier one of
 * the same session and purpose. A new challenge pushes out only its own kind.
 */
export function addChallenge(challenges: Challenge[], added: Challenge, now: number): Challenge[] {
  const live = challenges.filter((challenge) => isLive(challenge, now));
  const sameKind = live.filter((other) => other.purpose === added.purpose && other.sessionId === added.sessionId);
  const keep = added.sessionId === undefined ? LIVE_CHALLENGES - 1 : 0;
  const pushedOut = new Set(sameKind.slice(0, Math.max(0, sameKind.length - keep)));
  return [...live.filter((challenge) => !pushedOut.has(challenge)), added];
}
