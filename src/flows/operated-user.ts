import type { AccountOverview } from "../account/operator-acts.ts";
import { emailKey } from "../directory/email-key.ts";
import type { User } from "../directory/users.ts";
import type { Refusal } from "../refusal.ts";
import type { Service } from "../service.ts";

/** The account of this id. */
export async function userOfId(service: Service, id: string): Promise<{ user: User } | Refusal> {
  const user = await service.users.findById(id);
  return user ? { user } : { refused: "unknown_account" };
}

/** An account as commands name it: by its address or by its id. */
export async function userNamed(service: Service, account: string): Promise<{ user: User } | Refusal> {
  const key = emailKey(account);
  const user = key === undefined ? undefined : await service.users.findByEmailKey(key);
  return user ? { user } : userOfId(service, account);
}

/** What operators see of an account. */
export interface OperatedUser {
  user: User;
  overview: AccountOverview;
}

/** The account of an address, and what its object says of it. */
export async function lookUpUser(service: Service, email: string): Promise<OperatedUser | Refusal> {
  const user = await service.users.findByEmailKey(emailKey(email) ?? "");
  if (!user) return { refused: "unknown_account" };
  return { user, overview: await service.account(user.id).overview() };
}
