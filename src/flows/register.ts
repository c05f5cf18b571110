import { emailKey } from "../directory/email-key.ts";
import { alreadyRegistered, confirmRegistration } from "../mail/messages.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import { hashPassword } from "../passwords/password-hash.ts";
import { VERIFY_LINK_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { withHashPlace } from "./hash-place.ts";
import { mailLater, mayCauseMail } from "./mail-limits.ts";
import { mailedLink } from "./mailed-links.ts";
import { acceptByPolicy, refuseBreached } from "./new-password.ts";

/**
 * Asks for an account. Nothing is stored: the link in the mail seals the address and the hash, and the account exists
 * when link and password come back together. A known address gets another mail, the same answer, and costs the same.
 */
export function register(
  service: Service,
  visit: Visit,
  email: string,
  typedPassword: string,
): Promise<{ kind: "verification_sent" } | Refusal> {
  return withHashPlace(service, visit, (place) => registerFrom(place, service, visit, email, typedPassword));
}

async function registerFrom(
  place: HashPlace,
  service: Service,
  visit: Visit,
  email: string,
  typedPassword: string,
): Promise<{ kind: "verification_sent" } | Refusal> {
  const password = acceptByPolicy(service, email, typedPassword);
  if (typeof password !== "string") return password;
  const ring = await service.keyRing(visit.now);
  const key = emailKey(email) ?? "";
  const [known, mayMail] = await Promise.all([service.users.findByEmailKey(key), mayCauseMail(service, ring, visit)]);
  // Tells a client only what it has done itself, and lets it have no more hashes computed than mails sent.
  if (!mayMail) return { kind: "verification_sent" };
  const breached = await refuseBreached(service, password);
  if (breached) return breached;
  const hash = await place.use(() => hashPassword(ring, password));
  const payload = { email, password: hash };
  const link = await mailedLink(service, ring, "register", payload, visit.now + VERIFY_LINK_TTL_MS);
  const { appName, registration } = service.config;
  if (registration !== "open") return { kind: "verification_sent" };
  const message = known ? alreadyRegistered(appName, known.email) : confirmRegistration(appName, email, link);
  mailLater(service, ring, visit, key, message);
  return { kind: "verification_sent" };
}
