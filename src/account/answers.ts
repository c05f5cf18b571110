import { isRefusal, type Refusal } from "../refusal.ts";
import { type Proof, type ProvenFactor, withProven } from "../tokens/proof.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import {
  type AccessGrant,
  audienceRefusal,
  bindingOf,
  type EnrolmentRequired,
  grantOf,
  newSecret,
  openSession,
  rememberSignIn,
  type SessionGrant,
} from "./admission.ts";
import { attemptsRemaining, endByEmptyPot, knownAs, type ReservedAnswer, sessionOf, usableFor } from "./attempts.ts";
import { type BrowserClaim, trustBrowser } from "./browsers.ts";
import { giveBack } from "./budgets.ts";
import type { Challenge } from "./challenges.ts";
import { wakeSuspended } from "./email-undo.ts";
import { type Evidence, prove, type Unproven } from "./evidence.ts";
import { standingOf } from "./factors.ts";
import { mayBeTrusted, requireEnrolment } from "./first-door.ts";
import { judge } from "./methods.ts";
import { type PreparedReset, settleReset } from "./password-changes.ts";
import { afterRightAnswer } from "./proof-mode.ts";
import { addressOf, hasFailures, recordSignIn } from "./recording.ts";
import { endRecoveryByProof } from "./recovery.ts";
import { endOf, replaceSecret, rotateSession, type Session } from "./sessions.ts";
import { warningAfter } from "./warnings.ts";

/** Who answers, and whether this browser shall not be asked again. */
export interface Answerer extends BrowserClaim {
  asksForTrust: boolean;
}

/** A right answer: what it has proven, who gave it, and whether wrong ones came before it. */
interface RightAnswer {
  proven: ProvenFactor;
  answerer: Answerer;
  afterFailures: boolean;
}

/**
 * Judges a reserved answer. Everything is read again, because the answer was checked in between: the challenge must
 * still be open, its verdict not overtaken, what is good only once still unspent. Right: all of it is spent together
 * with what it opens.
 */
export function settleAnswer(
  store: AccountStore,
  challengeId: string,
  reserved: ReservedAnswer,
  evidence: Evidence,
  answerer: Answerer,
  now: number,
): SessionGrant | AccessGrant | EnrolmentRequired | PreparedReset | Refusal {
  const guard = store.guard();
  const challenge = guard.challenges.find((open) => open.id === challengeId);
  if (!challenge) return { refused: "challenge_unknown" };
  if (now >= challenge.expiresAt) return { refused: "challenge_expired" };
  const proven = prove(guard, usableFor(store, challenge), evidence, now);
  if ("unproven" in proven) {
    return refuseAnswer(store, guard, challenge, { refused: proven.unproven, evidence, answerer }, now);
  }
  const session = sessionOf(store, guard, challenge, now);
  // Whatever comes of it, this answer is used up: a right code is never confirmed without being spent.
  guard.challenges = guard.challenges.filter((open) => open !== challenge);
  const { pot = "unrecognised" } = challenge;
  if (reserved.isPaid) guard.attempts[pot] = giveBack(guard.attempts[pot] ?? [], reserved.takenAt);
  if (session !== undefined && !isRefusal(session)) delete guard.pots[session.id];
  const afterFailures = cameAfterFailures(guard, challenge, proven);
  guard.streaks = afterRightAnswer(guard.streaks, session === undefined);
  noteUserVerification(store, evidence);
  endRecoveryByProof(store, guard, answerer.from);
  wakeSuspended(store, proven.factorId);
  if (challenge.purpose === "password_reset") return answerReset(store, guard, challenge, proven, answerer, now);
  const factors = withProven(challenge.factors, proven, now);
  const answer = { proven, answerer, afterFailures };
  if (session === undefined) return openSignIn(store, guard, challenge, factors, answer, now);
  const opened = isRefusal(session) ? session : openForSession(store, guard, challenge, session, factors, now);
  recordOfSession(store, challenge, opened, answer);
  store.saveGuard(guard);
  return isRefusal(opened) ? opened : { ...opened, ...codesLeft(guard, proven) };
}

/** Its own attempt was counted before it was judged, where attempts of such a browser are. */
function cameAfterFailures(guard: Guard, challenge: Challenge, { method }: ProvenFactor): boolean {
  if (challenge.attempts > 1) return true;
  const { pot = "unrecognised", sessionId } = challenge;
  const { failures, byMethod } = guard.streaks;
  const known = sessionId === undefined ? knownAs(guard, pot) : "recognised";
  return hasFailures({
    ...guard.streaks,
    failures: failures - (known === "unrecognised" ? 1 : 0),
    byMethod: { ...byMethod, [method]: (byMethod[method] ?? 0) - (known === "recognised" ? 0 : 1) },
  });
}

/** Records what became of a right answer to a challenge of a session. */
function recordOfSession(
  store: AccountStore,
  { purpose, sessionId, terms }: Challenge,
  opened: SessionGrant | AccessGrant | Refusal,
  { proven, answerer }: RightAnswer,
): void {
  const about = {
    factor: proven.method,
    ...(sessionId ? { session: sessionId } : {}),
    ...addressOf(terms.emailDigest),
  };
  if (isRefusal(opened)) store.note({ kind: "authn_login_fail", reason: opened.refused, ...about }, answerer.from);
  else if (purpose === "step_up") store.note({ kind: "authn_token_created", reason: purpose, ...about }, answerer.from);
  else store.note({ kind: "session_renewed", reason: purpose, ...about }, answerer.from);
}

