import { verifyAssertion } from "../factors/passkey.ts";
import type { Refusal } from "../refusal.ts";
import type { PasskeyChallenge } from "../tokens/passkey-challenge.ts";
import { withProven } from "../tokens/proof.ts";
import type { AccountStore } from "./account-store.ts";
import { admit, openSession, rememberSignIn, type SessionGrant } from "./admission.ts";
import type { BrowserClaim } from "./browsers.ts";
import type { SignInTerms } from "./challenges.ts";
import { type GivenAssertion, passkeyNamed } from "./evidence.ts";
import { passkeysOf, standingOf } from "./factors.ts";
import { judge } from "./methods.ts";
import { provenBy, takeSignCount } from "./passkeys.ts";

/** A sign-in by passkey alone. Challenge and user handle have proven themselves before the object woke. */
export interface PasskeySignIn extends GivenAssertion {
  /** As it stands in the client data. */
  challengeText: string;
  challenge: PasskeyChallenge;
  epoch: number;
  terms: Omit<SignInTerms, "roles">;
  claim: BrowserClaim;
}

/**
 * Verifies an assertion, then spends its challenge and its counter together with the session it opens. A failure
 * changes nothing: whoever knows a user handle cannot use up anything of its owner.
 */
export async function signInWithPasskey(
  store: AccountStore,
  { rp, response, userHandle, challengeText, challenge, epoch, terms, claim }: PasskeySignIn,
  clock: () => number,
): Promise<SessionGrant | Refusal> {
  const named = passkeyNamed(passkeysOf(store), response);
  if (!named) return { refused: "wrong_assertion" };
  const demands = { requireUserVerification: true, userHandle };
  const assertion = await verifyAssertion(rp, challengeText, named.credential, response, demands);
  if (!assertion) return { refused: "wrong_assertion" };
  const now = clock();
  const guard = store.guard();
  const passkey = passkeyNamed(passkeysOf(store), response);
  if (passkey?.id !== named.id || now >= challenge.expiresAt) return { refused: "wrong_assertion" };
  const spent = guard.spentChallenges.filter(({ expiresAt }) => now < expiresAt);
  if (spent.some(({ id }) => id === challenge.id)) return { refused: "assertion_replayed" };
  // A passkey that never verified its user beside another factor may have been handed on (WebAuthn §7.2, last step).
  if (!passkey.credential.userVerified) return { refused: "user_verification_unproven" };
  const overtaken = admit(guard, { passwordVersion: guard.passwordVersion, epoch });
  if (overtaken) return overtaken;
  if (!takeSignCount(guard, passkey, assertion, now)) return { refused: "sign_count_fell" };
  guard.spentChallenges = [...spent, challenge];
  const factors = withProven({}, provenBy(passkey, assertion), now);
  const complete = { ...terms, roles: guard.roles };
  const admission = judge(terms.secondFactor, standingOf(store, guard), factors);
  if (admission !== "session") throw new Error(`a passkey that verified its user led to "${admission}"`);
  const browser = rememberSignIn(guard, claim, complete, now);
  store.saveGuard(guard);
  const grant = openSession(store, guard, factors, complete, now);
  return browser ? { ...grant, browser } : grant;
}
