import type { Circumstances, EventKind, Occurrence } from "../events/security-event.ts";
import { CHALLENGE_TTL_MS } from "../policy.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import type { Challenge } from "./challenges.ts";
import type { Change } from "./changes.ts";
import { isProofMode, type Streaks } from "./proof-mode.ts";

/** What a session was opened with. */
export interface OpenedSession {
  sessionId: string;
  factor: NonNullable<Occurrence["factor"]>;
  /** Keyed digest of the address; empty where a passkey named none. */
  emailDigest: string;
  /** Whether wrong second factors came before it. */
  afterFailures: boolean;
  reason?: "trusted_browser" | undefined;
  from: Circumstances | undefined;
}

/** Records that somebody is signed in. */
export function recordSignIn(store: AccountStore, opened: OpenedSession): void {
  const { sessionId: session, factor, emailDigest, afterFailures, reason, from } = opened;
  const kind = afterFailures ? "authn_login_successafterfail" : "authn_login_success";
  store.note({ kind, factor, session, ...addressOf(emailDigest), ...(reason ? { reason } : {}) }, from);
}

/** Whether wrong second factors of the account are remembered that no complete sign-in has come after. */
export function hasFailures({ failures, byMethod }: Streaks): boolean {
  return failures > 0 || Object.values(byMethod).some((count) => count > 0);
}

/** The member `address` of an event, where an address was named. */
export function addressOf(emailDigest: string): { address?: string } {
  return emailDigest === "" ? {} : { address: emailDigest };
}

/** Records that a first door was opened, by a password or by a mailed link. A session's own challenge opens none. */
export function recordFirstDoor(store: AccountStore, { purpose, terms, from }: Challenge): void {
  if (purpose !== "login" && purpose !== "password_reset") return;
  const opened = { login: { reason: "challenge", factor: "pwd" }, password_reset: RESET_CHALLENGE } as const;
  store.note({ kind: "authn_token_created", ...opened[purpose], ...addressOf(terms.emailDigest) }, from);
}

const RESET_CHALLENGE = { reason: "reset_challenge", factor: "mail_link" } as const;

/**
 * Counts challenges that strangers have left without a right answer. One that was never answered at all is an event of
 * whoever opened it: somebody has the password and no factor. The guard is left to be saved.
 */
export function countAbandoned(store: AccountStore, guard: Guard, abandoned: Challenge[]): void {
  for (const { attempts, from, expiresAt, terms } of abandoned) {
    if (attempts > 0) continue;
    const about = { opened: expiresAt - CHALLENGE_TTL_MS };
    const reason = "challenge_abandoned";
    store.note({ kind: "authn_login_fail", reason, ...addressOf(terms.emailDigest), about }, from);
  }
  const after = { ...guard.streaks, abandoned: guard.streaks.abandoned + abandoned.length };
  changeStreaks(store, guard, after, abandoned.at(-1)?.from);
}

/** Takes new streaks. With some of them proof mode begins, which is an event. The guard is left to be saved. */
export function changeStreaks(
  store: AccountStore,
  guard: Guard,
  streaks: Streaks,
  from: Circumstances | undefined,
): void {
  const begins = isProofMode(streaks) && !isProofMode(guard.streaks);
  if (begins) store.note({ kind: "authn_login_lock", reason: "proof_mode" }, from);
  guard.streaks = streaks;
}

/** Each change in two stores: how its steps are named, and what it is when it is made. */
const CHANGES: Record<Exclude<Change["kind"], "password">, { name: string; kind: EventKind; reason: string }> = {
  email: { name: "email_change", kind: "user_updated", reason: "email_changed" },
  email_undo: { name: "email_undo", kind: "user_updated", reason: "email_restored" },
  freeze: { name: "freeze", kind: "authn_login_lock", reason: "account_frozen" },
  deletion: { name: "deletion", kind: "user_archived", reason: "deletion_scheduled" },
  status: { name: "status", kind: "user_updated", reason: "status_changed" },
  roles: { name: "roles", kind: "privilege_permissions_changed", reason: "roles_changed" },
  deletion_cancel: { name: "deletion_cancel", kind: "user_updated", reason: "deletion_cancelled" },
};
const RESET = { name: "password_reset", kind: "authn_password_change", reason: "password_reset" } as const;
const CHANGED = { name: "password_change", kind: "authn_password_change", reason: "password_changed" } as const;

/**
 * Records a step of a change in two stores: `prepared`, when everybody is signed out for it; then `made`, or `abandoned`
 * where the directory has not taken it.
 */
export function recordChange(
  store: AccountStore,
  step: "prepared" | "made" | "abandoned",
  { change, factor, from }: { change: Change; factor?: Occurrence["factor"]; from?: Circumstances | undefined },
): void {
  const session = change.kind === "password" ? change.continues?.id : undefined;
  const { name, kind, reason } = change.kind !== "password" ? CHANGES[change.kind] : session ? CHANGED : RESET;
  const what = step === "made" ? { kind, reason } : ({ kind: "sensitive_update", reason: `${name}_${step}` } as const);
  store.note({ ...what, ...(factor ? { factor } : {}), ...(session ? { session } : {}) }, from);
}
