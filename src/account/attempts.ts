import type { Circumstances } from "../events/security-event.ts";
import type { Credential } from "../factors/passkey.ts";
import { CHALLENGE_ATTEMPTS, METHOD_CLOSED_RETRY_AFTER_SECONDS, SESSION_POT } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { ChallengePurpose } from "../tokens/challenge-token.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import { admit, endSession, liveSession } from "./admission.ts";
import { withoutTrust } from "./browsers.ts";
import { attemptsLeft, type Pot, retryAfterSeconds, takeAttempt } from "./budgets.ts";
import { type Challenge, isLive, newWebAuthnChallenge } from "./challenges.ts";
import { type Factor, usableFactors } from "./factors.ts";
import type { SecondFactorMethod } from "./methods.ts";
import { bindingRefusal, type Possession, withSpentAtSignIn } from "./possession.ts";
import { isMethodClosed, withAttempt } from "./proof-mode.ts";
import { addressOf, changeStreaks } from "./recording.ts";
import type { RecoveryCodeSet } from "./recovery-codes.ts";
import type { Session } from "./sessions.ts";

/** A challenge that somebody wants to answer, and how. */
export interface ChallengeAttempt {
  challengeId: string;
  purpose: ChallengePurpose;
  method: SecondFactorMethod;
  /** The key that whoever answers has shown to hold. */
  possession?: Possession | undefined;
  /** For events. */
  from?: Circumstances | undefined;
}

/** An attempt that has been paid for and not yet been judged. */
export interface ReservedAnswer {
  takenAt: number;
  /** Whether a pot had an attempt to take, which a right answer gives back. */
  isPaid: boolean;
  /** The factors that this challenge may be answered with. */
  usable: Factor[];
  recoveryCodes: RecoveryCodeSet;
  /** The WebAuthn challenge that the answer must be about. */
  webauthn: string;
  /** Where no password was shown a passkey must stand for both factors. */
  mustVerifyUser: boolean;
}

/**
 * Takes one attempt from the challenge and from its pot before the answer is looked at. An empty pot closes TOTP alone:
 * what cannot be guessed stays open, so that nobody can lock the owner out.
 */
export function reserveAnswer(
  store: AccountStore,
  { challengeId, purpose, method, possession, from }: ChallengeAttempt,
  now: number,
): ReservedAnswer | Refusal {
  const guard = store.guard();
  const challenge = openChallengeOf(guard, challengeId, purpose, now);
  if (isRefusal(challenge)) return challenge;
  const session = sessionOf(store, guard, challenge, now);
  if (session !== undefined && "refused" in session) return session;
  const spent =
    bindingRefusal(challenge.terms.jkt, possession) ?? withSpentAtSignIn(guard.spentProofs, possession, now);
  if (isRefusal(spent)) return spent;
  const { sessionId, pot = "unrecognised" } = challenge;
  const isPaid = sessionId === undefined && attemptsLeft(guard.attempts[pot] ?? [], now) > 0;
  const refusal =
    sessionId === undefined ? takeFromHour(guard, pot, method, now) : takeFromPot(store, guard, sessionId, from);
  if (refusal && sessionId === undefined) recordEmptyBudget(store, guard, challenge, { refusal, method, from });
  if (refusal) return refusal;
  const { webauthn } = challenge;
  if (sessionId === undefined) {
    changeStreaks(store, guard, withAttempt(guard.streaks, method, knownAs(guard, pot)), from);
  }
  guard.spentProofs = spent;
  challenge.attempts += 1;
  if (method === "passkey") challenge.webauthn = newWebAuthnChallenge();
  store.saveGuard(guard);
  const usable = usableFor(store, challenge);
  const recoveryCodes = guard.recoveryCodes;
  return { takenAt: now, isPaid, usable, recoveryCodes, webauthn, mustVerifyUser: mustVerifyUser(challenge) };
}

/** Once a challenge: nothing of it is spent, so whoever has one may try as often as he likes. */
function recordEmptyBudget(
  store: AccountStore,
  guard: Guard,
  challenge: Challenge,
  { refusal, method: factor, from }: { refusal: Refusal; method: SecondFactorMethod; from: Circumstances | undefined },
): void {
  if (challenge.isRefused) return;
  challenge.isRefused = true;
  const what = { kind: "authn_login_fail_max", reason: refusal.refused, factor } as const;
  store.note({ ...what, ...addressOf(challenge.terms.emailDigest) }, from);
  store.saveGuard(guard);
}

/** What an assertion for a challenge is to be made of. */
export interface AssertionTerms {
  /** Base64url; good for one try. */
  webauthn: string;
  credentials: Credential[];
  mustVerifyUser: boolean;
}

