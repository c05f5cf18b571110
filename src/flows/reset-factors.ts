import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { releasePasskeys } from "./change-factors.ts";
import { verdictOn } from "./mailed-links.ts";
import { tellOwner } from "./notices.ts";
import { actOf, type Operator } from "./operate-account.ts";

/** A request of operators. Which of them have asked is known by the time it is executed. */
export interface ResetRequest extends Operator {
  id: string;
  /** Whoever asked first, where the actor has approved it. */
  requestedBy?: string;
}

/**
 * Removes every factor of an account on the word of operators: everybody is signed out, and the next sign-in adds one.
 * Whether one operator is enough has been asked before. The same request once more changes nothing.
 */
export async function resetFactors(
  service: Service,
  visit: Visit,
  accountId: string,
  { id, requestedBy, ...operator }: ResetRequest,
): Promise<{ kind: "factors_removed" } | Refusal> {
  const [ring, user] = await Promise.all([service.keyRing(visit.now), service.users.findById(accountId)]);
  if (!user) return { refused: "unknown_account" };
  const about = requestedBy === undefined ? undefined : { requested_by: requestedBy };
  const act = actOf(operator, visit, "reset_factors", about);
  const removed = await service.account(accountId).resetFactors(verdictOn(user, ring, visit), id, act);
  if (isRefusal(removed)) return removed;
  await releasePasskeys(service, visit, accountId, removed.credentialIds);
  // Where the operator was is not for the owner to know.
  const occasion = { at: visit.now, userAgent: "" };
  tellOwner(service, visit, accountId, { notice: "factors_removed", by: "operator" }, occasion);
  return { kind: "factors_removed" };
}
