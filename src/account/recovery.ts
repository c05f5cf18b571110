import type { Circumstances } from "../events/security-event.ts";
import { RECOVERY_FINISH_LINK_TTL_MS, RECOVERY_LINK_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import { dropPotsOfForgotten, endEverything, liveSession } from "./admission.ts";
import { admitLink, type Verdict } from "./changes.ts";
import { takeAway } from "./email-undo.ts";
import { allPasskeysOf, confirmedFactors, hasSecondFactor } from "./factors.ts";
import { isAwaited, type Recovery } from "./life.ts";
import { demandingProof } from "./proof-mode.ts";

/** The right password was shown by somebody who says that every factor is lost: the link that starts the wait is awaited. */
export function requestRecovery(
  store: AccountStore,
  verdict: Verdict,
  linkId: string,
  now: number,
): { kind: "awaited" } | Refusal {
  const guard = store.guard();
  const refusal = admitLink(store, guard, verdict, now);
  if (refusal) return refusal;
  if (!hasSecondFactor(store, guard)) return { refused: "nothing_to_recover" };
  guard.life.recoveryRequest = { id: linkId, expiresAt: now + RECOVERY_LINK_TTL_MS };
  store.note({ kind: "user_updated", reason: "recovery_asked", factor: "pwd" }, verdict.from);
  store.saveGuard(guard);
  return { kind: "awaited" };
}

/** The mailbox was proven as well: the wait starts. A second one does not shorten or lengthen the first. */
export function startRecovery(
  store: AccountStore,
  verdict: Verdict,
  linkId: string,
  recovery: { id: string; delayMs: number },
  now: number,
): { recovery: Recovery } | Refusal {
  const guard = store.guard();
  const refusal = admitLink(store, guard, verdict, now);
  if (refusal) return refusal;
  const isDue = isAwaited(guard.life.recoveryRequest, linkId, now) && hasSecondFactor(store, guard);
  if (!isDue) return { refused: "link_used" };
  delete guard.life.recoveryRequest;
  const started = { id: recovery.id, startedAt: now, finishAfter: now + recovery.delayMs };
  const running = runningRecovery(guard, now);
  if (!running) store.note({ kind: "user_updated", reason: "recovery_started", factor: "mail_link" }, verdict.from);
  guard.life.recovery = running ?? started;
  store.saveGuard(guard);
  return { recovery: guard.life.recovery };
}

/** What stops a recovery: the link of a mail, or a session that was opened before it started. */
export type Canceller = ({ recoveryId: string } | { sessionId: string }) & {
  /** For events. */
  from?: Circumstances | undefined;
};

/** Stops a recovery. */
export function cancelRecovery(
  store: AccountStore,
  canceller: Canceller,
  now: number,
): { kind: "cancelled" } | Refusal {
  const guard = store.guard();
  const running = runningRecovery(guard, now);
  if ("recoveryId" in canceller) {
    if (running?.id !== canceller.recoveryId) return { refused: "link_used" };
  } else {
    const session = liveSession(store, guard, canceller.sessionId, now);
    if ("refused" in session) return session;
    if (!running) return { refused: "no_recovery" };
    // Whoever started it may have signed in since, with the same password.
    if (session.createdAt >= running.startedAt) return { refused: "session_too_young" };
  }
  delete guard.life.recovery;
  const by = "sessionId" in canceller ? { session: canceller.sessionId } : { factor: "mail_link" as const };
  store.note({ kind: "user_updated", reason: "recovery_cancelled", ...by }, canceller.from);
  store.saveGuard(guard);
  return { kind: "cancelled" };
}

/** A factor has been proven, so not every one is lost. The guard is left to be saved. */
export function endRecoveryByProof(store: AccountStore, guard: Guard, from: Circumstances | undefined): void {
  if (guard.life.recovery) store.note({ kind: "user_updated", reason: "recovery_overtaken" }, from);
  delete guard.life.recovery;
  delete guard.life.recoveryRequest;
}

/**
 * The wait is over and the mailbox has been proven once more: every factor goes, everybody is signed out, and the next
 * sign-in adds a factor before anything else. Answers which passkeys are free now.
 */
export function finishRecovery(
  store: AccountStore,
  verdict: Verdict,
  recoveryId: string,
  now: number,
): { credentialIds: string[] } | Refusal {
  const guard = store.guard();
  const refusal = admitLink(store, guard, verdict, now);
  if (refusal) return refusal;
  const running = runningRecovery(guard, now);
  if (running?.id !== recoveryId || now < running.finishAfter) return { refused: "link_used" };
  delete guard.life.recovery;
  store.note({ kind: "user_updated", reason: "recovery_finished", factor: "mail_link" }, verdict.from);
  return removeAllFactors(store, guard, now);
}

/** The same, on the word of operators: once for each of their requests. */
export function resetFactors(
  store: AccountStore,
  verdict: Verdict,
  requestId: string,
  now: number,
): { credentialIds: string[] } | Refusal {
  const guard = store.guard();
  const refusal = admitLink(store, guard, verdict, now);
  if (refusal) return refusal;
  // The same request once more: what has been added since is not what it was about.
  const { lastReset } = guard.life;
  if (lastReset?.requestId === requestId) return { credentialIds: withoutPresent(store, lastReset.credentialIds) };
  const removed = removeAllFactors(store, guard, now);
  guard.life.lastReset = { requestId, ...removed };
  store.saveGuard(guard);
  return removed;
}

/** What a recovery needs of the minute cron now. `announce`: the wait is over, and the link that finishes it is due. */
export function dueOfRecovery(
  store: AccountStore,
  now: number,
): { kind: "none" } | { kind: "remind" | "announce" | "announced"; recovery: Recovery } {
  const guard = store.guard();
  const recovery = runningRecovery(guard, now);
  if (!recovery) return { kind: "none" };
  if (now < recovery.finishAfter) return { kind: "remind", recovery };
  return { kind: recovery.isAnnounced ? "announced" : "announce", recovery };
}

/** The link that finishes a recovery has been mailed. */
export function noteAnnouncement(store: AccountStore, recoveryId: string): void {
  const guard = store.guard();
  if (guard.life.recovery?.id !== recoveryId) return;
  guard.life.recovery.isAnnounced = true;
  store.saveGuard(guard);
}

/** The recovery that is under way; one whose day to finish has passed is over. */
export function runningRecovery({ life: { recovery } }: Guard, now: number): Recovery | undefined {
  return recovery && now < recovery.finishAfter + RECOVERY_FINISH_LINK_TTL_MS ? recovery : undefined;
}

/** A passkey that was registered anew meanwhile is the account's again. */
function withoutPresent(store: AccountStore, credentialIds: string[]): string[] {
  const present = allPasskeysOf(store).map(({ credential }) => credential.id);
  return credentialIds.filter((id) => !present.includes(id));
}

function removeAllFactors(store: AccountStore, guard: Guard, now: number): { credentialIds: string[] } {
  const credentialIds = takeAway(store, guard, confirmedFactors(store), now);
  for (const { id } of store.factors()) store.deleteFactor(id);
  guard.recoveryCodes = { keyId: 0, digests: [] };
  // Whoever was let in with a factor that is gone now is a stranger again.
  guard.browsers = [];
  dropPotsOfForgotten(guard);
  endEverything(store, guard);
  endRecoveryByProof(store, guard, undefined);
  guard.life.mustEnrol = true;
  guard.streaks = demandingProof(guard.streaks);
  store.saveGuard(guard);
  return { credentialIds };
}
