import type { Circumstances } from "../events/security-event.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Audience } from "../tokens/audience.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import {
  admit,
  audienceRefusal,
  type ChallengeGrant,
  endSession,
  grantOf,
  openChallenge,
  type SessionGrant,
} from "./admission.ts";
import { isTrusted, type TrustTerms } from "./browsers.ts";
import { forAudience, type SignInTerms } from "./challenges.ts";
import { standingOf } from "./factors.ts";
import { mayBeTrusted } from "./first-door.ts";
import { judge, methodsOfSession } from "./methods.ts";
import { bindingRefusal, type Possession, type SpentProof, withSpent } from "./possession.ts";
import { hasSecret, isAlive, judgeGeneration, needsReproof, rotateSession, type Session } from "./sessions.ts";

/** A refresh token whose HMAC has been checked, and the terms of this refresh. */
export interface RefreshRequest {
  sessionId: string;
  generation: number;
  secret: Uint8Array<ArrayBuffer>;
  epoch: number;
  /** After this a second factor has to be proven again, milliseconds. */
  factorMaxAgeMs: number;
  /** The service to get a token for; that of the sign-in if none is named. */
  audience?: string | undefined;
  /** Every service there is, the issuer among them. */
  audiences: Audience[];
  /** The key that whoever asks has shown to hold. */
  possession?: Possession | undefined;
  /** What the operator demands and allows now, which may be other than when the session was opened. */
  trustTerms: TrustTerms;
  /** For events. */
  from?: Circumstances | undefined;
}

/**
 * Uses a refresh token: next generation, the same again for a retry, a challenge when the second factor has grown too
 * old, and the end of the session for a token that was replaced before. One turn, so there is never a second successor.
 */
export function refreshSession(
  store: AccountStore,
  { sessionId, generation, secret, epoch, possession, ...request }: RefreshRequest,
  now: number,
): SessionGrant | ChallengeGrant | Refusal {
  const guard = store.guard();
  const session = store.session(sessionId);
  if (!session || !hasSecret(session, secret)) return { refused: "refresh_token_unknown" };
  const token = { factor: "refresh_token", session: sessionId } as const;
  if (!isAlive(session, guard, now)) {
    store.note({ kind: "session_use_after_expire", reason: "refresh_token_expired", ...token }, request.from);
    endSession(store, guard, sessionId);
    return { refused: "refresh_token_expired" };
  }
  // Before its generation is looked at: whoever has a bound token and not its key can neither use nor end anything.
  const spentProofs =
    bindingRefusal(session.terms.jkt, possession) ??
    withSpent(session, possession, now, possession && spentElsewhere(store, guard, session));
  if (isRefusal(spentProofs)) return spentProofs;
  const presentation = judgeGeneration(session, generation, now);
  if (presentation === "lost" || presentation === "reused" || presentation === "from_the_future") {
    // One from the future is of a time before a restore, and nobody's theft.
    const refused = presentation === "reused" ? "refresh_token_reused" : "refresh_token_lost";
    const kind = presentation === "reused" ? "authn_token_reuse" : "session_expired";
    store.note({ kind, reason: refused, ...token }, request.from);
    endSession(store, guard, sessionId);
    return { refused };
  }
  const overtaken = admit(guard, { passwordVersion: session.passwordVersion, epoch });
  if (overtaken) return overtaken;
  const used = possession ? { ...session, spentProofs } : session;
  return goOn(store, guard, used, presentation, { secret, ...request }, now);
}

/** What a session with a good refresh token gets, under what is demanded now. */
function goOn(
  store: AccountStore,
  guard: Guard,
  session: Session,
  presentation: "current" | "retry",
  {
    secret,
    factorMaxAgeMs,
    trustTerms,
    ...asked
  }: Omit<RefreshRequest, "sessionId" | "generation" | "epoch" | "possession">,
  now: number,
): SessionGrant | ChallengeGrant | Refusal {
  const { secondFactor } = trustTerms;
  const name = asked.audience ?? session.terms.audience;
  const audience = asked.audiences.find((known) => known.name === name);
  const tooLittle = audienceRefusal(session.factors, audience);
  // Trust stands in for a factor only where what was shown would do for the service.
  const isTrusting = !tooLittle && opensByTrust(guard, session, trustTerms, now);
  const admission = judge(secondFactor, standingOf(store, guard, session.id), session.factors, isTrusting);
  if (admission === "enrolment") return endBelowPolicy(store, guard, session.id, asked.from);
  const refuse = (refusal: Refusal): Refusal => {
    if (session.spentProofs) store.saveSession(session);
    return refusal;
  };
  if (!audience) return refuse({ refused: "audience_unknown" });
  if (admission === "challenge" || needsReproof(session, factorMaxAgeMs, now)) {
    return askAgain(store, guard, session, { ...forAudience(session.terms, audience), secondFactor }, asked.from, now);
  }
  if (tooLittle) return refuse(tooLittle);
  const current = presentation === "retry" ? session : rotateSession(session, now);
  // A retry writes nothing, unless it has used a proof.
  if (presentation === "current" || session.spentProofs) store.saveSession(current);
  return grantOf(current, secret, audience.name);
}

/** Proofs that other sessions of the account have used: of one key, too, each is good once. */
export function spentElsewhere(store: AccountStore, guard: Guard, { id }: Session): SpentProof[] {
  const others = store.sessions().filter((session) => session.id !== id);
  return [...guard.spentProofs, ...others.flatMap(({ spentProofs = [] }) => spentProofs)];
}

/** Asks a session to prove again, under these terms; one that has nothing left to prove with is over. */
function askAgain(
  store: AccountStore,
  guard: Guard,
  session: Session,
  terms: SignInTerms,
  from: Circumstances | undefined,
  now: number,
): ChallengeGrant | Refusal {
  const { id, factors, spentProofs } = session;
  const methods = methodsOfSession(terms.secondFactor, standingOf(store, guard, id), factors);
  if (methods.length === 0) return endBelowPolicy(store, guard, id, from);
  if (spentProofs) store.saveSession(session);
  return openChallenge(store, guard, { purpose: "reauthenticate", sessionId: id, methods, factors, terms }, now);
}

function endBelowPolicy(
  store: AccountStore,
  guard: Guard,
  sessionId: string,
  from: Circumstances | undefined,
): Refusal {
  store.note({ kind: "authn_token_revoked", reason: "session_below_policy", session: sessionId }, from);
  endSession(store, guard, sessionId);
  return { refused: "session_below_policy" };
}

/** Whether a browser's trust still stands in for the second factor of a session that it opened. */
function opensByTrust(guard: Guard, { trustedBy, terms }: Session, trustTerms: TrustTerms, now: number): boolean {
  const browser = guard.browsers.find(({ id }) => id === trustedBy);
  return browser !== undefined && mayBeTrusted(terms) && isTrusted(browser, guard, trustTerms, now);
}
