import type { Refusal } from "../refusal.ts";
import type { AccountStore } from "./account-store.ts";
import { admit, type ChallengeGrant, endSession, grantOf, openChallenge, type SessionGrant } from "./admission.ts";
import { hasSecret, isAlive, judgeGeneration, needsReproof, rotateSession } from "./sessions.ts";

/** A refresh token whose HMAC has been checked, and the terms of this refresh. */
export interface RefreshRequest {
  sessionId: string;
  generation: number;
  secret: Uint8Array<ArrayBuffer>;
  epoch: number;
  /** After this a second factor has to be proven again, milliseconds. */
  factorMaxAgeMs: number;
}

/**
 * Uses a refresh token: next generation, the same again for a retry, a challenge when the second factor has grown too
 * old, and the end of the session for a token that was replaced before. One turn, so there is never a second successor.
 */
export function refreshSession(
  store: AccountStore,
  { sessionId, generation, secret, epoch, factorMaxAgeMs }: RefreshRequest,
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
    return { refused: presentation === "lost" ? "refresh_token_lost" : "refresh_token_reused" };
  }
  const overtaken = admit(guard, { passwordVersion: session.passwordVersion, epoch });
  if (overtaken) return overtaken;
  if (needsReproof(session, factorMaxAgeMs, now)) {
    const { factors, terms } = session;
    return openChallenge(store, guard, { purpose: "reauthenticate", sessionId, factors, terms }, now);
  }
  if (presentation === "retry") return grantOf(session, secret);
  const rotated = rotateSession(session, now);
  store.saveSession(rotated);
  return grantOf(rotated, secret);
}
