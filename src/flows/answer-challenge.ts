import type { AccessGrant, EnrolmentRequired, SessionGrant } from "../account/admission.ts";
import type { GivenAnswer } from "../account/evidence.ts";
import type { PreparedReset } from "../account/password-changes.ts";
import { type AssertionResponse, requestOptions } from "../factors/passkey.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { type ChallengeReference, verifyChallengeToken } from "../tokens/challenge-token.ts";
import { makeUserHandle } from "../tokens/user-handle.ts";
import { visitingBrowser } from "./browsers.ts";
import { tellOfSession } from "./first-door.ts";
import { type Issued, issue } from "./issue.ts";
import { tellOfRefusal, tellOwner } from "./notices.ts";
import { readPossession } from "./possession.ts";
import { finishReset, type PasswordWasReset } from "./reset-password.ts";

/** An answer as it was typed, codes in their normal form, or as a passkey signed it. */
export type TypedAnswer =
  | { method: "totp"; code: string }
  | { method: "recovery_code"; code: string }
  | { method: "passkey"; response: AssertionResponse };

/**
 * The second door, for every purpose a challenge can have. The token is checked here, before any object wakes; the
 * account object judges the rest. One storage round trip.
 */
export async function answerChallenge(
  service: Service,
  visit: Visit,
  challengeToken: string,
  answer: TypedAnswer,
  trustBrowser: boolean,
): Promise<Issued | PasswordWasReset | Refusal> {
  const ring = await service.keyRing(visit.now);
  const { issuer } = service.config;
  const challenge = await verifyChallengeToken(ring, issuer, challengeToken, visit.now);
  if (!challenge) return { refused: "challenge_forged" };
  const possession = await readPossession(service, ring, visit);
  if (possession && "refused" in possession) return possession;
  const given = await givenAnswer(service, ring, challenge, answer);
  const { claim } = await visitingBrowser(service, ring, visit);
  const answerer = { ...claim, asksForTrust: trustBrowser };
  const { accountId, challengeId, purpose } = challenge;
  const grant = await service.account(accountId).answer({ challengeId, purpose, possession }, given, answerer);
  if (isRefusal(grant)) {
    tellOfRefusal(service, visit, accountId, grant);
    return grant;
  }
  tellOfAnswer(service, visit, accountId, grant);
  if (grant.kind === "reset_prepared") return finishReset(service, visit, ring, accountId, grant);
  if (purpose === "login" && grant.kind === "session") tellOfSession(service, grant.emailDigest);
  return issue(service, visit, accountId, grant);
}

/** What a passkey must sign to answer a challenge (WebAuthn §7.2 step 1). */
export async function passkeyOptions(
  service: Service,
  visit: Visit,
  challengeToken: string,
): Promise<{ options: ReturnType<typeof requestOptions> } | Refusal> {
  const ring = await service.keyRing(visit.now);
  const { issuer, relyingParty } = service.config;
  const challenge = await verifyChallengeToken(ring, issuer, challengeToken, visit.now);
  if (!challenge) return { refused: "challenge_forged" };
  const { accountId, challengeId, purpose } = challenge;
  const terms = await service.account(accountId).assertionTerms({ challengeId, purpose });
  if (isRefusal(terms)) return terms;
  const { webauthn, mustVerifyUser, credentials } = terms;
  const userVerification = mustVerifyUser ? "required" : "preferred";
  return { options: requestOptions(relyingParty, webauthn, userVerification, credentials) };
}

async function givenAnswer(
  { config }: Service,
  ring: KeyRing,
  { accountId }: ChallengeReference,
  answer: TypedAnswer,
): Promise<GivenAnswer> {
  if (answer.method !== "passkey") return answer;
  const userHandle = await makeUserHandle(ring, accountId);
  return { method: "passkey", response: answer.response, rp: config.relyingParty, userHandle };
}

function tellOfAnswer(
  service: Service,
  visit: Visit,
  accountId: string,
  grant: SessionGrant | AccessGrant | EnrolmentRequired | PreparedReset,
): void {
  if (grant.kind === "enrolment") return;
  const { recoveryCodesLeft } = grant;
  if (recoveryCodesLeft !== undefined) {
    tellOwner(service, visit, accountId, { notice: "recovery_code_used", remaining: recoveryCodesLeft });
  }
  const trusted = grant.kind === "session" ? grant.browser?.trusted : undefined;
  if (trusted) tellOwner(service, visit, accountId, { notice: "browser_trusted", until: trusted.until });
}
