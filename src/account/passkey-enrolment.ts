import type { Credential } from "../factors/passkey.ts";
import { PASSKEY_REGISTRATION_TTL_MS, PASSKEYS_PER_ACCOUNT } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { AccountStore } from "./account-store.ts";
import { type Activated, activate } from "./activation.ts";
import type { BrowserClaim } from "./browsers.ts";
import { newWebAuthnChallenge } from "./challenges.ts";
import { type Bearer, enrollingOwner, ownerOf } from "./enrolment-owners.ts";
import { allPasskeysOf } from "./factors.ts";
import { type Passkey, provenBy } from "./passkeys.ts";
import type { NewRecoveryCodes } from "./recovery-codes.ts";

/** What a registration ceremony needs to know of the account. */
export interface RegistrationTerms {
  challenge: string;
  /** Credentials that are registered already. */
  known: Credential[];
}

/** Starts the registration of a passkey; it takes the place of any other that is under way. */
export function startRegistration(store: AccountStore, bearer: Bearer, now: number): RegistrationTerms | Refusal {
  const guard = store.guard();
  const owner = enrollingOwner(store, guard, bearer, now);
  if (isRefusal(owner)) return owner;
  const passkeys = allPasskeysOf(store);
  if (passkeys.length >= PASSKEYS_PER_ACCOUNT) return { refused: "factor_limit" };
  const challenge = newWebAuthnChallenge();
  guard.registration = { ownerId: owner.id, challenge, until: now + PASSKEY_REGISTRATION_TTL_MS };
  store.saveGuard(guard);
  return { challenge, known: passkeys.map(({ credential }) => credential) };
}

/** Spends the challenge of a registration before its answer is looked at. Only for whom it was made. */
export function spendRegistration(store: AccountStore, bearer: Bearer, now: number): { challenge: string } | Refusal {
  const guard = store.guard();
  const owner = ownerOf(store, guard, bearer, now);
  if (isRefusal(owner)) return owner;
  const { registration } = guard;
  if (registration?.ownerId !== owner.id) return { refused: "registration_unknown" };
  guard.registration = undefined;
  store.saveGuard(guard);
  return now < registration.until ? { challenge: registration.challenge } : { refused: "registration_unknown" };
}

/** Adds a passkey whose registration has been verified and whose id no other account has. */
export function addPasskey(
  store: AccountStore,
  bearer: Bearer,
  { label, credential }: { label: string; credential: Credential },
  { codes, claim }: { codes: NewRecoveryCodes; claim: BrowserClaim },
  now: number,
): Activated | Refusal {
  const guard = store.guard();
  const owner = ownerOf(store, guard, bearer, now);
  if (isRefusal(owner)) return owner;
  const passkeys = allPasskeysOf(store);
  if (passkeys.some((passkey) => passkey.credential.id === credential.id)) return { refused: "credential_known" };
  if (passkeys.length >= PASSKEYS_PER_ACCOUNT) return { refused: "factor_limit" };
  const factor: Passkey = { kind: "passkey", id: crypto.randomUUID(), label, credential, createdAt: now };
  const proven = provenBy(factor, credential);
  return activate(store, guard, owner, { factor, proven, codes, claim }, now);
}
