import type { KeyRing } from "../keys/key-ring.ts";
import { seal } from "../keys/seal.ts";
import type { AccountStore } from "./account-store.ts";
import { sealContext, type TotpFactor } from "./totp-factors.ts";

/** A secret that another service had given out, sealed for this account. */
export type ImportedFactor = Pick<TotpFactor, "id" | "label" | "sealedSecret">;

/** Seals a secret for its account. `index` tells an account's apps apart, which come without names. */
export async function sealImported(
  ring: KeyRing,
  accountId: string,
  secret: Uint8Array,
  index: number,
): Promise<ImportedFactor> {
  const id = crypto.randomUUID();
  const sealedSecret = await seal(ring.active("seal"), secret, sealContext(accountId, id));
  return { id, label: index === 0 ? "Authenticator app" : `Authenticator app ${index + 1}`, sealedSecret };
}

/**
 * Keeps the factors that an account comes with, all or none: only where there is nothing yet. An account that anybody
 * has ever used, or that an earlier try of the same import has filled, stays as it is.
 */
export function keepImportedFactors(store: AccountStore, factors: ImportedFactor[], now: number): void {
  if (!isUnused(store) || store.factors().length > 0) return;
  for (const factor of factors) store.saveFactor({ ...factor, kind: "totp", createdAt: now });
}

/** Forgets them again, where the account has come to nothing: another has its address. */
export function dropImportedFactors(store: AccountStore): void {
  if (!isUnused(store)) return;
  for (const { id } of store.factors()) store.deleteFactor(id);
}

/** Nobody has shown a password of it, and it has not been buried. */
function isUnused(store: AccountStore): boolean {
  const { passwordVersion, life } = store.guard();
  return passwordVersion === 0 && life.isBuried === undefined && store.sessions().length === 0;
}
