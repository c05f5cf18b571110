import type { SessionGrant } from "../account/admission.ts";
import type { PasskeySignIn } from "../account/passkey-sign-in.ts";
import { emailKey } from "../directory/email-key.ts";
import { type AssertionResponse, clientChallenge, requestOptions } from "../factors/passkey.ts";
import { assertionGate } from "../gate/subjects.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { emailDigest } from "../keys/keyed-digest.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { makePasskeyChallenge, readPasskeyChallenge } from "../tokens/passkey-challenge.ts";
import { readUserHandle } from "../tokens/user-handle.ts";
import { visitingBrowser } from "./browsers.ts";
import { reserve } from "./first-door.ts";
import { type Issued, issue, signInTerms } from "./issue.ts";

/** What any passkey may sign to sign in. The same for everyone, and kept nowhere. */
export async function passkeySignInOptions(service: Service, visit: Visit) {
  const ring = await service.keyRing(visit.now);
  return requestOptions(service.config.relyingParty, await makePasskeyChallenge(ring, visit.now), "required");
}

/**
 * Both doors at once: a passkey that verified its user. Challenge and user handle prove themselves, so a made-up one
 * wakes no object. One storage round trip: account object, gate and user at once; what the object opened is closed again
 * when one of the others says no, and nobody has had a token of it.
 */
export async function signInWithPasskey(
  service: Service,
  visit: Visit,
  response: AssertionResponse,
  remember: boolean,
): Promise<Issued | Refusal> {
  const ring = await service.keyRing(visit.now);
  const named = await readNamed(ring, visit, response);
  const asked = named && askAccount(service, ring, visit, named, response, remember);
  const [admitted, user, grant] = await Promise.all([
    assertionGate(ring, visit.network).then((request) => reserve(service, request)),
    named && service.users.findById(named.accountId),
    asked,
  ]).catch((error) => {
    service.waitUntil(closeAgain(service, named, asked));
    throw error;
  });
  if (isRefusal(admitted) || !named || !grant || "refused" in grant || user?.status !== "active") {
    await closeAgain(service, named, asked);
    if (isRefusal(admitted)) return admitted;
    await admitted.settle("wrong");
    return grant && "refused" in grant ? grant : { refused: "assertion_unnamed" };
  }
  service.waitUntil(admitted.settle("right"));
  const current = await withRoles(service, named.accountId, grant, user.roles);
  if ("refused" in current) return current;
  const digest = await emailDigest(ring, emailKey(user.email) ?? "");
  return issue(service, visit, named.accountId, withDigest(current, digest));
}

/** Ends a session that the account has opened and that nobody gets. */
async function closeAgain(
  service: Service,
  named: NamedAssertion | undefined,
  asked: Promise<SessionGrant | Refusal> | undefined,
): Promise<void> {
  const grant = await asked;
  if (!named || !grant || isRefusal(grant)) return;
  await service.account(named.accountId).endByAccessToken(grant.sessionId);
}

interface NamedAssertion {
  accountId: string;
  userHandle: string;
  challengeText: string;
  challenge: PasskeySignIn["challenge"];
}

/** Whom an assertion names and which challenge it answers, when both are ours. */
async function readNamed(
  ring: KeyRing,
  { now }: Visit,
  response: AssertionResponse,
): Promise<NamedAssertion | undefined> {
  const userHandle = response.response.userHandle ?? "";
  const challengeText = clientChallenge(response) ?? "";
  const accountId = await readUserHandle(ring, userHandle);
  const challenge = await readPasskeyChallenge(ring, challengeText, now);
  return accountId === undefined || !challenge ? undefined : { accountId, userHandle, challengeText, challenge };
}

async function askAccount(
  service: Service,
  ring: KeyRing,
  visit: Visit,
  { accountId, ...named }: NamedAssertion,
  response: AssertionResponse,
  remember: boolean,
): Promise<SessionGrant | Refusal> {
  const { claim } = await visitingBrowser(ring, visit);
  const { roles: _, ...terms } = signInTerms(service, visit, { roles: [], remember, emailDigest: "" });
  const { relyingParty: rp } = service.config;
  return service.account(accountId).signInWithPasskey({ ...named, rp, response, epoch: ring.epoch, terms, claim });
}

/** The account's copy of the roles is as old as its last password sign-in; the directory's are the roles. */
async function withRoles(
  service: Service,
  accountId: string,
  grant: SessionGrant,
  roles: string[],
): Promise<SessionGrant | Refusal> {
  if (JSON.stringify(grant.roles) === JSON.stringify(roles)) return grant;
  const corrected = await service.account(accountId).correctRoles(grant.sessionId, roles);
  return "refused" in corrected ? corrected : { ...grant, roles };
}

/** A passkey names no address, so the account could not say which one the browser's cookie is to name. */
function withDigest(grant: SessionGrant, emailDigest: string): SessionGrant {
  return grant.browser ? { ...grant, browser: { ...grant.browser, emailDigest } } : grant;
}
