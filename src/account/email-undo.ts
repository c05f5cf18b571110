import { DISTRUSTED_BEFORE_MS, UNDO_LINK_TTL_MS } from "../policy.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import { dropPotsOfForgotten } from "./admission.ts";
import { confirmedFactors, type Factor, hasCredential } from "./factors.ts";
import { isUndoOpen } from "./life.ts";
import { spendCode } from "./recovery-codes.ts";

/**
 * Takes factors away from the account. While an email change can be taken back, those of the time before are kept, sealed
 * as they were, with what makes their codes good only once. Answers the credential ids that other accounts may have from
 * now on. The guard is left to be saved.
 */
export function takeAway(store: AccountStore, guard: Guard, factors: Factor[], now: number): string[] {
  const { undo } = guard.life;
  const isKept = ({ id }: Factor) => isUndoOpen(guard.life, now) && undo?.factorIds.includes(id);
  const gone = factors.filter((factor) => !isKept(factor));
  if (undo) undo.removed = [...undo.removed, ...factors.filter(isKept)];
  for (const { id } of factors) store.deleteFactor(id);
  forget(guard, gone);
  return freeNow(gone, undo?.removed ?? []);
}

/** An email change has taken effect: from now on it can be taken back, and the one before it cannot any more. */
export function openUndo(store: AccountStore, guard: Guard, id: string, now: number): string[] {
  const credentialIds = closeUndo(store, guard);
  const factorIds = confirmedFactors(store).map((factor) => factor.id);
  const { recoveryCodes } = guard;
  guard.life.undo = { id, factorIds, expiresAt: now + UNDO_LINK_TTL_MS, removed: [], recoveryCodes };
  return credentialIds;
}

/**
 * The time is up: what was kept for the old owner goes. Answers the credential ids that are free from now on. The guard is
 * left to be saved.
 */
export function closeUndo(store: AccountStore, guard: Guard): string[] {
  const removed = guard.life.undo?.removed ?? [];
  delete guard.life.undo;
  forget(guard, removed);
  return freeNow(removed, confirmedFactors(store));
}

/** Spends a recovery code of the time before as well, if it is one: none may be used again after an undo. */
export function spendKeptCode({ life: { undo } }: Guard, digest: string | undefined): void {
  if (undo) undo.recoveryCodes = spendCode(undo.recoveryCodes, digest) ?? undo.recoveryCodes;
}

/**
 * Brings the factors back to what they were before the address changed. Those that were added since do not count until an
 * older one is proven; without an older one nobody could ever wake them, so they go. Answers the credential ids that are
 * free from now on.
 */
export function undoEmailChange(store: AccountStore, guard: Guard): string[] {
  const { undo } = guard.life;
  if (!undo) return [];
  const present = confirmedFactors(store);
  const isOlder = ({ id }: Factor) => undo.factorIds.includes(id);
  const older = [...present.filter(isOlder), ...undo.removed];
  const added = present.filter((factor) => !isOlder(factor));
  // A key that was put in the place of an older one under the same credential id goes as well.
  const canWake = (factor: Factor) => older.length > 0 && !older.some((other) => hasCredential(other, factor));
  for (const factor of added.filter(canWake)) store.saveFactor({ ...factor, suspended: true });
  const gone = added.filter((factor) => !canWake(factor));
  for (const { id } of gone) store.deleteFactor(id);
  forget(guard, gone);
  for (const factor of undo.removed) store.saveFactor(factor);
  guard.recoveryCodes = undo.recoveryCodes;
  distrustWhatCameSince(store, guard, undo.expiresAt - UNDO_LINK_TTL_MS);
  return freeNow(gone, undo.removed);
}

/** A factor has been proven: those that were added after it count again. A recovery code wakes none. */
export function wakeSuspended(store: AccountStore, provenId: string | undefined): void {
  const factors = confirmedFactors(store);
  const proven = factors.find(({ id }) => id === provenId);
  if (!proven) return;
  for (const { suspended, ...factor } of factors) {
    if (suspended && factor.createdAt > proven.createdAt) store.saveFactor(notAlone(factor));
  }
}

/**
 * Somebody else has been in the account, and what he could have prepared for his return counts for less: a passkey of
 * that time, or of some days before, signs in alone only after it was shown beside the password, which is about to be a
 * new one; and the browsers of that time are strangers.
 */
export function distrustWhatCameSince(store: AccountStore, guard: Guard, since: number): void {
  const from = since - DISTRUSTED_BEFORE_MS;
  for (const factor of confirmedFactors(store)) {
    if (factor.createdAt >= from && factor.kind === "passkey") store.saveFactor(notAlone(factor));
  }
  guard.browsers = guard.browsers.filter(({ createdAt }) => createdAt < from);
  dropPotsOfForgotten(guard);
}

/** As if a passkey had never verified its user (WebAuthn §7.2, last step): it is a second factor until it does so again. */
function notAlone(factor: Factor): Factor {
  return factor.kind === "passkey" ? { ...factor, credential: { ...factor.credential, userVerified: false } } : factor;
}

function forget(guard: Guard, factors: Factor[]): void {
  for (const { id } of factors) {
    delete guard.accepted[id];
    delete guard.counters[id];
  }
}

/** The credential ids of what is gone, without those that the account goes on with. */
function freeNow(gone: Factor[], kept: Factor[]): string[] {
  const ids = credentialIdsOf(kept);
  return credentialIdsOf(gone).filter((id) => !ids.includes(id));
}

function credentialIdsOf(factors: Factor[]): string[] {
  return factors.flatMap((factor) => (factor.kind === "passkey" ? [factor.credential.id] : []));
}
