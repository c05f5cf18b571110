import { CHALLENGE_ATTEMPTS, SESSION_POT } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { ChallengePurpose } from "../tokens/challenge-token.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import {
  type AccessGrant,
  admit,
  endSession,
  grantOf,
  liveSession,
  newSecret,
  openSession,
  type SessionGrant,
} from "./admission.ts";
import { attemptsLeft, countingAttempts, giveBack, retryAfterSeconds } from "./budgets.ts";
import { type Challenge, isLive } from "./challenges.ts";
import { replaceSecret, rotateSession, type Session } from "./sessions.ts";
import { type MatchedSteps, provenStep, type TotpFactor } from "./totp-factors.ts";

/** An attempt that has been paid for and not yet been judged. */
export interface ReservedAnswer {
  takenAt: number;
  factors: TotpFactor[];
}

/**
 * Takes one attempt from the challenge and from its budget before the code is looked at. A sign-in draws on the
 * account's hour, a session's own challenge on the session's pot.
 */
export function reserveAnswer(
  store: AccountStore,
  challengeId: string,
  purpose: ChallengePurpose,
  now: number,
): ReservedAnswer | Refusal {
  const guard = store.guard();
  const challenge = guard.challenges.find((open) => open.id === challengeId && open.purpose === purpose);
  if (!challenge) return { refused: "challenge_unknown" };
  if (!isLive(challenge, now))
    return { refused: now < challenge.expiresAt ? "challenge_exhausted" : "challenge_expired" };
  const { sessionId } = challenge;
  const session = sessionOf(store, guard, challenge, now);
  if (session !== undefined && "refused" in session) return session;
  const refusal = sessionId === undefined ? takeFromHour(guard, now) : takeFromPot(store, guard, sessionId);
  if (refusal) return refusal;
  challenge.attempts += 1;
  store.saveGuard(guard);
  return { takenAt: now, factors: store.activeFactors() };
}

/**
 * Judges a reserved answer. Everything is read again, because the code was checked in between: the challenge must
 * still be open, its verdict not overtaken, the step above the last accepted one. Right: all of it is spent together
 * with what it opens.
 */
export function settleAnswer(
  store: AccountStore,
  challengeId: string,
  reserved: ReservedAnswer,
  matches: MatchedSteps,
  now: number,
): SessionGrant | AccessGrant | Refusal {
  const guard = store.guard();
  const challenge = guard.challenges.find((open) => open.id === challengeId);
  if (!challenge) return { refused: "challenge_unknown" };
  if (now >= challenge.expiresAt) return { refused: "challenge_expired" };
  const proven = provenStep(matches, (factorId) => guard.accepted[factorId]?.step);
  if (!proven) return refuseCode(store, guard, challenge, matches, now);
  const session = sessionOf(store, guard, challenge, now);
  // Whatever comes of it, this answer is used up: a right code is never confirmed without being spent.
  guard.challenges = guard.challenges.filter((open) => open !== challenge);
  guard.accepted[proven.factorId] = { step: proven.step, at: now };
  if (session === undefined) guard.spent = giveBack(guard.spent, reserved.takenAt);
  else if (!("refused" in session)) delete guard.pots[session.id];
  store.saveGuard(guard);
  if (session === undefined) return openSession(store, guard, provenNow(challenge, now), challenge.terms, now);
  return "refused" in session ? session : openForSession(store, challenge, session, now);
}

/** The living session that a challenge belongs to, none for a sign-in, or why neither may go on. */
function sessionOf(
  store: AccountStore,
  guard: Guard,
  challenge: Challenge,
  now: number,
): Session | Refusal | undefined {
  if (admit(guard, challenge)) return { refused: "challenge_overtaken" };
  if (challenge.sessionId === undefined) return undefined;
  const session = liveSession(store, guard, challenge.sessionId, now);
  return "refused" in session ? { refused: "challenge_overtaken" } : session;
}

function takeFromHour(guard: Guard, now: number): Refusal | undefined {
  if (attemptsLeft(guard.spent, now) === 0) {
    return { refused: "second_factor_budget_spent", retryAfterSeconds: retryAfterSeconds(guard.spent, now) };
  }
  guard.spent = [...countingAttempts(guard.spent, now), now];
  return undefined;
}

/** Takes one attempt from a session's own pot. An empty one ends the session, even when its last answer never settled. */
export function takeFromPot(store: AccountStore, guard: Guard, sessionId: string): Refusal | undefined {
  const taken = guard.pots[sessionId] ?? 0;
  if (taken >= SESSION_POT) {
    endSession(store, guard, sessionId);
    return { refused: "session_ended" };
  }
  guard.pots[sessionId] = taken + 1;
  return undefined;
}

function refuseCode(
  store: AccountStore,
  guard: Guard,
  { attempts, sessionId }: Challenge,
  matches: MatchedSteps,
  now: number,
): Refusal {
  const pot = sessionId === undefined ? undefined : SESSION_POT - (guard.pots[sessionId] ?? 0);
  if (sessionId !== undefined && pot === 0) endSession(store, guard, sessionId);
  const attemptsRemaining = Math.min(CHALLENGE_ATTEMPTS - attempts, pot ?? attemptsLeft(guard.spent, now));
  const replayed = matches.some(({ steps }) => steps.length > 0);
  return { refused: replayed ? "replayed_code" : "wrong_code", attemptsRemaining };
}

/** What an answered challenge of a living session opens: one newer access token, or the session's next generation. */
function openForSession(
  store: AccountStore,
  challenge: Challenge,
  session: Session,
  now: number,
): SessionGrant | AccessGrant {
  const factors = provenNow(challenge, now);
  if (challenge.purpose === "step_up") {
    const { audience, roles } = challenge.terms;
    return { kind: "access", sessionId: session.id, audience, roles, factors };
  }
  const secret = newSecret();
  const renewed = replaceSecret(rotateSession({ ...session, factors }, now), secret);
  store.saveSession(renewed);
  return grantOf(renewed, secret);
}

function provenNow(challenge: Challenge, now: number) {
  return { ...challenge.factors, otp: Math.floor(now / 1000) };
}
