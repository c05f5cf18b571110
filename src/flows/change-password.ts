import { type HashPlace, letOthersIn } from "../passwords/hash-places.ts";
import { hashPassword, NO_PASSWORD, verifyPassword } from "../passwords/password-hash.ts";
import type { ShownPassword } from "../passwords/password-policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { proofOf } from "./change-factors.ts";
import { withHashPlace } from "./hash-place.ts";
import { type IssuedTokens, issueTokens } from "./issue.ts";
import { verdictOn } from "./mailed-links.ts";
import { acceptNewPassword } from "./new-password.ts";
import { tellOwner } from "./notices.ts";
import { makeChange } from "./two-stores.ts";

/** A change of password; the new one as it was typed. */
export interface PasswordChange {
  current: ShownPassword;
  typedNew: string;
}

/** Changes the password of who is signed in and has proven it a moment ago. That session goes on, every other one ends. */
export function changePassword(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
  change: PasswordChange,
): Promise<IssuedTokens | Refusal> {
  return withHashPlace(service, visit, (place) => changeFrom(place, service, visit, bearer, change));
}

async function changeFrom(
  place: HashPlace,
  service: Service,
  visit: Visit,
  bearer: AccessToken,
  { current, typedNew }: PasswordChange,
): Promise<IssuedTokens | Refusal> {
  const { accountId } = bearer;
  const account = service.account(accountId);
  const [ring, user] = await Promise.all([service.keyRing(visit.now), service.users.findById(accountId)]);
  if (user?.status !== "active") return { refused: "session_ended" };
  const password = await acceptNewPassword(service, user.email, typedNew);
  if (typeof password !== "string") return password;
  const reserved = await account.reservePasswordChange(proofOf(bearer, visit));
  if ("refused" in reserved) return reserved;
  const { right, hash } = await place.use(async () => {
    const verified = await verifyPassword(ring, user.password, current);
    if (!verified.right) return { right: false, hash: NO_PASSWORD };
    await letOthersIn();
    return { right: true, hash: await hashPassword(ring, password) };
  });
  const prepared = await account.preparePasswordChange(proofOf(bearer, visit), {
    ...verdictOn(user, ring, visit),
    right,
  });
  const made = await makeChange(service, visit, user, prepared, {
    write: () => service.userChanges.setPassword(user, hash, false),
    isIn: (after) => after.password === hash,
  });
  if (isRefusal(made)) return made;
  tellOwner(service, visit, accountId, { notice: "password_changed" });
  const grant = await account.commitPasswordChange(made.key);
  if ("refused" in grant) return grant;
  // For whom the token at hand was: what the sign-in was for may demand more by now.
  return issueTokens(service, visit, accountId, { ...grant, audience: service.config.issuer });
}
