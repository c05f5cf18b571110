import type { SessionGrant } from "../account/admission.ts";
import type { PasskeySignIn } from "../account/passkey-sign-in.ts";
import type { Possession } from "../account/possession.ts";
import { emailKey } from "../directory/email-key.ts";
import { isOpen } from "../directory/users.ts";
import { type AssertionResponse, clientChallenge, requestOptions } from "../factors/passkey.ts";
import { assertionGate } from "../gate/subjects.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { emailDigest } from "../keys/keyed-digest.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { entryFor } from "../tokens/browser-cookie.ts";
import { makePasskeyChallenge, readPasskeyChallenge } from "../tokens/passkey-challenge.ts";
import { readUserHandle } from "../tokens/user-handle.ts";
import { visitingBrowser } from "./browsers.ts";
import { reserve, tellOfSession } from "./first-door.ts";
import { type AskedTerms, type Issued, issue, signInTerms } from "./issue.ts";
import { verdictOn } from "./mailed-links.ts";
import { tellOfRefusal } from "./notices.ts";
import { readPossession } from "./possession.ts";

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
  terms: AskedTerms,
): Promise<Issued | Refusal> {
  const ring = await service.keyRing(visit.now);
  const possession = await readPossession(service, ring, visit);
  if (possession && "refused" in possession) return possession;
  const named = await readNamed(ring, visit, response);
  const asked = named && askAccount(service, ring, visit, named, response, { ...terms, possession });
  try {
    return await conclude(service, ring, visit, named, asked);
  } catch (error) {
    service.waitUntil(closeAgain(service, ring, visit, named, asked));
    throw error;
  }
}

/** What is refused although the assertion was a right one: nobody has failed, and nobody is to be kept out for it. */
const GUESSES_NOTHING = new Set<Refusal["refused"]>([
  "proof_below_audience",
  "proof_expired",
  "proof_replayed",
  "change_under_way",
]);

/** Waits for all who were asked. Whoever says no has the session closed again, and nobody has had a token of it. */
async function conclude(
  service: Service,
  ring: KeyRing,
  visit: Visit,
  named: NamedAssertion | undefined,
  asked: Promise<SessionGrant | Refusal> | undefined,
): Promise<Issued | Refusal> {
  const [admitted, user, grant] = await Promise.all([
    assertionGate(ring, visit.network).then((request) =>
      reserve(service, request, { from: visit.from, factor: "passkey" }),
    ),
    named && service.users.findById(named.accountId),
    asked,
  ]);
  const isVerified = named !== undefined && grant !== undefined && !("refused" in grant) && user && isOpen(user);
  const digest = user ? await emailDigest(ring, emailKey(user.email) ?? "") : "";
  if (!isVerified || (isRefusal(admitted) && !(await isRecognised(service, ring, visit, digest)))) {
    await closeAgain(service, ring, visit, named, asked);
    if (named && grant && isRefusal(grant)) tellOfRefusal(service, visit, named.accountId, grant);
    if (isRefusal(admitted)) return admitted;
    const refusal: Refusal = grant && isRefusal(grant) ? grant : { refused: "assertion_unnamed" };
    // What an account object has refused it has recorded.
    const failure = grant && isRefusal(grant) ? undefined : { reason: refusal.refused };
    await admitted.settle(GUESSES_NOTHING.has(refusal.refused) ? "released" : "wrong", failure);
    return refusal;
  }
  if (!isRefusal(admitted)) service.waitUntil(admitted.settle("right"));
  const current = await withRoles(service, named.accountId, grant, user.roles);
  if ("refused" in current) return current;
  tellOfSession(service, digest);
  return issue(service, visit, named.accountId, withDigest(current, digest));
}

/** Whoever shares a network with a browser that its account recognises must not close the way of its passkey. */
async function isRecognised(service: Service, ring: KeyRing, visit: Visit, digest: string): Promise<boolean> {
  const { recognised } = await visitingBrowser(service, ring, visit);
  return entryFor(recognised, digest) !== undefined;
}

/** Ends a session that the account has opened and that nobody gets. */
async function closeAgain(
  service: Service,
  ring: KeyRing,
  visit: Visit,
  named: NamedAssertion | undefined,
  asked: Promise<SessionGrant | Refusal> | undefined,
): Promise<void> {
  const grant = await asked;
  if (!named || !grant || isRefusal(grant)) return;
  const isNewNetwork = grant.unfamiliar === "network" || grant.unfamiliar === "both";
  const { claim } = await visitingBrowser(service, ring, visit);
  const { sessionId, browser } = grant;
  const newNetwork = isNewNetwork ? claim.network : undefined;
  await service.account(named.accountId).withdraw(sessionId, browser?.id, newNetwork, visit.from);
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
  { possession, ...asked }: AskedTerms & { possession: Possession | undefined },
): Promise<SessionGrant | Refusal> {
  const { claim } = await visitingBrowser(service, ring, visit);
  const { roles: _, ...terms } = signInTerms(service, visit, asked, { roles: [], emailDigest: "", possession });
  const { relyingParty: rp } = service.config;
  const account = service.account(accountId);
  const request = { ...named, rp, response, epoch: ring.epoch, terms, possession, claim };
  const grant = await account.signInWithPasskey(request);
  if (!("refused" in grant) || grant.refused !== "change_under_way") return grant;
  // A change was left half way. The account is told how it ended, and nothing of this sign-in has been spent.
  const user = await service.users.findById(accountId);
  if (user) await account.settleChange(verdictOn(user, ring, visit));
  return account.signInWithPasskey(request);
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
