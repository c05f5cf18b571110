import type { User } from "../directory/users.ts";
import { securityEvent } from "../events/security-event.ts";
import { APPROVAL_TTL_MS } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { Operator } from "./operate-account.ts";
import { resetFactors } from "./reset-factors.ts";

/** A reset that waits for somebody else, until then (epoch milliseconds). */
export interface ApprovalRequired {
  kind: "approval_required";
  operationId: string;
  expiresAt: number;
}

/**
 * Removes every factor of an account on the word of an admin. Where two persons are demanded the first one's word waits,
 * in the same table as that of an operator's command, and the word of another one carries it out.
 */
export async function resetByAdmin(
  service: Service,
  visit: Visit,
  operator: Operator,
  user: User,
): Promise<{ kind: "factors_removed" } | ApprovalRequired | Refusal> {
  if (!service.config.twoPersonReset) {
    return resetFactors(service, visit, user.id, { id: crypto.randomUUID(), ...operator });
  }
  const { now } = visit;
  const asked = { names: namesOf(user), by: operator.actor, askedAfter: now - APPROVAL_TTL_MS };
  const id = crypto.randomUUID();
  if (await service.operations.askReset({ ...asked, id, now })) {
    const about = { operation: id };
    const occurrence = { kind: "authz_admin", account: user.id, actor: operator.actor, about } as const;
    await service.events.add([securityEvent({ ...occurrence, reason: "reset_factors_requested" }, visit.from, now)]);
    return waiting(id, now);
  }
  const open = await service.operations.waitingReset(asked);
  // Approved or lapsed in this very moment: whoever asks again hears what became of it.
  if (!open) return { refused: "account_changed" };
  if (open.requestedBy === operator.actor) return waiting(open.id, open.requestedAt);
  if (!(await service.operations.approveReset(open.id, operator.actor, asked.askedAfter, now))) {
    return { refused: "account_changed" };
  }
  const request = { id: open.id, requestedBy: open.requestedBy, ...operator };
  const result = await resetFactors(service, visit, user.id, request);
  // One that was refused for now or broke off is carried out by the cron, which knows it by the same id.
  if (!isRefusal(result)) await service.operations.finish(open.id, result, now);
  return result;
}

function waiting(operationId: string, askedAt: number): ApprovalRequired {
  return { kind: "approval_required", operationId, expiresAt: askedAt + APPROVAL_TTL_MS };
}

/** An operator's command may have named the account by its address. */
function namesOf({ id, email, emailKey }: User): [string, ...string[]] {
  return [id, email, emailKey];
}
