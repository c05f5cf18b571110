import { emailKey } from "../directory/email-key.ts";
import { frozenPassword, isClosed } from "../passwords/password-hash.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { restoreAddress } from "./change-email.ts";
import { type OpenedLink, openAccountLink } from "./mailed-links.ts";
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
  // The account has moved on from this mailbox: what its reader wants back first is the address.
  if (payload.email !== user.email) return takeBackAddress(service, visit, link);
  const prepared = await service.account(user.id).prepareFreeze(verdict, payload.at);
  const changed = await changeAccount(service, visit, user, prepared, {
    write: () => service.userChanges.freeze(user, frozenPassword(user.password)),
    isIn: ({ password }) => isClosed(password),
  });
  if (isRefusal(changed)) return changed;
  tellOwner(service, visit, user.id, { notice: "account_frozen" });
  return { kind: "frozen" };
}

async function takeBackAddress(
  service: Service,
  visit: Visit,
  { payload, user, verdict }: OpenedLink<"freeze">,
): Promise<{ kind: "frozen" } | Refusal> {
  // Not every mailbox that the account ever had: the one that can still take it back.
  const keptFor = await service.users.keptFor(emailKey(payload.email) ?? "", visit.now);
  if (keptFor !== user.id) return { refused: "link_used" };
  const prepared = await service.account(user.id).prepareEmailUndo(verdict, undefined);
  const restored = await restoreAddress(service, visit, user, prepared, payload.email);
  return isRefusal(restored) ? restored : { kind: "frozen" };
}
