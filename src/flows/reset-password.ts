import type { PreparedReset } from "../account/password-changes.ts";
import type { User } from "../directory/users.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { emailDigest } from "../keys/keyed-digest.ts";
import { seal, unseal } from "../keys/seal.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import { hashPassword } from "../passwords/password-hash.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { visitingBrowser } from "./browsers.ts";
import { forgiveAddress } from "./first-door.ts";
import { withHashPlace } from "./hash-place.ts";
import { type IssuedChallenge, issueChallenge, NOTHING_ASKED, signInTerms } from "./issue.ts";
import { openAccountLink } from "./mailed-links.ts";
import { acceptNewPassword } from "./new-password.ts";
import { tellOwner } from "./notices.ts";
import { changeAccount } from "./two-stores.ts";

/** A new password counts, and nobody is signed in. */
export interface PasswordWasReset {
  kind: "password_reset";
}

/**
 * Sets a new password by a mailed link. Where there is a second factor the hash waits, sealed, in a challenge until the
 * factor is proven. Never opens a session.
 */
export function resetPassword(
  service: Service,
  visit: Visit,
  token: string,
  typedPassword: string,
): Promise<PasswordWasReset | IssuedChallenge | Refusal> {
  return withHashPlace(service, visit, (place) => resetFrom(place, service, visit, token, typedPassword));
}

async function resetFrom(
  place: HashPlace,
  service: Service,
  visit: Visit,
  token: string,
  typedPassword: string,
): Promise<PasswordWasReset | IssuedChallenge | Refusal> {
  const link = await openAccountLink(service, visit, "reset_password", token);
  if (isRefusal(link)) return link;
  const { payload, user, ring, verdict } = link;
  // Bound to the login as it was: a change of password or address in between has made it worthless.
  if (payload.passwordVersion !== user.passwordVersion || user.status !== "active") return { refused: "link_used" };
  const password = await acceptNewPassword(service, user.email, typedPassword);
  if (typeof password !== "string") return password;
  const hash = await place.use(() => hashPassword(ring, password));
  const sealedPassword = await seal(ring.active("seal"), new TextEncoder().encode(hash), contextOf(user));
  const digest = await emailDigest(ring, user.emailKey);
  const terms = signInTerms(service, visit, NOTHING_ASKED, { roles: user.roles, emailDigest: digest });
  const { claim } = await visitingBrowser(service, ring, visit);
  const request = { linkId: payload.id, sealedPassword, terms, claim };
  const opened = await service.account(user.id).openReset(verdict, request);
  if ("refused" in opened) return opened;
  if (opened.kind === "challenge") return issueChallenge(service, visit, user.id, opened);
  return setPassword(service, visit, ring, user, opened);
}

/** The factor that a reset asked for has been proven, and the account is ready for the new password. */
export async function finishReset(
  service: Service,
  visit: Visit,
  ring: KeyRing,
  accountId: string,
  prepared: PreparedReset,
): Promise<PasswordWasReset | Refusal> {
  const user = await service.users.findById(accountId);
  // Another change came first, and the account has heard of it or will.
  if (user?.passwordVersion !== prepared.version - 1) return { refused: "challenge_overtaken" };
  return setPassword(service, visit, ring, user, prepared);
}

/** Hands a prepared password to the directory. */
async function setPassword(
  service: Service,
  visit: Visit,
  ring: KeyRing,
  user: User,
  { sealedPassword, ...prepared }: PreparedReset,
): Promise<PasswordWasReset | Refusal> {
  const hash = await unseal(ring.byId("seal"), sealedPassword, contextOf(user));
  if (!hash) throw new Error("the sealed password of a reset does not open");
  const password = new TextDecoder().decode(hash);
  const changed = await changeAccount(service, visit, user, prepared, {
    write: () => service.userChanges.setPassword(user, password, true),
    isIn: (current) => current.password === password,
  });
  if (isRefusal(changed)) return changed;
  service.waitUntil(forgiveAddress(service, ring, visit, user.emailKey));
  tellOwner(service, visit, user.id, { notice: "password_reset" });
  return { kind: "password_reset" };
}

function contextOf({ id }: User): string {
  return `password-reset:${id}`;
}
