import { deletionScheduled } from "../mail/messages.ts";
import { DELETION_DELAY_MS } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { proofOf, releasePasskeys } from "./change-factors.ts";
import { mailedLink, openAccountLink, verdictOn } from "./mailed-links.ts";
import { tellOwner } from "./notices.ts";
import { changeAccount } from "./two-stores.ts";

/** Closes the account of who is signed in: at once for everybody, and for good when its time to be kept has passed. */
export async function scheduleDeletion(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
): Promise<{ kind: "deletion_scheduled"; deletesAt: number } | Refusal> {
  const { accountId } = bearer;
  const [ring, user] = await Promise.all([service.keyRing(visit.now), service.users.findById(accountId)]);
  if (user?.status !== "active") return { refused: "session_ended" };
  const id = crypto.randomUUID();
  const deletesAt = visit.now + DELETION_DELAY_MS;
  const account = service.account(accountId);
  const prepared = await account.prepareDeletion(proofOf(bearer, visit), verdictOn(user, ring, visit), {
    id,
    deletesAt,
  });
  const changed = await changeAccount(service, visit, user, prepared, {
    write: () => service.userChanges.close(user, deletesAt),
    isIn: ({ status }) => status === "closed",
  });
  if (isRefusal(changed)) return changed;
  const link = await mailedLink(service, ring, "deletion_cancel", { accountId, id }, deletesAt);
  service.sendLater(deletionScheduled(service.config.appName, user.email, deletesAt, link));
  return { kind: "deletion_scheduled", deletesAt };
}

/** Keeps an account that was to be deleted. Nobody is signed in by it. */
export async function cancelDeletion(
  service: Service,
  visit: Visit,
  token: string,
): Promise<{ kind: "deletion_cancelled" } | Refusal> {
  const link = await openAccountLink(service, visit, "deletion_cancel", token);
  if (isRefusal(link)) return link;
  const { payload, user, verdict } = link;
  const prepared = await service.account(user.id).prepareDeletionCancel(verdict, payload.id);
  const changed = await changeAccount(service, visit, user, prepared, {
    write: () => service.userChanges.reopen(user),
    isIn: ({ status }) => status === "active",
  });
  if (isRefusal(changed)) return changed;
  tellOwner(service, visit, user.id, { notice: "deletion_cancelled" });
  return { kind: "deletion_cancelled" };
}

/**
 * Deletes an account whose time is up. From its first step on the account is no more, and each step can be repeated: the
 * object opens nothing, the directory forgets, and a tombstone stays.
 */
export async function deleteDue(
  service: Service,
  visit: Visit,
  accountId: string,
): Promise<"buried" | "kept" | "undecided"> {
  const account = service.account(accountId);
  const [ring, user] = await Promise.all([service.keyRing(visit.now), service.users.findById(accountId)]);
  const buried = await account.bury(user && verdictOn(user, ring, visit));
  if (buried.kind !== "buried") return buried.kind;
  await releasePasskeys(service, visit, accountId, buried.credentialIds);
  await service.userChanges.remove(accountId);
  await account.leaveTombstone();
  return "buried";
}
