import type { OperatorAct } from "../account/operator-acts.ts";
import type { User } from "../directory/users.ts";
import { logLine } from "../log.ts";
import { noticeByOperator, type OperatorNotice } from "../mail/operator-notices.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { verdictOn } from "./mailed-links.ts";
import { changeAccount, type DirectoryChange } from "./two-stores.ts";
import { unlockGates } from "./unlock-gates.ts";

/** Who operates: an account id, or the name that was given to a command. */
export interface Operator {
  actor: string;
}

/** What an operator does to an account, for its record. */
export function actOf({ actor }: Operator, { from }: Visit, reason: string, about?: OperatorAct["about"]): OperatorAct {
  return { actor, reason, from, ...(about ? { about } : {}) };
}

/** Closes the way in, whatever is shown, and signs everybody out. Links that were mailed open nothing either. */
export async function disableAccount(
  service: Service,
  visit: Visit,
  operator: Operator,
  user: User,
): Promise<{ kind: "disabled" } | Refusal> {
  if (user.status !== "active") return { refused: "account_not_active_now" };
  const act = actOf(operator, visit, "disable");
  const changed = await change(service, visit, user, "status", act, {
    write: () => service.userChanges.setDisabled(user, true),
    isIn: ({ status }) => status === "disabled",
  });
  if (isRefusal(changed)) return changed;
  tell(service, user, { notice: "account_disabled" });
  return { kind: "disabled" };
}

/** Opens it again. */
export async function enableAccount(
  service: Service,
  visit: Visit,
  operator: Operator,
  user: User,
): Promise<{ kind: "enabled" } | Refusal> {
  if (user.status !== "disabled") return { refused: "account_not_disabled" };
  const act = actOf(operator, visit, "enable");
  const changed = await change(service, visit, user, "status", act, {
    write: () => service.userChanges.setDisabled(user, false),
    isIn: ({ status }) => status === "active",
  });
  if (isRefusal(changed)) return changed;
  tell(service, user, { notice: "account_enabled" });
  return { kind: "enabled" };
}

/**
 * Gives an account other roles and signs everybody out, so that no session goes on with the copy that it has. `reason`
 * is what the record calls it.
 */
export async function changeRoles(
  service: Service,
  visit: Visit,
  operator: Operator,
  user: User,
  roles: string[],
  reason = "roles",
): Promise<{ kind: "roles_changed"; roles: string[] } | Refusal> {
  const about = { before: user.roles.join(" "), roles: roles.join(" ") };
  const act = actOf(operator, visit, reason, about);
  const changed = await change(service, visit, user, "roles", act, {
    write: () => service.userChanges.setRoles(user, roles),
    isIn: (current) => JSON.stringify(current.roles) === JSON.stringify(roles),
  });
  if (isRefusal(changed)) return changed;
  tell(service, user, { notice: "roles_changed", roles });
  return { kind: "roles_changed", roles };
}

/** Ends every session of an account. */
export async function signOut(
  service: Service,
  visit: Visit,
  operator: Operator,
  user: User,
): Promise<{ kind: "signed_out" }> {
  await service.account(user.id).signOutEverybody(actOf(operator, visit, "sign_out"));
  return { kind: "signed_out" };
}

/** Forgives what was tried against an account: its gates first, since the account records that it is done. */
export async function unlock(
  service: Service,
  visit: Visit,
  operator: Operator,
  user: User,
): Promise<{ kind: "unlocked" }> {
  await unlockGates(service, visit, user);
  await service.account(user.id).unlock(actOf(operator, visit, "unlock"));
  return { kind: "unlocked" };
}

/** Three steps (docs/decisions/0008). That the account has moved on meanwhile is a conflict, and no fault of a link. */
async function change(
  service: Service,
  visit: Visit,
  user: User,
  kind: "status" | "roles",
  act: OperatorAct,
  directoryChange: DirectoryChange,
): Promise<{ kind: "changed" } | Refusal> {
  const ring = await service.keyRing(visit.now);
  const prepared = await service.account(user.id).prepareByOperator(verdictOn(user, ring, visit), kind, act);
  const changed = await changeAccount(service, visit, user, prepared, directoryChange);
  if (!isRefusal(changed)) return { kind: "changed" };
  return changed.refused === "link_used" ? { refused: "account_changed" } : changed;
}

function tell(service: Service, { id, email }: User, notice: OperatorNotice): void {
  logLine({ event: notice.notice, account: id });
  service.sendLater(noticeByOperator(service.config.appName, email, notice));
}
