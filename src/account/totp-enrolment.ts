import { TOTP_ACTIVE_FACTORS, TOTP_PENDING_ATTEMPTS, TOTP_PENDING_TTL_MS } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { AccountStore } from "./account-store.ts";
import { type Activated, activate } from "./activation.ts";
import type { BrowserClaim } from "./browsers.ts";
import { type Bearer, enrollingOwner, ownerOf } from "./enrolment-owners.ts";
import { activeTotpFactors } from "./factors.ts";
import type { SecondFactorPolicy } from "./methods.ts";
import type { NewRecoveryCodes } from "./recovery-codes.ts";
import { isConfirmable, type MatchedSteps, provenStep, type TotpFactor } from "./totp-factors.ts";

/** Keeps a new secret until its first code comes back. It replaces any other that waits, and can do nothing yet. */
export function keepPendingFactor(
  store: AccountStore,
  bearer: Bearer,
  secondFactor: SecondFactorPolicy,
  factor: { id: string; label: string; sealedSecret: string },
  now: number,
): TotpFactor | Refusal {
  const guard = store.guard();
  const owner = enrollingOwner(store, guard, bearer, now);
  if (isRefusal(owner)) return owner;
  if (secondFactor === "passkey") return { refused: "factor_kind_not_accepted" };
  if (activeTotpFactors(store).length >= TOTP_ACTIVE_FACTORS) return { refused: "factor_limit" };
  for (const other of store.factors()) if (other.kind === "totp" && other.pending) store.deleteFactor(other.id);
  const pending = { ownerId: owner.id, until: now + TOTP_PENDING_TTL_MS, attempts: 0 };
  const kept: TotpFactor = { ...factor, kind: "totp", createdAt: now, pending };
  store.saveFactor(kept);
  return kept;
}

/** Takes one attempt of a pending factor before its code is looked at. Only for whom the secret was shown to. */
export function reserveConfirmation(
  store: AccountStore,
  bearer: Bearer,
  factorId: string,
  now: number,
): TotpFactor | Refusal {
  const owner = ownerOf(store, store.guard(), bearer, now);
  if (isRefusal(owner)) return owner;
  const factor = pendingFactor(store, factorId);
  if (!factor?.pending || !isConfirmable(factor, owner.id, now)) return { refused: "unknown_pending_factor" };
  const reserved = { ...factor, pending: { ...factor.pending, attempts: factor.pending.attempts + 1 } };
  store.saveFactor(reserved);
  return reserved;
}

/** Judges a confirmation. Right: the factor is active, and its step is used. */
export function settleConfirmation(
  store: AccountStore,
  bearer: Bearer,
  factorId: string,
  matches: MatchedSteps,
  { codes, claim }: { codes: NewRecoveryCodes; claim: BrowserClaim },
  now: number,
): Activated | Refusal {
  const guard = store.guard();
  const owner = ownerOf(store, guard, bearer, now);
  if (isRefusal(owner)) return owner;
  const factor = pendingFactor(store, factorId);
  if (factor?.pending?.ownerId !== owner.id) return { refused: "unknown_pending_factor" };
  const proven = provenStep(matches, (id) => guard.accepted[id]?.step);
  if (!proven) {
    return { refused: "wrong_code", attemptsRemaining: TOTP_PENDING_ATTEMPTS - factor.pending.attempts };
  }
  guard.accepted[factorId] = { step: proven.step, at: now };
  const { pending: _, ...active } = factor;
  return activate(store, guard, owner, { factor: active, proven: { method: "totp" }, codes, claim }, now);
}

function pendingFactor(store: AccountStore, factorId: string): TotpFactor | undefined {
  return store.factors().find((factor): factor is TotpFactor => factor.kind === "totp" && factor.id === factorId);
}
