import type { PreparedChange } from "./changes.ts";
import type { Factor } from "./factors.ts";
import type { RecoveryCodeSet } from "./recovery-codes.ts";

/** What waits for the link with this id, until then. Only the newest link of a kind is ever named. */
export interface AwaitedLink {
  id: string;
  expiresAt: number;
}

/** An email change that its old address can take back. */
export interface EmailUndo extends AwaitedLink {
  /** The factors of the time before: any other is not the old owner's. */
  factorIds: string[];
  /** Those of them that were removed since, as they were. */
  removed: Factor[];
  /** The recovery codes of the time before, without those that were used since. */
  recoveryCodes: RecoveryCodeSet;
}

/** The wait of somebody who says that every factor is lost. */
export interface Recovery {
  id: string;
  startedAt: number;
  /** From then on the factors may be removed. */
  finishAfter: number;
  /** Whether the link that removes them has been mailed. */
  isAnnounced?: true;
}

/**
 * What is under way in the life of an account, and what an earlier event demands of the next one. All of it is absent
 * for most accounts most of the time. Times in epoch milliseconds.
 */
export interface Life {
  /** A change of which the directory may or may not know yet. */
  prepared?: PreparedChange;
  reset?: AwaitedLink;
  emailChange?: AwaitedLink;
  undo?: EmailUndo;
  recoveryRequest?: AwaitedLink;
  recovery?: Recovery;
  deletion?: { id: string; deletesAt: number };
  /** When the owner has taken the account back last: whatever a notice of before told of has been dealt with. */
  settledAt?: number;
  /** The factors were lost or reset: the next sign-in adds one, whatever the operator demands of others. */
  mustEnrol?: true;
  /** The operators' request that removed the factors last, and the passkeys that it made free. */
  lastReset?: { requestId: string; credentialIds: string[] };
  /** The account is no more. Whatever is still on its way to it opens nothing. */
  isBuried?: true;
}

/** Whether this is the link that is waited for. */
export function isAwaited(awaited: AwaitedLink | undefined, id: string, now: number): awaited is AwaitedLink {
  return awaited?.id === id && now < awaited.expiresAt;
}

/** Whether an email change can still be taken back. */
export function isUndoOpen({ undo }: Life, now: number): boolean {
  return undo !== undefined && now < undo.expiresAt;
}
