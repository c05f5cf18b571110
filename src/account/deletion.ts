import { isRefusal, type Refusal } from "../refusal.ts";
import type { AccountStore } from "./account-store.ts";
import { admitVerdict, type Prepared, prepareChange, type Verdict } from "./changes.ts";
import { mayDo, type SessionBearer } from "./factor-changes.ts";
import { confirmedFactors } from "./factors.ts";
import type { Life } from "./life.ts";

/** A deletion that somebody has asked for. */
export interface AskedDeletion {
  id: string;
  deletesAt: number;
}

/** The account is to go: everybody is signed out now, and the directory closes it. */
export function prepareDeletion(
  store: AccountStore,
  bearer: SessionBearer,
  verdict: Verdict,
  { id, deletesAt }: AskedDeletion,
  now: number,
): Prepared | Refusal {
  const guard = store.guard();
  // First what the directory says: it may end this very session.
  const refusal = admitVerdict(store, guard, verdict, now);
  if (refusal) return refusal;
  const session = mayDo(store, guard, "delete_account", bearer, now);
  if (isRefusal(session)) return session;
  const change = { kind: "deletion", id, deletesAt } as const;
  return prepareChange(store, guard, verdict, { name: `deletion:${id}`, change, isDue: () => true }, now);
}

/** The owner has changed his mind, or it was somebody else's. */
export function prepareDeletionCancel(
  store: AccountStore,
  verdict: Verdict,
  deletionId: string,
  now: number,
): Prepared | Refusal {
  const isDue = ({ deletion }: Life) => deletion?.id === deletionId && now < deletion.deletesAt;
  const change = { kind: "deletion_cancel" } as const;
  return prepareChange(store, store.guard(), verdict, { name: `keep:${deletionId}`, change, isDue }, now);
}

/**
 * The time is up: nothing of the account remains here but that it is no more, so that no request which is still on its
 * way can bring it back. Answers which passkeys are free now, each time it is asked.
 */
export function bury(
  store: AccountStore,
  verdict: Verdict | undefined,
  now: number,
): { kind: "buried"; credentialIds: string[] } | { kind: "kept" | "undecided" } {
  const guard = store.guard();
  // The directory has closed the account, even if whoever asked for it never came back to say so.
  if (verdict) admitVerdict(store, guard, verdict, now);
  const { deletion, isBuried, undo, prepared } = guard.life;
  // Somebody may just be keeping it.
  if (prepared) return { kind: "undecided" };
  if (!isBuried && !deletion) return { kind: "kept" };
  // The cron's clock is another one, and may be ahead.
  if (deletion && now < deletion.deletesAt) return { kind: "undecided" };
  guard.life.isBuried = true;
  store.saveGuard(guard);
  const factors = [...confirmedFactors(store), ...(undo?.removed ?? [])];
  const credentialIds = factors.flatMap((factor) => (factor.kind === "passkey" ? [factor.credential.id] : []));
  return { kind: "buried", credentialIds };
}

/** What `bury` has answered is done: the tombstone alone stays. */
export function leaveTombstone(store: AccountStore): void {
  // Only the first time: once it is a tombstone there is no deletion in it any more.
  const isDue = store.guard().life.deletion !== undefined;
  store.clear();
  if (isDue) store.note({ kind: "user_deleted", reason: "deletion_due" }, undefined);
  const guard = store.guard();
  guard.life = { isBuried: true };
  store.saveGuard(guard);
}
