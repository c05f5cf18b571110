import type { AccountStore, Guard } from "./account-store.ts";
import type { Standing } from "./methods.ts";
import type { Passkey } from "./passkeys.ts";
import type { TotpFactor } from "./totp-factors.ts";

/** Something a person can prove at the second door. */
export type Factor = TotpFactor | Passkey;

/** A factor as its owner sees it. Times in epoch milliseconds. */
export interface FactorView {
  id: string;
  kind: Factor["kind"];
  label: string;
  createdAt: number;
  lastUsedAt?: number;
  /** Does not count until another one has been proven. */
  suspended?: true;
}

/** The factors of the account, without those that wait for their first code. */
export function confirmedFactors(store: AccountStore): Factor[] {
  return store.factors().filter((factor) => factor.kind === "passkey" || !factor.pending);
}

/** Those of them that count. */
export function activeFactors(store: AccountStore): Factor[] {
  return confirmedFactors(store).filter(({ suspended }) => !suspended);
}

/** Whether two passkeys are the same one. */
export function hasCredential(one: Factor, other: Factor): boolean {
  return one.kind === "passkey" && other.kind === "passkey" && one.credential.id === other.credential.id;
}

/** The active authenticator apps. */
export function activeTotpFactors(store: AccountStore): TotpFactor[] {
  return activeFactors(store).filter((factor) => factor.kind === "totp");
}

/** The passkeys, those included that do not count now. */
export function allPasskeysOf(store: AccountStore): Passkey[] {
  return confirmedFactors(store).filter((factor) => factor.kind === "passkey");
}

/** The passkeys that count. */
export function passkeysOf(store: AccountStore): Passkey[] {
  return activeFactors(store).filter((factor) => factor.kind === "passkey");
}

/**
 * What the account can answer with; `forSession` leaves out what that very session enrolled after a recovery code had
 * opened it: whoever found one code could otherwise raise the session with a factor of his own.
 */
export function standingOf(store: AccountStore, guard: Guard, forSession?: string): Standing {
  const usable = usableFactors(store, forSession);
  return {
    totp: usable.filter(({ kind }) => kind === "totp").length,
    passkeys: usable.filter(({ kind }) => kind === "passkey").length,
    recoveryCodes: guard.recoveryCodes.digests.length,
  };
}

/** The active factors that can answer a challenge of this session, or of a sign-in. */
export function usableFactors(store: AccountStore, forSession?: string): Factor[] {
  return activeFactors(store).filter((factor) => !forSession || factor.enrolledAfterRecoveryBy !== forSession);
}

/** Whether more than a password can be asked of the account. */
export function hasSecondFactor(store: AccountStore, guard: Guard): boolean {
  return activeFactors(store).length > 0 || guard.recoveryCodes.digests.length > 0;
}

/** A factor for its owner's list. */
export function viewOf({ id, kind, label, createdAt, suspended }: Factor, { accepted, counters }: Guard): FactorView {
  const lastUsedAt = (kind === "totp" ? accepted[id] : counters[id])?.at;
  return {
    id,
    kind,
    label,
    createdAt,
    ...(lastUsedAt === undefined ? {} : { lastUsedAt }),
    ...(suspended ? { suspended } : {}),
  };
}
