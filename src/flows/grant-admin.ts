import type { User } from "../directory/users.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { ADMIN_ROLE } from "./admin-access.ts";
import { changeRoles, type Operator } from "./operate-account.ts";
import { userNamed } from "./operated-user.ts";

/** Why an account cannot administer others, in the words of an operation's result. */
export type UnfitForAdmin = "account_not_active" | "email_unverified" | "no_factor_for_admins";

/** What came of a grant or of its end. */
export type GrantOutcome =
  | { kind: "granted" | "revoked"; account: string }
  | { refused: UnfitForAdmin | "already_admin" | "not_an_admin" }
  | Refusal;

/** How a command asks. `isRepeated`: it was begun before, and may have done its work then. */
export interface GrantTerms extends Operator {
  isRepeated: boolean;
}

/**
 * Why somebody cannot administer others, or nothing when he can: the account is active, its mailbox proven, and it has a
 * factor that counts. Without one the role would be worth nothing to its owner, and everything to whoever takes the
 * password and adds a factor of his own.
 */
export async function unfitForAdmin(service: Service, user: User): Promise<UnfitForAdmin | undefined> {
  if (user.status !== "active") return "account_not_active";
  if (!user.emailVerified) return "email_unverified";
  const { factors } = await service.account(user.id).overview();
  const { adminFactor, secondFactor } = service.config;
  const passkeysOnly = adminFactor === "passkey" || secondFactor === "passkey";
  const counts = factors.some(({ kind, suspended }) => !suspended && (kind === "passkey" || !passkeysOnly));
  return counts ? undefined : "no_factor_for_admins";
}

/** Makes somebody an admin, on the word of whoever may insert operations. */
export async function grantAdmin(
  service: Service,
  visit: Visit,
  account: string,
  { actor, isRepeated }: GrantTerms,
): Promise<GrantOutcome> {
  const named = await userNamed(service, account);
  if (isRefusal(named)) return named;
  const { user } = named;
  const granted = { kind: "granted", account: user.id } as const;
  if (user.roles.includes(ADMIN_ROLE)) return isRepeated ? granted : { refused: "already_admin" };
  const unfit = await unfitForAdmin(service, user);
  if (unfit) return { refused: unfit };
  const changed = await changeRoles(service, visit, { actor }, user, [...user.roles, ADMIN_ROLE], "grant_admin");
  return isRefusal(changed) ? changed : granted;
}

/** Takes the role away again, whatever the account is by now. */
export async function revokeAdmin(
  service: Service,
  visit: Visit,
  account: string,
  { actor, isRepeated }: GrantTerms,
): Promise<GrantOutcome> {
  const named = await userNamed(service, account);
  if (isRefusal(named)) return named;
  const { user } = named;
  const revoked = { kind: "revoked", account: user.id } as const;
  if (!user.roles.includes(ADMIN_ROLE)) return isRepeated ? revoked : { refused: "not_an_admin" };
  const others = user.roles.filter((role) => role !== ADMIN_ROLE);
  const changed = await changeRoles(service, visit, { actor }, user, others, "revoke_admin");
  return isRefusal(changed) ? changed : revoked;
}
