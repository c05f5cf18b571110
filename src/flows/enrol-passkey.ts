import { creationOptions, type RegistrationResponse, verifyRegistration } from "../factors/passkey.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { keyedDigest } from "../keys/keyed-digest.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { makeUserHandle } from "../tokens/user-handle.ts";
import type { Enroller } from "./authenticate.ts";
import { visitingBrowser } from "./browsers.ts";
import { type NewFactor, tellOfNewFactor } from "./new-factor.ts";

/** Starts the registration of a passkey (WebAuthn §7.1 step 1). */
export async function passkeyCreationOptions(
  service: Service,
  visit: Visit,
  { accountId, bearer }: Enroller,
): Promise<{ options: ReturnType<typeof creationOptions> } | Refusal> {
  const ring = await service.keyRing(visit.now);
  const [user, terms, handle] = await Promise.all([
    service.users.findById(accountId),
    service.account(accountId).startRegistration(bearer),
    makeUserHandle(ring, accountId),
  ]);
  if (isRefusal(terms)) return terms;
  if (!user) return { refused: "session_ended" };
  const { relyingParty } = service.config;
  return { options: creationOptions(relyingParty, terms.challenge, { handle, email: user.email }, terms.known) };
}

/**
 * Finishes a registration: the challenge is spent, the response verified, its credential id claimed for this account,
 * and only then is there a factor. Broken off in between, all that is left is a claim that the same account can renew.
 */
export async function addPasskey(
  service: Service,
  visit: Visit,
  { accountId, bearer }: Enroller,
  label: string,
  response: RegistrationResponse,
): Promise<NewFactor | Refusal> {
  const account = service.account(accountId);
  const spent = await account.spendRegistration(bearer);
  if (isRefusal(spent)) return spent;
  const credential = await verifyRegistration(service.config.relyingParty, spent.challenge, response);
  if (!credential) return { refused: "registration_wrong" };
  const ring = await service.keyRing(visit.now);
  const claimed = await service.passkeyOwners.claim(await credentialDigest(ring, credential.id), accountId);
  if (!claimed) return { refused: "credential_known" };
  const { claim } = await visitingBrowser(service, ring, visit);
  const activated = await account.addPasskey(bearer, { label, credential }, claim);
  return "refused" in activated ? activated : tellOfNewFactor(service, visit, accountId, activated);
}

/** The name of a credential where its id may not stand. */
export function credentialDigest(ring: KeyRing, credentialId: string): Promise<string> {
  return keyedDigest(ring, `passkey:${credentialId}`);
}
