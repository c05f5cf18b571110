import { EMAIL_CHANGE_LINK_TTL_MS } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { AccountStore } from "./account-store.ts";
import { admitVerdict, type Prepared, prepareChange, type Verdict } from "./changes.ts";
import { closeUndo } from "./email-undo.ts";
import { mayDo, type SessionBearer } from "./factor-changes.ts";
import { isAwaited, isUndoOpen, type Life } from "./life.ts";

/** Makes the link to a new address the newest one. Nothing changes before it comes back. */
export function awaitEmailChange(
  store: AccountStore,
  bearer: SessionBearer,
  linkId: string,
  now: number,
): { kind: "awaited" } | Refusal {
  const guard = store.guard();
  const session = mayDo(store, guard, "change_email", bearer, now);
  if (isRefusal(session)) return session;
  // A second change would leave the first owner with nothing to take back.
  if (isUndoOpen(guard.life, now)) return { refused: "undo_open" };
  guard.life.emailChange = { id: linkId, expiresAt: now + EMAIL_CHANGE_LINK_TTL_MS };
  store.note({ kind: "user_updated", reason: "email_change_asked", session: session.id }, bearer.from);
  store.saveGuard(guard);
  return { kind: "awaited" };
}

/** The link to the new address came back with the account's password. */
export function prepareEmailChange(
  store: AccountStore,
  verdict: Verdict,
  linkId: string,
  now: number,
): Prepared | Refusal {
  const isDue = ({ emailChange }: Life) => isAwaited(emailChange, linkId, now);
  // One name for the change and its undo: whichever of several requests makes it, the link that takes it back is the same.
  const change = { kind: "email", undoId: linkId } as const;
  return prepareChange(store, store.guard(), verdict, { name: `email:${linkId}`, change, isDue }, now);
}

/** The old address takes the change back: by the link of the undo, or by one that was mailed there before. */
export function prepareEmailUndo(
  store: AccountStore,
  verdict: Verdict,
  undoId: string | undefined,
  now: number,
): Prepared | Refusal {
  const isDue = (life: Life) => isUndoOpen(life, now) && (undoId === undefined || life.undo?.id === undoId);
  const change = { kind: "email_undo" } as const;
  return prepareChange(store, store.guard(), verdict, { name: "undo", change, isDue }, now);
}

/** "This was not me": somebody who reads the mailbox says so about something that happened at `since`. */
export function prepareFreeze(store: AccountStore, verdict: Verdict, since: number, now: number): Prepared | Refusal {
  const isDue = ({ settledAt = 0 }: Life) => since >= settledAt;
  const change = { kind: "freeze", since } as const;
  return prepareChange(store, store.guard(), verdict, { name: `freeze:${since}`, change, isDue }, now);
}

/** Once an email change cannot be taken back any more, what was kept for that goes. Answers which passkeys are free now. */
export function lapseUndo(
  store: AccountStore,
  verdict: Verdict,
  now: number,
): { kind: "lapsed"; credentialIds: string[] } | { kind: "undecided" } {
  const guard = store.guard();
  admitVerdict(store, guard, verdict, now);
  if (guard.life.prepared || isUndoOpen(guard.life, now)) return { kind: "undecided" };
  const credentialIds = closeUndo(store, guard);
  store.saveGuard(guard);
  return { kind: "lapsed", credentialIds };
}
