import { frozenPassword, isClosed } from "../passwords/password-hash.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { openAccountLink } from "./mailed-links.ts";
import { tellOwner } from "./notices.ts";
import { changeAccount } from "./two-stores.ts";

/**
 * "This was not me": whoever reads the mailbox stops whatever is going on. Everybody is signed out, and no password works
 * until it is reset, with the second factor where there is one.
 */
export async function freezeAccount(
  service: Service,
  visit: Visit,
  token: string,
): Promise<{ kind: "frozen" } | Refusal> {
  const link = await openAccountLink(service, visit, "freeze", token);
  if (isRefusal(link)) return link;
  const { payload, user, verdict } = link;
  const prepared = await service.account(user.id).prepareFreeze(verdict, payload.at);
  const changed = await changeAccount(service, visit, user, prepared, {
    write: () => service.userChanges.freeze(user, frozenPassword(user.password)),
    isIn: ({ password }) => isClosed(password),
  });
  if (isRefusal(changed)) return changed;
  tellOwner(service, visit, user.id, { notice: "account_frozen" });
  return { kind: "frozen" };
}
