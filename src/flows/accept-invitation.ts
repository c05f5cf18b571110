import { emailKey } from "../directory/email-key.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import { hashPassword } from "../passwords/password-hash.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { openLink } from "../tokens/one-time-link.ts";
import { countAgainstSource } from "./first-door.ts";
import { withHashPlace } from "./hash-place.ts";
import { recordCreated } from "./new-account.ts";
import { acceptNewPassword } from "./new-password.ts";

/**
 * Makes the account that an invitation promised, whatever `REGISTRATION` says by now: the link proves the mailbox, and
 * the password is chosen here. The insert of the address is what makes the link single-use, and any other link to the
 * same address with it.
 */
export function acceptInvitation(
  service: Service,
  visit: Visit,
  token: string,
  typedPassword: string,
): Promise<{ kind: "verified" } | Refusal> {
  return withHashPlace(service, visit, (place) => acceptFrom(place, service, visit, token, typedPassword));
}

async function acceptFrom(
  place: HashPlace,
  service: Service,
  visit: Visit,
  token: string,
  typedPassword: string,
): Promise<{ kind: "verified" } | Refusal> {
  const ring = await service.keyRing(visit.now);
  const invitation = await openLink(ring, "invitation", token, visit.now);
  if (typeof invitation === "string") {
    await countAgainstSource(service, visit);
    return { refused: invitation };
  }
  const { email } = invitation;
  const key = emailKey(email) ?? "";
  // Saves the hash, and lets a used link answer alike whatever the password. What decides is the insert.
  if (await service.users.isTaken(key, visit.now)) return { refused: "link_used" };
  const password = await acceptNewPassword(service, email, typedPassword);
  if (typeof password !== "string") return password;
  const hash = await place.use(() => hashPassword(ring, password));
  const user = { id: crypto.randomUUID(), email, emailKey: key, password: hash, createdAt: visit.now };
  if (!(await service.users.add(user))) return { refused: "link_used" };
  recordCreated(service, visit, [user.id], "invited");
  return { kind: "verified" };
}
