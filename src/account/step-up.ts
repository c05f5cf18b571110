import type { Circumstances } from "../events/security-event.ts";
import type { Refusal } from "../refusal.ts";
import type { Audience } from "../tokens/audience.ts";
import { describeProof } from "../tokens/proof.ts";
import type { AccountStore } from "./account-store.ts";
import {
  type AccessGrant,
  audienceRefusal,
  bindingOf,
  type ChallengeGrant,
  endSession,
  liveSession,
  openChallenge,
} from "./admission.ts";
import { endIfPotIsEmpty, takeFromPot } from "./attempts.ts";
import { forAudience } from "./challenges.ts";
import { standingOf } from "./factors.ts";
import { judge, methodsOfSession, type SecondFactorPolicy } from "./methods.ts";
import { endOf, type Session } from "./sessions.ts";

/** What a session asks for with a step-up. */
export interface StepUpRequest {
  sessionId: string;
  audience: Audience;
  secondFactor: SecondFactorPolicy;
  /** Whether a password came along. */
  withPassword: boolean;
  /** For events. */
  from?: Circumstances | undefined;
}

/**
 * Opens the step-up of a session (RFC 9470): a challenge where the account has something to prove. Where it has not,
 * and in a session that a recovery code opened, the password is asked; if one came along, an attempt is taken for it
 * before it is hashed.
 */
export function openStepUp(
  store: AccountStore,
  { sessionId, audience, secondFactor, withPassword, from }: StepUpRequest,
  now: number,
): ChallengeGrant | { kind: "password_reserved" } | { kind: "password_needed" } | Refusal {
  const guard = store.guard();
  const session = liveSession(store, guard, sessionId, now);
  if ("refused" in session) return session;
  if (judge(secondFactor, standingOf(store, guard, sessionId), session.factors) === "enrolment") {
    store.note({ kind: "authn_token_revoked", reason: "session_below_policy", session: sessionId }, from);
    endSession(store, guard, sessionId);
    return { refused: "session_ended" };
  }
  const methods = methodsOfSession(secondFactor, standingOf(store, guard, sessionId), session.factors);
  if (methods.length > 0 && !(withPassword && isRecovered(session))) {
    const terms = forAudience(session.terms, audience);
    return openChallenge(
      store,
      guard,
      { purpose: "step_up", sessionId, methods, factors: session.factors, terms },
      now,
    );
  }
  if (!withPassword) return { kind: "password_needed" };
  const refusal = takeFromPot(store, guard, sessionId, from);
  if (refusal) return refusal;
  store.saveGuard(guard);
  return { kind: "password_reserved" };
}

/** Judges a step-up by password. Everything is read again; a factor that came meanwhile makes the password too little. */
export function settlePasswordStepUp(
  store: AccountStore,
  { sessionId, audience, secondFactor, from }: StepUpRequest,
  verdict: { right: boolean; passwordVersion: number },
  now: number,
): AccessGrant | Refusal {
  const guard = store.guard();
  const session = liveSession(store, guard, sessionId, now);
  if ("refused" in session) return session;
  const about = { factor: "pwd", session: sessionId } as const;
  const refuse = (refusal: Refusal): Refusal => {
    store.note({ kind: "authn_login_fail", reason: refusal.refused, ...about }, from);
    return refusal;
  };
  if (!verdict.right) {
    const refusal = refuse({ refused: "wrong_step_up_password" });
    endIfPotIsEmpty(store, guard, sessionId, from);
    return refusal;
  }
  const canProveMore = methodsOfSession(secondFactor, standingOf(store, guard, sessionId), session.factors).length > 0;
  if (verdict.passwordVersion !== session.passwordVersion || (canProveMore && !isRecovered(session))) {
    return refuse({ refused: "verdict_overtaken" });
  }
  // Beside a factor a right password gives back its own attempt alone: it must not pay for guesses at the factor.
  if (canProveMore) guard.pots[sessionId] = Math.max(0, (guard.pots[sessionId] ?? 0) - 1);
  else delete guard.pots[sessionId];
  const pwd = Math.floor(now / 1000);
  // Where there is no factor any more a password renews itself alone: what was proven by one is not newer for it.
  const factors = canProveMore || isRecovered(session) ? { ...session.factors, pwd } : { pwd };
  const tooLittle = audienceRefusal(factors, audience);
  if (tooLittle) refuse(tooLittle);
  else store.note({ kind: "authn_token_created", reason: "step_up", ...about }, from);
  store.saveGuard(guard);
  if (isRecovered(session)) store.saveSession({ ...session, passwordAgainAt: session.passwordAgainAt ?? pwd });
  const { roles } = session.terms;
  if (tooLittle) return tooLittle;
  const access = { sessionId, sessionEndsAt: endOf(session), audience: audience.name, roles, factors };
  return { kind: "access", ...access, ...bindingOf(session.terms) };
}

/** Whether a recovery code opened the session. */
function isRecovered({ factors }: Session): boolean {
  return describeProof(factors).acr === "aal2-recovery";
}