/** Reads what a passkey must sign to answer this challenge. Spends nothing, and asks for nothing to be written. */
export function assertionTerms(
  store: AccountStore,
  { challengeId, purpose }: Pick<ChallengeAttempt, "challengeId" | "purpose">,
  now: number,
): AssertionTerms | Refusal {
  const guard = store.guard();
  const challenge = openChallengeOf(guard, challengeId, purpose, now);
  if (isRefusal(challenge)) return challenge;
  const session = sessionOf(store, guard, challenge, now);
  if (session !== undefined && "refused" in session) return session;
  const passkeys = usableFor(store, challenge).filter((factor) => factor.kind === "passkey");
  if (passkeys.length === 0) {
    return { refused: "wrong_assertion", attemptsRemaining: attemptsRemaining(guard, challenge, now) };
  }
  const credentials = passkeys.map(({ credential }) => credential);
  return { webauthn: challenge.webauthn, credentials, mustVerifyUser: mustVerifyUser(challenge) };
}

/** A passkey that stands for both factors has to see its user; beside a password or a mailbox it is the second one. */
function mustVerifyUser({ purpose, factors }: Challenge): boolean {
  return purpose !== "password_reset" && factors.pwd === undefined;
}

/** The open challenge of this id and purpose, or why it cannot be answered. */
export function openChallengeOf(
  { challenges }: Guard,
  challengeId: string,
  purpose: ChallengePurpose,
  now: number,
): Challenge | Refusal {
  const challenge = challenges.find((open) => open.id === challengeId && open.purpose === purpose);
  if (!challenge) return { refused: "challenge_unknown" };
  if (isLive(challenge, now)) return challenge;
  return { refused: now < challenge.expiresAt ? "challenge_exhausted" : "challenge_expired" };
}

/** The living session that a challenge belongs to, none for a sign-in, or why neither may go on. */
export function sessionOf(
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

/** The factors that a challenge names as its methods. */
export function usableFor(store: AccountStore, { sessionId, methods }: Challenge): Factor[] {
  return usableFactors(store, sessionId).filter(({ kind }) => methods.includes(kind));
}

/** Takes one attempt from a session's own pot. An empty one ends the session, even when its last answer never settled. */
export function takeFromPot(
  store: AccountStore,
  guard: Guard,
  sessionId: string,
  from: Circumstances | undefined,
): Refusal | undefined {
  const taken = guard.pots[sessionId] ?? 0;
  if (taken >= SESSION_POT) {
    endByEmptyPot(store, guard, sessionId, from);
    return { refused: "session_ended" };
  }
  guard.pots[sessionId] = taken + 1;
  return undefined;
}

/** Ends a session that has guessed too often, and with it the trust that would open the next one for a password. */
export function endByEmptyPot(
  store: AccountStore,
  guard: Guard,
  sessionId: string,
  from: Circumstances | undefined,
): void {
  store.note({ kind: "authn_login_fail_max", reason: "session_ended", session: sessionId }, from);
  const trustedBy = store.session(sessionId)?.trustedBy;
  guard.browsers = guard.browsers.map((browser) => (browser.id === trustedBy ? withoutTrust(browser) : browser));
  endSession(store, guard, sessionId);
  store.saveGuard(guard);
}

/** After a wrong password in a session: ends it if that was the last attempt of its pot. */
export function endIfPotIsEmpty(
  store: AccountStore,
  guard: Guard,
  sessionId: string,
  from: Circumstances | undefined,
): void {
  if ((guard.pots[sessionId] ?? 0) >= SESSION_POT) endByEmptyPot(store, guard, sessionId, from);
}

/** How many more answers there are: of the challenge, or of its pot where that is less. */
export function attemptsRemaining(
  guard: Guard,
  { attempts, sessionId, pot = "unrecognised" }: Challenge,
  now: number,
): number {
  const ofChallenge = CHALLENGE_ATTEMPTS - attempts;
  if (sessionId !== undefined) return Math.min(ofChallenge, SESSION_POT - (guard.pots[sessionId] ?? 0));
  const ofPot = attemptsLeft(guard.attempts[pot] ?? [], now);
  return Math.min(ofChallenge, ofPot);
}

function takeFromHour(guard: Guard, pot: Pot, method: SecondFactorMethod, now: number): Refusal | undefined {
  const spent = guard.attempts[pot] ?? [];
  if (method === "totp" && attemptsLeft(spent, now) === 0) {
    return { refused: "second_factor_budget_spent", retryAfterSeconds: retryAfterSeconds(spent, now) };
  }
  if (knownAs(guard, pot) !== "recognised" && isMethodClosed(guard.streaks, method)) {
    return { refused: "factor_kind_closed", retryAfterSeconds: METHOD_CLOSED_RETRY_AFTER_SECONDS };
  }
  guard.attempts[pot] = takeAttempt(spent, now);
  return undefined;
}

/** What the account takes a browser for whose attempts are counted in this pot. */
export function knownAs({ browsers }: Guard, pot: Pot): "unrecognised" | "proven" | "recognised" {
  if (pot === "proven") return "proven";
  return browsers.some(({ id }) => id === pot) ? "recognised" : "unrecognised";
}
