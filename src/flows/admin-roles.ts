import type { User } from "../directory/users.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { ADMIN_ROLE } from "./admin-access.ts";
import { unfitForAdmin } from "./grant-admin.ts";
import { changeRoles, type Operator } from "./operate-account.ts";

/** Gives an account other roles on the word of an admin. The role of an admin needs what the command that grants it needs. */
export async function rolesByAdmin(
  service: Service,
  visit: Visit,
  operator: Operator,
  user: User,
  roles: string[],
): Promise<{ kind: "roles_changed"; roles: string[] } | Refusal> {
  const becomesAdmin = roles.includes(ADMIN_ROLE) && !user.roles.includes(ADMIN_ROLE);
  if (becomesAdmin && (await unfitForAdmin(service, user))) return { refused: "unfit_for_admin" };
  return changeRoles(service, visit, operator, user, roles);
}
