import { type Assertion, type Credential, mayFollow } from "../factors/passkey.ts";
import type { ProvenFactor } from "../tokens/proof.ts";
import type { Guard } from "./account-store.ts";

/** A passkey or security key as the account remembers it. Its signature counter is in the guard. */
export interface Passkey {
  kind: "passkey";
  id: string;
  label: string;
  credential: Credential;
  /** Epoch milliseconds. */
  createdAt: number;
  /** The session that enrolled it after a recovery code had opened that session. */
  enrolledAfterRecoveryBy?: string;
  /** Added under an address that was taken back: it does not count until an older factor is proven. */
  suspended?: true;
}

/**
 * Takes the signature counter of an assertion (WebAuthn §7.2 step 22): compare and set, so of two assertions with one
 * counter one is taken. False when it did not rise: a copy of the passkey may be in use.
 */
export function takeSignCount(guard: Guard, passkey: Passkey, { signCount }: Assertion, now: number): boolean {
  const last = guard.counters[passkey.id]?.signCount ?? passkey.credential.signCount;
  if (!mayFollow(last, signCount)) return false;
  guard.counters[passkey.id] = { signCount, at: now };
  return true;
}

/** What an assertion of this passkey has proven. One that may be copied to other devices is a software key. */
export function provenBy({ credential }: Passkey, { userVerified }: Assertion): ProvenFactor {
  return { method: "passkey", key: credential.backupEligible ? "swk" : "hwk", userVerified };
}
