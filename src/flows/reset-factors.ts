import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { releasePasskeys } from "./change-factors.ts";
import { verdictOn } from "./mailed-links.ts";
import { tellOwner } from "./notices.ts";

/**
 * Removes every factor of an account on the word of operators: everybody is signed out, and the next sign-in adds one.
 * Whether one operator is enough has been asked before. The same request once more changes nothing.
 */
export async function resetFactors(
  service: Service,
  visit: Visit,
  accountId: string,
  requestId: string,
): Promise<{ kind: "factors_removed" } | Refusal> {
  const [ring, user] = await Promise.all([service.keyRing(visit.now), service.users.findById(accountId)]);
  if (!user) return { refused: "unknown_email" };
  const removed = await service.account(accountId).resetFactors(verdictOn(user, ring, visit), requestId);
  if (isRefusal(removed)) return removed;
  await releasePasskeys(service, visit, accountId, removed.credentialIds);
  tellOwner(service, visit, accountId, { notice: "factors_removed", by: "operator" });
  return { kind: "factors_removed" };
}