function refuseAnswer(
  store: AccountStore,
  guard: Guard,
  challenge: Challenge,
  { refused, evidence, answerer }: { refused: Unproven; evidence: Evidence; answerer: Answerer },
  now: number,
): Refusal {
  const remaining = attemptsRemaining(guard, challenge, now);
  const { sessionId, terms } = challenge;
  const about = {
    factor: evidence.method,
    ...(sessionId ? { session: sessionId } : {}),
    ...addressOf(terms.emailDigest),
  };
  store.note({ kind: "authn_login_fail", reason: refused, ...about }, answerer.from);
  const isPotEmpty = sessionId !== undefined && remaining <= 0;
  const warning = warningAfter(guard, challenge, refused, now);
  if (isPotEmpty) endByEmptyPot(store, guard, sessionId, answerer.from);
  else store.saveGuard(guard);
  return { refused, attemptsRemaining: Math.max(0, remaining), ...(warning ? { warning } : {}) };
}

/** What an answered reset opens: a new password, and nothing else. */
function answerReset(
  store: AccountStore,
  guard: Guard,
  challenge: Challenge,
  proven: ProvenFactor,
  { from }: Answerer,
  now: number,
): PreparedReset | Refusal {
  store.saveGuard(guard);
  const prepared = settleReset(store, guard, challenge, { factor: proven.method, from }, now);
  return isRefusal(prepared) ? prepared : { ...prepared, ...codesLeft(guard, proven) };
}

/** What an answered sign-in opens: a session, or where this factor is not enough, the way to add one that is. */
function openSignIn(
  store: AccountStore,
  guard: Guard,
  { terms }: Challenge,
  factors: Proof,
  { proven, answerer, afterFailures }: RightAnswer,
  now: number,
): SessionGrant | EnrolmentRequired | Refusal {
  const { method: factor } = proven;
  const { from } = answerer;
  const admission = judge(terms.secondFactor, standingOf(store, guard), factors);
  if (admission === "enrolment") return requireEnrolment(store, guard, { factors, terms, factor, from }, now);
  const refusal: Refusal | undefined =
    admission === "challenge" ? { refused: "challenge_overtaken" } : audienceRefusal(factors, terms.audienceNeeds);
  if (refusal) {
    const about = { factor, reason: refusal.refused, ...addressOf(terms.emailDigest) };
    store.note({ kind: "authn_login_fail", ...about }, from);
    store.saveGuard(guard);
    return refusal;
  }
  const seen = rememberSignIn(guard, answerer, terms, now);
  const { asksForTrust, trustTerms } = answerer;
  const mayTrust = trustTerms.trustForMs > 0 && proven.method !== "recovery_code" && mayBeTrusted(terms);
  const { browser } = seen;
  if (browser && asksForTrust && mayTrust) browser.trusted = trustBrowser(guard, browser.id, trustTerms, now);
  const opened = openSession(store, guard, factors, terms, now);
  const { sessionId } = opened;
  recordSignIn(store, { sessionId, factor, emailDigest: terms.emailDigest, afterFailures, from });
  if (browser?.trusted) store.note({ kind: "user_updated", reason: "browser_trusted", session: sessionId }, from);
  store.saveGuard(guard);
  return { ...opened, ...codesLeft(guard, proven), ...seen };
}

/** Told to who uses a recovery code, so that a new set is made in time. */
function codesLeft({ recoveryCodes }: Guard, { method }: ProvenFactor): { recoveryCodesLeft?: number } {
  return method === "recovery_code" ? { recoveryCodesLeft: recoveryCodes.digests.length } : {};
}

/** What an answered challenge of a living session opens: one newer access token, or the session's next generation. */
function openForSession(
  store: AccountStore,
  guard: Guard,
  { purpose, terms }: Challenge,
  { trustedBy: _, ...session }: Session,
  factors: Proof,
  now: number,
): SessionGrant | AccessGrant | Refusal {
  const tooLittle = audienceRefusal(factors, terms.audienceNeeds);
  if (tooLittle) return tooLittle;
  if (purpose === "step_up") {
    const { audience, roles } = terms;
    const binding = bindingOf(terms);
    return {
      kind: "access",
      sessionId: session.id,
      sessionEndsAt: endOf(session),
      audience,
      roles,
      factors,
      ...binding,
    };
  }
  const admission = judge(terms.secondFactor, standingOf(store, guard, session.id), factors);
  if (admission !== "session") return { refused: "challenge_overtaken" };
  const secret = newSecret();
  const renewed = replaceSecret(rotateSession({ ...session, factors }, now), secret);
  store.saveSession(renewed);
  return grantOf(renewed, secret, terms.audience);
}

/**
 * A passkey that has verified its user beside another factor may do so alone from now on (WebAuthn §7.2, last step);
 * one that never did could have been handed on.
 */
function noteUserVerification(store: AccountStore, evidence: Evidence): void {
  if (evidence.method !== "passkey" || !evidence.assertion?.userVerified) return;
  const passkey = store.factors().find(({ id }) => id === evidence.passkeyId);
  if (passkey?.kind !== "passkey" || passkey.credential.userVerified) return;
  store.saveFactor({ ...passkey, credential: { ...passkey.credential, userVerified: true } });
}
