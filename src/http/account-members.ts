import type { FactorView } from "../account/factors.ts";
import type { BrowserView, SessionView } from "../account/views.ts";
import type { StoredEvent } from "../events/event-store.ts";
import type { AccountExport } from "../flows/export-account.ts";

/** A moment in JSON: RFC 3339. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}

/** A factor as lists show it. */
export function factorMembers({ id, kind, label, createdAt, lastUsedAt, suspended }: FactorView) {
  const last_used_at = lastUsedAt === undefined ? null : rfc3339(lastUsedAt);
  return { id, kind, label, created_at: rfc3339(createdAt), last_used_at, ...(suspended ? { suspended } : {}) };
}

/** A session as lists show it. */
export function sessionMembers({ id, createdAt, lastUsedAt, expiresAt, userAgent, current }: SessionView) {
  return {
    id,
    created_at: rfc3339(createdAt),
    last_used_at: rfc3339(lastUsedAt),
    expires_at: rfc3339(expiresAt),
    user_agent: userAgent,
    current,
  };
}

/** A recognised browser as lists show it. */
export function browserMembers({ id, userAgent, createdAt, lastUsedAt, trustedUntil, current }: BrowserView) {
  return {
    id,
    user_agent: userAgent,
    created_at: rfc3339(createdAt),
    last_used_at: rfc3339(lastUsedAt),
    trusted_until: trustedUntil === undefined ? null : rfc3339(trustedUntil),
    current,
  };
}

/**
 * An event as the owner of the account sees it: what it was, when, and roughly where from. Neither digests nor what an
 * operator's event says of the operator.
 */
export function activityMembers(event: StoredEvent, currentSession: string) {
  const { id, at, kind, factor, reason, country, source, session, actor } = event;
  const where = actor === undefined ? { country, network: source } : {};
  const named = { factor, reason, ...where, session_id: session };
  const present = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
  return { id, at: rfc3339(at), kind, ...present, ...(session === currentSession ? { current: true } : {}) };
}

/** That somebody waits to have every factor removed, wherever it is to be said; nothing while nobody does. */
export function recoveryMembers({ recovery }: { recovery?: { finishAfter: number } }) {
  return recovery ? { recovery: { finish_after: rfc3339(recovery.finishAfter) } } : {};
}

/** What is stored about an account. */
export function exportMembers({ user, ...copy }: AccountExport) {
  const { id, email, emailVerified, status, roles, createdAt } = user;
  return {
    account: { id, email, email_verified: emailVerified, status, roles, created_at: rfc3339(createdAt) },
    factors: copy.factors.map(factorMembers),
    recovery_codes_remaining: copy.recoveryCodesRemaining,
    sessions: copy.sessions.map(sessionMembers),
    browsers: copy.browsers.map(browserMembers),
    ...recoveryMembers(copy),
  };
}
