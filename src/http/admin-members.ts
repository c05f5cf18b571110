import type { Alert } from "../events/alert.ts";
import type { StoredEvent } from "../events/event-store.ts";
import type { KeyAnswer } from "../flows/admin-keys.ts";
import type { ApprovalRequired } from "../flows/admin-resets.ts";
import type { OperatedUser } from "../flows/operated-user.ts";
import { factorMembers, recoveryMembers, rfc3339 } from "./account-members.ts";

/** An event as lists, streams and exports show it. */
export function eventMembers({ seq, id, at, kind, ...rest }: StoredEvent) {
  return { seq, id, at: rfc3339(at), kind, ...rest };
}

/** An alert as lists show it. */
export function alertMembers({ openedAt, firstAt, lastAt, ...rest }: Alert) {
  return { ...rest, opened_at: rfc3339(openedAt), first_at: rfc3339(firstAt), last_at: rfc3339(lastAt) };
}

/** An account as operators see it. */
export function userMembers({ user, overview }: OperatedUser) {
  const { id, email, emailVerified, status, roles, createdAt } = user;
  return {
    id,
    email,
    email_verified: emailVerified,
    status,
    roles,
    created_at: rfc3339(createdAt),
    factors: overview.factors.map(factorMembers),
    recovery_codes_remaining: overview.recoveryCodesRemaining,
    sessions: overview.sessions,
    asks_for_proof: overview.asksForProof,
    closed_methods: overview.closedMethods,
    ...recoveryMembers(overview),
  };
}

/** What keys there are, or what came of a change. */
export function keyMembers(answer: KeyAnswer) {
  switch (answer.kind) {
    case "keys": {
      const { kind: _, not_before, keys, ...ring } = answer;
      const listed = keys.map(({ since, changes_at, ...key }) => ({
        ...key,
        since: rfc3339(since),
        changes_at: changes_at === null ? null : rfc3339(changes_at),
      }));
      return { ...ring, not_before: not_before === 0 ? null : rfc3339(not_before), keys: listed };
    }
    case "rewrapped":
      return { status: answer.kind, version: answer.version };
    default: {
      const { kind: status, at, ...rest } = answer;
      return { status, ...rest, at: rfc3339(at) };
    }
  }
}

/** A reset that waits for somebody else's word. */
export function approvalMembers({ kind, operationId, expiresAt }: ApprovalRequired) {
  return { status: kind, operation_id: operationId, expires_at: rfc3339(expiresAt) };
}
