import { SESSION_POT } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { AccountStore } from "./account-store.ts";
import { type AccessGrant, type ChallengeGrant, endSession, liveSession, openChallenge } from "./admission.ts";
import { takeFromPot } from "./answers.ts";

/**
 * Opens the step-up of a session (RFC 9470): a challenge where the account has a factor. Where it has none the password
 * is asked; `withPassword` says that one came along, and then an attempt is taken for it before it is hashed.
 */
export function openStepUp(
  store: AccountStore,
  sessionId: string,
  audience: string,
  withPassword: boolean,
  now: number,
): ChallengeGrant | { kind: "password_reserved" } | { kind: "password_needed" } | Refusal {
  const guard = store.guard();
  const session = liveSession(store, guard, sessionId, now);
  if ("refused" in session) return session;
  if (store.activeFactors().length > 0) {
    const terms = { ...session.terms, audience };
    return openChallenge(store, guard, { purpose: "step_up", sessionId, factors: session.factors, terms }, now);
  }
  if (!withPassword) return { kind: "password_needed" };
  const refusal = takeFromPot(store, guard, sessionId);
  if (refusal) return refusal;
  store.saveGuard(guard);
  return { kind: "password_reserved" };
}

/** Judges a step-up by password. Everything is read again; a factor that came meanwhile makes the password too little. */
export function settlePasswordStepUp(
  store: AccountStore,
  sessionId: string,
  audience: string,
  right: boolean,
  passwordVersion: number,
  now: number,
): AccessGrant | Refusal {
  const guard = store.guard();
  const session = liveSession(store, guard, sessionId, now);
  if ("refused" in session) return session;
  if (!right) {
    if ((guard.pots[sessionId] ?? 0) >= SESSION_POT) endSession(store, guard, sessionId);
    return { refused: "wrong_step_up_password" };
  }
  if (passwordVersion !== session.passwordVersion || store.activeFactors().length > 0) {
    return { refused: "verdict_overtaken" };
  }
  delete guard.pots[sessionId];
  store.saveGuard(guard);
  const { roles } = session.terms;
  return { kind: "access", sessionId, audience, roles, factors: { ...session.factors, pwd: Math.floor(now / 1000) } };
}
