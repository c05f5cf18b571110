import { ASSERTION_FAILURES_RECORDED } from "../event-policy.ts";
import { type Assertion, verifyAssertion } from "../factors/passkey.ts";
import { UNAVAILABLE_RETRY_AFTER_SECONDS } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { PasskeyChallenge } from "../tokens/passkey-challenge.ts";
import { type Proof, withProven } from "../tokens/proof.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import { admit, audienceRefusal, openSession, rememberSignIn, type SessionGrant } from "./admission.ts";
import type { BrowserClaim } from "./browsers.ts";
import type { SignInTerms } from "./challenges.ts";
import { wakeSuspended } from "./email-undo.ts";
import { type GivenAssertion, passkeyNamed } from "./evidence.ts";
import { passkeysOf, standingOf } from "./factors.ts";
import { judge } from "./methods.ts";
import { provenBy, takeSignCount } from "./passkeys.ts";
import { type Possession, withSpentAtSignIn } from "./possession.ts";
import { hasFailures, recordSignIn } from "./recording.ts";
import { endRecoveryByProof } from "./recovery.ts";
import { warnOnce } from "./warnings.ts";

/** A sign-in by passkey alone. Challenge and user handle have proven themselves before the object woke. */
export interface PasskeySignIn extends GivenAssertion {
  /** As it stands in the client data. */
  challengeText: string;
  challenge: PasskeyChallenge;
  epoch: number;
  terms: Omit<SignInTerms, "roles">;
  possession?: Possession | undefined;
  claim: BrowserClaim;
}

/**
 * Verifies an assertion, then spends its challenge and its counter together with the session it opens. A failure
 * changes nothing: whoever knows a user handle cannot use up anything of its owner.
 */
export async function signInWithPasskey(
  store: AccountStore,
  request: PasskeySignIn,
  clock: () => number,
): Promise<SessionGrant | Refusal> {
  const { rp, response, userHandle, challengeText } = request;
  const named = passkeyNamed(passkeysOf(store), response);
  const demands = { requireUserVerification: true, userHandle };
  const assertion = named && (await verifyAssertion(rp, challengeText, named.credential, response, demands));
  const now = clock();
  const settled = assertion
    ? settle(store, request, named.id, assertion, now)
    : ({ refused: "wrong_assertion" } as const);
  if (isRefusal(settled) && settled.refused !== "change_under_way") recordFailure(store, settled, request.claim, now);
  return settled;
}

/**
 * Records a failure, so many in a while: the account is asked at the same time as the gate of the client, which is what
 * keeps the others out and tells of them.
 */
function recordFailure(store: AccountStore, { refused: reason }: Refusal, { from }: BrowserClaim, now: number): void {
  const guard = store.guard();
  const lately = guard.failedAssertions.filter((at) => at > now - ASSERTION_FAILURES_RECORDED.windowMs);
  if (lately.length >= ASSERTION_FAILURES_RECORDED.count) return;
  store.note({ kind: "authn_login_fail", factor: "passkey", reason }, from);
  store.saveGuard({ ...guard, failedAssertions: [...lately, now] });
}

/** Judges what has verified, in one turn: everything is read again, and spent together with what it opens. */
function settle(
  store: AccountStore,
  { response, challenge, epoch, terms, possession, claim }: PasskeySignIn,
  passkeyId: string,
  assertion: Assertion,
  now: number,
): SessionGrant | Refusal {
  const guard = store.guard();
  const passkey = passkeyNamed(passkeysOf(store), response);
  if (passkey?.id !== passkeyId || now >= challenge.expiresAt) return { refused: "wrong_assertion" };
  const spent = guard.spentChallenges.filter(({ expiresAt }) => now < expiresAt);
  if (spent.some(({ id }) => id === challenge.id)) return { refused: "assertion_replayed" };
  // A passkey that never verified its user beside another factor may have been handed on (WebAuthn §7.2, last step).
  if (!passkey.credential.userVerified) return { refused: "user_verification_unproven" };
  // Only the directory knows what has become of it, and it is not asked here.
  if (guard.life.prepared) return { refused: "change_under_way", retryAfterSeconds: UNAVAILABLE_RETRY_AFTER_SECONDS };
  if (guard.life.deletion) return { refused: "wrong_assertion" };
  const overtaken = admit(guard, { passwordVersion: guard.passwordVersion, epoch });
  if (overtaken) return overtaken;
  const factors = withProven({}, provenBy(passkey, assertion), now);
  const spentProofs = withSpentAtSignIn(guard.spentProofs, possession, now);
  if (isRefusal(spentProofs)) return spentProofs;
  if (!takeSignCount(guard, passkey, assertion, now)) return refuseCopy(store, guard, now);
  guard.spentChallenges = [...spent, challenge];
  guard.spentProofs = spentProofs;
  const tooLittle = audienceRefusal(factors, terms.audienceNeeds);
  if (tooLittle) {
    store.saveGuard(guard);
    return tooLittle;
  }
  endRecoveryByProof(store, guard, claim.from);
  wakeSuspended(store, passkey.id);
  const complete = { ...terms, roles: guard.roles };
  const admission = judge(terms.secondFactor, standingOf(store, guard), factors);
  if (admission !== "session") throw new Error(`a passkey that verified its user led to "${admission}"`);
  return open(store, guard, factors, complete, claim, now);
}

function open(
  store: AccountStore,
  guard: Guard,
  factors: Proof,
  terms: SignInTerms,
  claim: BrowserClaim,
  now: number,
): SessionGrant {
  const afterFailures = hasFailures(guard.streaks);
  const seen = rememberSignIn(guard, claim, terms, now);
  const opened = openSession(store, guard, factors, terms, now);
  const { sessionId } = opened;
  recordSignIn(store, { sessionId, factor: "passkey", emailDigest: "", afterFailures, from: claim.from });
  guard.failedAssertions = [];
  store.saveGuard(guard);
  return { ...opened, ...seen };
}

/** There is a copy of this passkey: nothing was opened, and its owner has to hear of it. */
function refuseCopy(store: AccountStore, guard: Guard, now: number): Refusal {
  const warning = warnOnce(guard, "sign_count_fell", now);
  if (warning) store.saveGuard(guard);
  return { refused: "sign_count_fell", ...(warning ? { warning } : {}) };
}
