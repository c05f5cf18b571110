import { emailKey } from "../directory/email-key.ts";
import { withoutAddress } from "../gate/subjects.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import { verifyPassword } from "../passwords/password-hash.ts";
import type { ShownPassword } from "../passwords/password-policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { openLink } from "../tokens/one-time-link.ts";
import { confirmEmailChange } from "./change-email.ts";
import { askGates, countAgainstSource, forgiveAddress } from "./first-door.ts";
import { withHashPlace } from "./hash-place.ts";
import { recordCreated } from "./new-account.ts";

/**
 * Finishes a registration, or a change of address: the link proves the mailbox, the password proves that the same person asked. So whoever
 * clicks a stranger's link activates nothing. The insert of the address is what makes the link single-use.
 */
export function verifyEmail(
  service: Service,
  visit: Visit,
  token: string,
  password: ShownPassword,
): Promise<{ kind: "verified" } | Refusal> {
  return withHashPlace(service, visit, (place) => verifyFrom(place, service, visit, token, password));
}

async function verifyFrom(
  place: HashPlace,
  service: Service,
  visit: Visit,
  token: string,
  password: ShownPassword,
): Promise<{ kind: "verified" } | Refusal> {
  const ring = await service.keyRing(visit.now);
  const registration = await openLink(ring, "register", token, visit.now);
  if (registration === "link_forged") {
    const change = await openLink(ring, "change_email", token, visit.now);
    if (typeof change !== "string") return confirmEmailChange(place, service, visit, ring, change, password);
  }
  if (typeof registration === "string") {
    await countAgainstSource(service, visit);
    return { refused: registration };
  }
  const { email, password: hash } = registration;
  const key = emailKey(email) ?? "";
  const admitted = await askGates(service, ring, visit, { emailKey: key, counting: withoutAddress });
  if ("refused" in admitted) return admitted;
  const { right } = await place.use(() => verifyPassword(ring, hash, password));
  if (!right) {
    await admitted.settle("wrong", { reason: "link_wrong_password" });
    return { refused: "link_wrong_password" };
  }
  service.waitUntil(admitted.settle("right"));
  const user = { id: crypto.randomUUID(), email, emailKey: key, password: hash, createdAt: visit.now };
  if (!(await service.users.add(user))) return { refused: "link_used" };
  recordCreated(service, visit, [user.id], "registered");
  // What strangers have tried before there was an account is nothing to whoever has proven the mailbox.
  service.waitUntil(forgiveAddress(service, ring, visit, key));
  return { kind: "verified" };
}
