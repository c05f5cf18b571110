import type { Refusal } from "../refusal.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import { admit, type ChallengeGrant, endSession, grantOf, openChallenge, type SessionGrant } from "./admission.ts";
import { isTrusted, type TrustTerms } from "./browsers.ts";
import { standingOf } from "./factors.ts";
import { mayBeTrusted } from "./first-door.ts";
import { judge, methodsOfSession, type SecondFactorPolicy } from "./methods.ts";
import { hasSecret, isAlive, judgeGeneration, needsReproof, rotateSession, type Session } from "./sessions.ts";

/** A refresh token whose HMAC has been checked, and the terms of this refresh. */
export interface RefreshRequest {
  sessionId: string;
  generation: number;
  secret: Uint8Array<ArrayBuffer>;
  epoch: number;
  /** After this a second factor has to be proven again, milliseconds. */
  factorMaxAgeMs: number;
  /** What the operator demands and allows now, which may be other than when the session was opened. */
  trustTerms: TrustTerms;
}

/**
 * Uses a refresh token: next generation, the same again for a retry, a challenge when the second factor has grown too
 * old, and the end of the session for a token that was replaced before. One turn, so there is never a second successor.
 */
export function refreshSession(
  store: AccountStore,
  { sessionId, generation, secret, epoch, factorMaxAgeMs, trustTerms }: RefreshRequest,
  now: number,
): SessionGrant | ChallengeGrant | Refusal {
  const guard = store.guard();
  const session = store.session(sessionId);
  if (!session || !hasSecret(session, secret)) return { refused: "refresh_token_unknown" };
  if (!isAlive(session, guard, now)) {
    endSession(store, guard, sessionId);
    return { refused: "refresh_token_expired" };
  }
  const presentation = judgeGeneration(session, generation, now);
  if (presentation === "lost" || presentation === "reused" || presentation === "from_the_future") {
    endSession(store, guard, sessionId);
    // One from the future is of a time before a restore, and nobody's theft.
    return { refused: presentation === "reused" ? "refresh_token_reused" : "refresh_token_lost" };
  }
  const overtaken = admit(guard, { passwordVersion: session.passwordVersion, epoch });
  if (overtaken) return overtaken;
  const { secondFactor } = trustTerms;
  const isTrusting = opensByTrust(guard, session, trustTerms, now);
  const admission = judge(secondFactor, standingOf(store, guard, sessionId), session.factors, isTrusting);
  if (admission === "enrolment") return endBelowPolicy(store, guard, sessionId);
  if (admission === "challenge" || needsReproof(session, factorMaxAgeMs, now)) {
    return askAgain(store, guard, session, secondFactor, now);
  }
  if (presentation === "retry") return grantOf(session, secret);
  const rotated = rotateSession(session, now);
  store.saveSession(rotated);
  return grantOf(rotated, secret);
}

/** Asks a session to prove again, under what is demanded now; one that has nothing left to prove with is over. */
function askAgain(
  store: AccountStore,
  guard: Guard,
  { id, factors, ...session }: Session,
  secondFactor: SecondFactorPolicy,
  now: number,
): ChallengeGrant | Refusal {
  const methods = methodsOfSession(secondFactor, standingOf(store, guard, id), factors);
  if (methods.length === 0) return endBelowPolicy(store, guard, id);
  const terms = { ...session.terms, secondFactor };
  return openChallenge(store, guard, { purpose: "reauthenticate", sessionId: id, methods, factors, terms }, now);
}

function endBelowPolicy(store: AccountStore, guard: Guard, sessionId: string): Refusal {
  endSession(store, guard, sessionId);
  return { refused: "session_below_policy" };
}

/** Whether a browser's trust still stands in for the second factor of a session that it opened. */
function opensByTrust(guard: Guard, { trustedBy, terms }: Session, trustTerms: TrustTerms, now: number): boolean {
  const browser = guard.browsers.find(({ id }) => id === trustedBy);
  return browser !== undefined && mayBeTrusted(terms) && isTrusted(browser, guard, trustTerms, now);
}
