import type { Circumstances } from "../events/security-event.ts";
import type { Credential } from "../factors/passkey.ts";
import { seal } from "../keys/seal.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import { AccountLife } from "./account-life.ts";
import type { Activated } from "./activation.ts";
import {
  type AccessGrant,
  type ChallengeGrant,
  type Ending,
  type EnrolmentRequired,
  endOnPurpose,
  endOtherSessions,
  type SessionGrant,
} from "./admission.ts";
import { type Answerer, settleAnswer } from "./answers.ts";
import { type AssertionTerms, assertionTerms, type ChallengeAttempt, reserveAnswer } from "./attempts.ts";
import type { BrowserClaim } from "./browsers.ts";
import type { SignInTerms } from "./challenges.ts";
import type { Verdict } from "./changes.ts";
import { type Bearer, ownerOf } from "./enrolment-owners.ts";
import { type GivenAnswer, gatherEvidence } from "./evidence.ts";
import {
  forgetBrowser,
  type RemovedFactors,
  removeFactor,
  renameFactor,
  replaceRecoveryCodes,
  type SessionBearer,
  type SessionName,
  turnOffSecondFactor,
} from "./factor-changes.ts";
import type { FactorView } from "./factors.ts";
import { forgetNetwork } from "./familiarity.ts";
import { type Knock, openFirstDoor } from "./first-door.ts";
import type { SecondFactorPolicy } from "./methods.ts";
import { addPasskey, type RegistrationTerms, spendRegistration, startRegistration } from "./passkey-enrolment.ts";
import { type PasskeySignIn, signInWithPasskey } from "./passkey-sign-in.ts";
import type { PreparedReset } from "./password-changes.ts";
import { type Possession, withSpent, withSpentAtSignIn } from "./possession.ts";
import { runningRecovery } from "./recovery.ts";
import { makeRecoveryCodes } from "./recovery-codes.ts";
import { type RefreshRequest, refreshSession, spentElsewhere } from "./refreshing.ts";
import { hasSecret } from "./sessions.ts";
import { openStepUp, type StepUpRequest, settlePasswordStepUp } from "./step-up.ts";
import { keepPendingFactor, reserveConfirmation, settleConfirmation } from "./totp-enrolment.ts";
import { matchFactors, sealContext } from "./totp-factors.ts";
import {
  type BrowserView,
  browserViews,
  type FactorList,
  factorList,
  type SessionView,
  sessionViews,
} from "./views.ts";

/**
 * One account: decides whatever may happen only once, or only so often. A thin face: it brings the clock and the key
 * ring, and the files beside it hold the rules. Between reading and writing there is no `await` in any of them. Here are
 * signing in, sessions and factors; what changes the account itself is in the class it extends.
 */
export class AccountObject extends AccountLife {
  /** After a right password: a challenge, a session where there is no factor, or the way to add one. */
  openFirstDoor(
    verdict: Verdict,
    terms: SignInTerms,
    knock: Knock,
  ): SessionGrant | ChallengeGrant | EnrolmentRequired | Refusal {
    return this.withRecovery(openFirstDoor(this.store, verdict, terms, knock, Date.now()));
  }

  /** The second door: spend, check, settle. */
  async answer(
    attempt: Omit<ChallengeAttempt, "method">,
    given: GivenAnswer,
    answerer: Answerer,
  ): Promise<SessionGrant | AccessGrant | EnrolmentRequired | PreparedReset | Refusal> {
    const ring = await this.keyRing();
    const asked = { ...attempt, method: given.method, from: answerer.from };
    const reserved = reserveAnswer(this.store, asked, Date.now());
    if (isRefusal(reserved)) return reserved;
    const evidence = await gatherEvidence(ring, this.id(), reserved, given);
    return this.withRecovery(settleAnswer(this.store, attempt.challengeId, reserved, evidence, answerer, Date.now()));
  }

  /** What an assertion for an open challenge is to be made of. */
  assertionTerms(attempt: Omit<ChallengeAttempt, "method">): AssertionTerms | Refusal {
    return assertionTerms(this.store, attempt, Date.now());
  }

  /** Both doors at once, by a passkey that verified its user. */
  signInWithPasskey(request: PasskeySignIn): Promise<SessionGrant | Refusal> {
    return signInWithPasskey(this.store, request, Date.now);
  }

  /** Takes back a sign-in that nobody gets: its session, and its browser and network if they were new. */
  withdraw(sessionId: string, browserId?: string, newNetwork?: string, from?: Circumstances): void {
    const guard = this.store.guard();
    this.store.note({ kind: "authn_token_revoked", reason: "sign_in_withdrawn", session: sessionId }, from);
    if (newNetwork !== undefined) forgetNetwork(guard, newNetwork);
    const session = this.store.session(sessionId);
    guard.browsers = guard.browsers.filter(({ id, createdAt }) => id !== browserId || createdAt !== session?.createdAt);
    this.store.forgetSession(sessionId);
    this.store.saveGuard(guard);
  }

