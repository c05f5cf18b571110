import { isRefusal, type Refusal } from "../refusal.ts";
import type { ChallengeGrant, SessionGrant } from "./admission.ts";
import type { BrowserClaim } from "./browsers.ts";
import { abandonChange, admitVerdict, commitChange, type Prepared, type Verdict } from "./changes.ts";
import { type AskedDeletion, bury, leaveTombstone, prepareDeletion, prepareDeletionCancel } from "./deletion.ts";
import { awaitEmailChange, lapseUndo, prepareEmailChange, prepareEmailUndo, prepareFreeze } from "./email-changes.ts";
import type { SessionBearer } from "./factor-changes.ts";
import { dropImportedFactors, keepImportedFactors, sealImported } from "./imported-factors.ts";
import type { Recovery } from "./life.ts";
import { OperatedAccount } from "./operated-account.ts";
import {
  awaitReset,
  commitPasswordChange,
  openReset,
  type PreparedReset,
  preparePasswordChange,
  type ResetRequest,
  reservePasswordChange,
} from "./password-changes.ts";
import {
  type Canceller,
  cancelRecovery,
  dueOfRecovery,
  finishRecovery,
  noteAnnouncement,
  requestRecovery,
  runningRecovery,
  startRecovery,
} from "./recovery.ts";

import { type AccountCopy, copyOf } from "./views.ts";

/** How an account changes: its password and address, recovery, deletion. As thin as the class that extends it. */
export abstract class AccountLife extends OperatedAccount {
  /** Third step of a change in two stores: the directory holds it. Answers which passkeys are free now. */
  commit(key: string): { credentialIds: string[] } {
    const { credentialIds } = commitChange(this.store, this.store.guard(), key);
    return { credentialIds };
  }

  /** Tells the account what the directory says, where something else has to wait for that. */
  settleChange(verdict: Verdict): void {
    admitVerdict(this.store, this.store.guard(), verdict, Date.now());
  }

  /** The directory has refused a change. */
  abandon(key: string): void {
    abandonChange(this.store, this.store.guard(), key);
  }

  /** Makes the link of a reset the newest. */
  awaitReset(verdict: Verdict, linkId: string): { kind: "awaited" } | Refusal {
    return awaitReset(this.store, verdict, linkId, Date.now());
  }

  /** A reset link came back with a new password. */
  openReset(verdict: Verdict, request: ResetRequest): ChallengeGrant | PreparedReset | Refusal {
    return openReset(this.store, verdict, request, Date.now());
  }

  /** Takes an attempt for the password that a change asks for. */
  reservePasswordChange(bearer: SessionBearer): { kind: "password_reserved" } | Refusal {
    return reservePasswordChange(this.store, bearer, Date.now());
  }

  /** Judges the password that a change asked for. */
  preparePasswordChange(bearer: SessionBearer, verdict: Verdict & { right: boolean }): Prepared | Refusal {
    return preparePasswordChange(this.store, bearer, verdict, Date.now());
  }

  /** The directory holds the new password: the session that changed it goes on. */
  commitPasswordChange(key: string): SessionGrant | Refusal {
    return this.withRecovery(commitPasswordChange(this.store, key, Date.now()));
  }

  /** Makes the link to a new address the newest. */
  awaitEmailChange(bearer: SessionBearer, linkId: string): { kind: "awaited" } | Refusal {
    return awaitEmailChange(this.store, bearer, linkId, Date.now());
  }

  /** The link to a new address came back. */
  prepareEmailChange(verdict: Verdict, linkId: string): Prepared | Refusal {
    return prepareEmailChange(this.store, verdict, linkId, Date.now());
  }

  /** The old address takes its change back. */
  prepareEmailUndo(verdict: Verdict, undoId: string | undefined): Prepared | Refusal {
    return prepareEmailUndo(this.store, verdict, undoId, Date.now());
  }

  /** The undo of an email change has lapsed. */
  lapseUndo(verdict: Verdict): ReturnType<typeof lapseUndo> {
    return lapseUndo(this.store, verdict, Date.now());
  }

  /** The owner says of something that it was somebody else. */
  prepareFreeze(verdict: Verdict, since: number): Prepared | Refusal {
    return prepareFreeze(this.store, verdict, since, Date.now());
  }

  /** The account is to go. */
  prepareDeletion(bearer: SessionBearer, verdict: Verdict, asked: AskedDeletion): Prepared | Refusal {
    return prepareDeletion(this.store, bearer, verdict, asked, Date.now());
  }

  /** The account is to stay after all. */
  prepareDeletionCancel(verdict: Verdict, deletionId: string): Prepared | Refusal {
    return prepareDeletionCancel(this.store, verdict, deletionId, Date.now());
  }

  /** The time of the account is up, or not yet. */
  bury(verdict: Verdict | undefined): ReturnType<typeof bury> {
    return bury(this.store, verdict, Date.now());
  }

  /** Nothing but the tombstone stays. */
  leaveTombstone(): void {
    leaveTombstone(this.store);
  }

  /** The link that starts the wait of a recovery is on its way. */
  requestRecovery(verdict: Verdict, linkId: string): { kind: "awaited" } | Refusal {
    return requestRecovery(this.store, verdict, linkId, Date.now());
  }

  /** Starts the wait of a recovery. */
  startRecovery(
    verdict: Verdict,
    linkId: string,
    recovery: { id: string; delayMs: number },
  ): { recovery: Recovery } | Refusal {
    return startRecovery(this.store, verdict, linkId, recovery, Date.now());
  }

  /** Stops a recovery. */
  cancelRecovery(canceller: Canceller): { kind: "cancelled" } | Refusal {
    return cancelRecovery(this.store, canceller, Date.now());
  }

  /** Removes every factor at the end of a recovery. */
  finishRecovery(verdict: Verdict, recoveryId: string): { credentialIds: string[] } | Refusal {
    return finishRecovery(this.store, verdict, recoveryId, Date.now());
  }

  /** What is known of the account, for its owner to take along. */
  copy(bearer: SessionBearer, claim: BrowserClaim): AccountCopy | Refusal {
    return copyOf(this.store, bearer, claim, Date.now());
  }

  /** What a recovery needs of the minute cron. */
  dueOfRecovery(): ReturnType<typeof dueOfRecovery> {
    return dueOfRecovery(this.store, Date.now());
  }

  /** The link that finishes a recovery has been mailed. */
  noteAnnouncement(recoveryId: string): void {
    noteAnnouncement(this.store, recoveryId);
  }

  /** Seals the secrets of authenticator apps that an imported account comes with, if there is nothing in it yet. */
  async importFactors(secrets: Uint8Array[]): Promise<void> {
    const ring = await this.keyRing();
    const factors = await Promise.all(secrets.map((secret, index) => sealImported(ring, this.id(), secret, index)));
    keepImportedFactors(this.store, factors, Date.now());
  }

  /** Takes them back, where the address has become another account's meanwhile. */
  withdrawImport(): void {
    dropImportedFactors(this.store);
  }

  /** A grant that says so while a recovery runs: whoever holds a token of the account hears of it. */
  protected withRecovery<G extends object>(grant: G | Refusal): G | Refusal {
    if (isRefusal(grant) || !("kind" in grant) || !(grant.kind === "session" || grant.kind === "access")) return grant;
    const running = runningRecovery(this.store.guard(), Date.now());
    return running ? { ...grant, recovery: { finishAfter: running.finishAfter } } : grant;
  }
}
