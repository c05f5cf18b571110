import { emailKey } from "../directory/email-key.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import { verifyPassword } from "../passwords/password-hash.ts";
import { HASH_RETRY_AFTER_SECONDS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { openLink } from "../tokens/one-time-link.ts";
import { askGates, countAgainstSource } from "./first-door.ts";

/**
 * Finishes a registration: the link proves the mailbox, the password proves that the same person asked. So whoever
 * clicks a stranger's link activates nothing. The insert of the address is what makes the link single-use.
 */
export async function verifyEmail(
  service: Service,
  visit: Visit,
  token: string,
  password: string,
): Promise<{ kind: "verified" } | Refusal> {
  const place = service.takeHashPlace();
  if (!place) return { refused: "no_hash_place", retryAfterSeconds: HASH_RETRY_AFTER_SECONDS };
  try {
    return await verifyFrom(place, service, visit, token, password);
  } finally {
    place.giveBack();
  }
}

async function verifyFrom(
  place: HashPlace,
  service: Service,
  visit: Visit,
  token: string,
  password: string,
): Promise<{ kind: "verified" } | Refusal> {
  const ring = await service.keyRing(visit.now);
  const registration = await openLink(ring, "register", token, visit.now);
  if (typeof registration === "string") {
    await countAgainstSource(service, visit);
    return { refused: registration };
  }
  const { email, password: hash } = registration;
  const key = emailKey(email) ?? "";
  const admitted = await askGates(service, ring, visit, key);
  if ("refused" in admitted) return admitted;
  if (!(await isRight(place, service, ring, hash, password))) {
    await admitted.settle("wrong");
    return { refused: "link_wrong_password" };
  }
  service.waitUntil(admitted.settle("right"));
  const user = { id: crypto.randomUUID(), email, emailKey: key, password: hash, createdAt: visit.now };
  return (await service.users.add(user)) ? { kind: "verified" } : { refused: "link_used" };
}

async function isRight(
  place: HashPlace,
  service: Service,
  ring: KeyRing,
  hash: string,
  password: string,
): Promise<boolean> {
  const comparison = place.use(() => verifyPassword(ring, hash, password));
  service.waitUntil(comparison);
  return (await comparison).right;
}