  /** Gives a session the directory's roles, which had changed since the account last saw them. */
  correctRoles(sessionId: string, roles: string[]): { kind: "corrected" } | Refusal {
    const session = this.liveSession(sessionId);
    if ("refused" in session) return session;
    this.store.saveSession({ ...session, terms: { ...session.terms, roles } });
    this.store.saveGuard({ ...this.store.guard(), roles });
    return { kind: "corrected" };
  }

  /** Uses a refresh token whose HMAC the Worker has checked. */
  refresh(request: RefreshRequest): SessionGrant | ChallengeGrant | Refusal {
    return this.withRecovery(refreshSession(this.store, request, Date.now()));
  }

  /** Ends the session of a refresh token, whatever its generation, and answers when it is listed. */
  async endByRefreshToken(sessionId: string, secret: Uint8Array, ending: Ending): Promise<void> {
    const session = this.store.session(sessionId);
    if (session && hasSecret(session, secret)) endOnPurpose(this.store, sessionId, ending);
    await this.endsAreListed();
  }

  /** Ends the session of an access token, and answers when it is listed. */
  async endByAccessToken(sessionId: string, ending: Ending): Promise<void> {
    if (this.store.session(sessionId)) endOnPurpose(this.store, sessionId, ending);
    await this.endsAreListed();
  }

  /** Uses a proof of possession for one request of a living session. */
  spendProof(sessionId: string, possession: Possession): { kind: "spent" } | Refusal {
    const session = this.liveSession(sessionId);
    if ("refused" in session) return session;
    const elsewhere = spentElsewhere(this.store, this.store.guard(), session);
    const spentProofs = withSpent(session, possession, Date.now(), elsewhere);
    if (isRefusal(spentProofs)) return spentProofs;
    this.store.saveSession({ ...session, spentProofs });
    return { kind: "spent" };
  }

  /** The same for a request of whoever holds an enrolment token. */
  spendEnrolmentProof(enrolmentId: string, possession: Possession): { kind: "spent" } | Refusal {
    const guard = this.store.guard();
    const owner = ownerOf(this.store, guard, { kind: "enrolment", enrolmentId, possession }, Date.now());
    if (isRefusal(owner)) return owner;
    const spentProofs = withSpentAtSignIn(guard.spentProofs, possession, Date.now());
    if (isRefusal(spentProofs)) return spentProofs;
    this.store.saveGuard({ ...guard, spentProofs });
    return { kind: "spent" };
  }

  /** Whether a session still lives. */
  checkSession(sessionId: string): { kind: "alive"; recovery?: { finishAfter: number } } | Refusal {
    const session = this.liveSession(sessionId);
    if ("refused" in session) return session;
    const running = runningRecovery(this.store.guard(), Date.now());
    return running ? { kind: "alive", recovery: { finishAfter: running.finishAfter } } : { kind: "alive" };
  }

  /** Ships what was recorded, so that a living session sees it. What could not be shipped is seen later. */
  async shipEvents(bearerId: string): Promise<{ kind: "shipped" } | Refusal> {
    const session = this.liveSession(bearerId);
    if ("refused" in session) return session;
    await this.eventsAreShipped();
    return { kind: "shipped" };
  }

  /** The account's sessions, for one of them. */
  listSessions(bearerId: string): { sessions: SessionView[] } | Refusal {
    const session = this.liveSession(bearerId);
    return "refused" in session ? session : { sessions: sessionViews(this.store, bearerId, Date.now()) };
  }

  /** Ends one session of the account, its own included, and answers when it is listed. */
  async endSession(bearerId: string, sessionId: string, from?: Circumstances): Promise<{ kind: "ended" } | Refusal> {
    const session = this.liveSession(bearerId);
    if ("refused" in session) return session;
    if ("refused" in this.liveSession(sessionId)) return { refused: "unknown_session" };
    endOnPurpose(this.store, sessionId, { reason: "ended_by_owner", from });
    await this.endsAreListed();
    return { kind: "ended" };
  }

  /** Ends every session but the one that asks, and every sign-in that is half way; answers when they are listed. */
  async endOtherSessions(bearerId: string, from?: Circumstances): Promise<{ kind: "ended" } | Refusal> {
    const session = this.liveSession(bearerId);
    if ("refused" in session) return session;
    this.store.note({ kind: "authn_token_revoked", reason: "others_ended_by_owner", session: bearerId }, from);
    endOtherSessions(this.store, this.store.guard(), bearerId);
    await this.endsAreListed();
    return { kind: "ended" };
  }

