import type { Prepared } from "../account/changes.ts";
import type { User } from "../directory/users.ts";
import { logLine } from "../log.ts";
import { PREPARED_CHANGE_DEADLINE_MS } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";

/** The second step of a change. */
export interface DirectoryChange {
  /** One guarded statement. False when it was not to be. */
  write(): Promise<boolean>;
  /** Whether a user is as this change leaves it; asked when the directory's answer was lost. */
  isIn(user: User): boolean;
}

/**
 * Second step of a change in two stores (docs/architecture.md): the directory, after the account object is prepared. Of
 * several requests that ask for one change the directory takes the first. A request that dies on the way leaves the
 * account as before or as after, and everybody signed out.
 */
export async function makeChange(
  service: Service,
  visit: Visit,
  user: User,
  prepared: Omit<Prepared, "kind"> | Refusal,
  change: DirectoryChange,
): Promise<{ key: string } | Refusal> {
  if (isRefusal(prepared)) return prepared;
  // By then the account may have given the change up; it does so by itself.
  if (Date.now() >= visit.now + PREPARED_CHANGE_DEADLINE_MS) return { refused: "request_too_slow" };
  if (await wasWritten(service, user, change)) return prepared;
  const current = await service.users.findById(user.id);
  if (current?.passwordVersion === user.passwordVersion) await service.account(user.id).abandon(prepared.key);
  return { refused: "link_used" };
}

/** The statement may have done its work although its answer never came. */
async function wasWritten(service: Service, { id, passwordVersion }: User, change: DirectoryChange): Promise<boolean> {
  try {
    return await change.write();
  } catch (error) {
    const current = await service.users.findById(id);
    if (current?.passwordVersion === passwordVersion + 1 && change.isIn(current)) return true;
    throw error;
  }
}

/** The same, and tells the account object at the end. Answers which passkeys are free now. */
export async function changeAccount(
  ...[service, visit, user, prepared, change]: Parameters<typeof makeChange>
): Promise<{ kind: "changed"; credentialIds: string[] } | Refusal> {
  const made = await makeChange(service, visit, user, prepared, change);
  if (isRefusal(made)) return made;
  try {
    const { credentialIds } = await service.account(user.id).commit(made.key);
    return { kind: "changed", credentialIds };
  } catch (error) {
    // The change is made, and the account finds out by itself when it hears from the directory next.
    logLine({ level: "error", event: "commit_failed", account: user.id, error: String(error) });
    return { kind: "changed", credentialIds: [] };
  }
}
