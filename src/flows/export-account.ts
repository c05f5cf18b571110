import type { AccountCopy } from "../account/views.ts";
import type { User } from "../directory/users.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { visitingBrowser } from "./browsers.ts";
import { proofOf } from "./change-factors.ts";

/** What is stored about an account, without anything that opens it. */
export interface AccountExport extends AccountCopy {
  user: Omit<User, "password" | "passwordVersion" | "emailKey">;
}

/** Everything the service knows about who is signed in. */
export async function exportAccount(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
): Promise<AccountExport | Refusal> {
  const { accountId } = bearer;
  const ring = await service.keyRing(visit.now);
  const { claim } = await visitingBrowser(service, ring, visit);
  const [found, copy] = await Promise.all([
    service.users.findById(accountId),
    service.account(accountId).copy(proofOf(bearer, visit), claim),
  ]);
  if ("refused" in copy) return copy;
  if (found?.status !== "active") return { refused: "session_ended" };
  const { password: _p, passwordVersion: _v, emailKey: _k, ...user } = found;
  return { ...copy, user };
}