  /** The account's active factors, and how many recovery codes are left. */
  listFactors(bearerId: string): FactorList | Refusal {
    const session = this.liveSession(bearerId);
    return "refused" in session ? session : factorList(this.store);
  }

  /** The browsers that the account recognises. */
  listBrowsers(bearerId: string, claim: BrowserClaim): { browsers: BrowserView[] } | Refusal {
    const session = this.liveSession(bearerId);
    return "refused" in session ? session : { browsers: browserViews(this.store, claim, Date.now()) };
  }

  /** Opens a step-up challenge, or takes an attempt for a password where that is what is asked. */
  openStepUp(request: StepUpRequest) {
    return openStepUp(this.store, request, Date.now());
  }

  /** Judges a password given to step-up. */
  settlePasswordStepUp(
    request: StepUpRequest,
    verdict: { right: boolean; passwordVersion: number },
  ): AccessGrant | Refusal {
    return this.withRecovery(settlePasswordStepUp(this.store, request, verdict, Date.now()));
  }

  /** Keeps a new TOTP secret, sealed, until it is confirmed. */
  async enrolTotp(
    bearer: Bearer,
    secondFactor: SecondFactorPolicy,
    label: string,
    secret: Uint8Array<ArrayBuffer>,
  ): Promise<{ factorId: string } | Refusal> {
    const ring = await this.keyRing();
    const id = crypto.randomUUID();
    const sealedSecret = await seal(ring.active("seal"), secret, sealContext(this.id(), id));
    const kept = keepPendingFactor(this.store, bearer, secondFactor, { id, label, sealedSecret }, Date.now());
    return isRefusal(kept) ? kept : { factorId: id };
  }

  /** Activates a pending TOTP factor with its first code. */
  async confirmTotp(bearer: Bearer, factorId: string, code: string, claim: BrowserClaim): Promise<Activated | Refusal> {
    const ring = await this.keyRing();
    const now = Date.now();
    const factor = reserveConfirmation(this.store, bearer, factorId, now);
    if (isRefusal(factor)) return factor;
    const matches = await matchFactors(ring, this.id(), [factor], code, now);
    const codes = await makeRecoveryCodes(ring, this.id());
    return settleConfirmation(this.store, bearer, factorId, matches, { codes, claim }, Date.now());
  }

  /** Starts the registration of a passkey. */
  startRegistration(bearer: Bearer): RegistrationTerms | Refusal {
    return startRegistration(this.store, bearer, Date.now());
  }

  /** Spends the challenge of a registration, before its answer is verified. */
  spendRegistration(bearer: Bearer): { challenge: string } | Refusal {
    return spendRegistration(this.store, bearer, Date.now());
  }

  /** Adds a passkey whose registration the Worker has verified and whose id it has claimed for this account. */
  async addPasskey(
    bearer: Bearer,
    passkey: { label: string; credential: Credential },
    claim: BrowserClaim,
  ): Promise<Activated | Refusal> {
    const codes = await makeRecoveryCodes(await this.keyRing(), this.id());
    return addPasskey(this.store, bearer, passkey, { codes, claim }, Date.now());
  }

  /** Gives a factor another name. */
  renameFactor(bearer: SessionName, factorId: string, label: string): { factor: FactorView } | Refusal {
    return renameFactor(this.store, bearer, factorId, label, Date.now());
  }

  /** Removes a factor. */
  removeFactor(bearer: SessionBearer, factorId: string, secondFactor: SecondFactorPolicy): RemovedFactors | Refusal {
    return removeFactor(this.store, bearer, factorId, secondFactor, Date.now());
  }

  /** Removes all factors and recovery codes. */
  turnOffSecondFactor(bearer: SessionBearer, secondFactor: SecondFactorPolicy): RemovedFactors | Refusal {
    return turnOffSecondFactor(this.store, bearer, secondFactor, Date.now());
  }

  /** Makes a new set of recovery codes, shown this once. */
  async replaceRecoveryCodes(bearer: SessionBearer): Promise<{ codes: string[] } | Refusal> {
    const { codes, kept } = await makeRecoveryCodes(await this.keyRing(), this.id());
    const replaced = replaceRecoveryCodes(this.store, bearer, kept, Date.now());
    return isRefusal(replaced) ? replaced : { codes };
  }

  /** Forgets a recognised browser. */
  forgetBrowser(bearer: SessionBearer, browserId: string): { kind: "forgotten" } | Refusal {
    return forgetBrowser(this.store, bearer, browserId, Date.now());
  }
}
