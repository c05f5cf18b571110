import { digestRecoveryCode, newRecoveryCodes, normalizeRecoveryCode } from "../factors/recovery-code.ts";
import type { KeyRing } from "../keys/key-ring.ts";

/** The unused codes of an account as keyed digests, and the key that made them. */
export interface RecoveryCodeSet {
  keyId: number;
  digests: string[];
}

/** A new set: the codes to be shown once, and what is kept of them. */
export interface NewRecoveryCodes {
  codes: string[];
  kept: RecoveryCodeSet;
}

/** Makes a set of recovery codes. It replaces the old one when it is kept, and not before. */
export async function makeRecoveryCodes(ring: KeyRing, accountId: string): Promise<NewRecoveryCodes> {
  const key = ring.active("recovery");
  const codes = newRecoveryCodes();
  const digests = await Promise.all(
    codes.map((code) => digestRecoveryCode(key, accountId, normalizeRecoveryCode(code) ?? "")),
  );
  return { codes, kept: { keyId: key.id, digests } };
}

/** The digest that a typed code would have in this set; nothing when the set's key is gone. */
export async function digestFor(
  ring: KeyRing,
  accountId: string,
  set: RecoveryCodeSet,
  normalized: string,
): Promise<string | undefined> {
  const key = ring.byId("recovery")(set.keyId);
  return key && digestRecoveryCode(key, accountId, normalized);
}

/** The set without this code, or nothing when the code is not in it: looking it up and spending it are one step. */
export function spendCode(set: RecoveryCodeSet, digest: string | undefined): RecoveryCodeSet | undefined {
  const index = digest === undefined ? -1 : set.digests.indexOf(digest);
  return index < 0 ? undefined : { ...set, digests: set.digests.toSpliced(index, 1) };
}
