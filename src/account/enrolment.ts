import { TOTP_ACTIVE_FACTORS, TOTP_PENDING_ATTEMPTS, TOTP_PENDING_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { FactorTimes } from "../tokens/access-token.ts";
import type { AccountStore } from "./account-store.ts";
import { endOtherSessions, liveSession } from "./admission.ts";
import { requireFresh } from "./freshness.ts";
import { isConfirmable, type MatchedSteps, provenStep, type TotpFactor } from "./totp-factors.ts";

/** Who asks: the session of a verified access token, and what that token says was proven when. */
export interface Bearer {
  sessionId: string;
  factors: FactorTimes;
}

/** Keeps a new secret until its first code comes back. It replaces any other that waits, and can do nothing yet. */
export function keepPendingFactor(
  store: AccountStore,
  bearer: Bearer,
  factor: { id: string; label: string; sealedSecret: string },
  now: number,
): TotpFactor | Refusal {
  const session = liveSession(store, store.guard(), bearer.sessionId, now);
  if ("refused" in session) return session;
  const active = store.activeFactors();
  const stale = requireFresh(bearer.factors, active.length > 0, now);
  if (stale) return stale;
  if (active.length >= TOTP_ACTIVE_FACTORS) return { refused: "factor_limit" };
  for (const other of store.factors()) if (other.pending) store.deleteFactor(other.id);
  const pending = { sessionId: session.id, until: now + TOTP_PENDING_TTL_MS, attempts: 0 };
  const kept = { ...factor, createdAt: now, pending };
  store.saveFactor(kept);
  return kept;
}

/** Takes one attempt of a pending factor before its code is looked at. Only for the session that was shown the secret. */
export function reserveConfirmation(
  store: AccountStore,
  sessionId: string,
  factorId: string,
  now: number,
): TotpFactor | Refusal {
  const session = liveSession(store, store.guard(), sessionId, now);
  if ("refused" in session) return session;
  const factor = store.factors().find(({ id }) => id === factorId);
  if (!factor?.pending || !isConfirmable(factor, sessionId, now)) return { refused: "unknown_pending_factor" };
  const reserved = { ...factor, pending: { ...factor.pending, attempts: factor.pending.attempts + 1 } };
  store.saveFactor(reserved);
  return reserved;
}

/**
 * Judges a confirmation. Right: the factor is active, its step is used, every other session and every live challenge
 * is over, and the confirming session has proven it.
 */
export function settleConfirmation(
  store: AccountStore,
  sessionId: string,
  factorId: string,
  matches: MatchedSteps,
  now: number,
): { kind: "active" } | Refusal {
  const guard = store.guard();
  const session = liveSession(store, guard, sessionId, now);
  if ("refused" in session) return session;
  const factor = store.factors().find(({ id }) => id === factorId);
  if (!factor?.pending) return { refused: "unknown_pending_factor" };
  const proven = provenStep(matches, (id) => guard.accepted[id]?.step);
  if (!proven) {
    return { refused: "wrong_code", attemptsRemaining: TOTP_PENDING_ATTEMPTS - factor.pending.attempts };
  }
  endOtherSessions(store, guard, sessionId);
  const { pending: _, ...active } = factor;
  store.saveFactor(active);
  guard.accepted[factorId] = { step: proven.step, at: now };
  guard.challenges = [];
  store.saveGuard(guard);
  store.saveSession({ ...session, factors: { ...session.factors, otp: Math.floor(now / 1000) } });
  return { kind: "active" };
}
