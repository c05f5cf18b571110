import { emailKey } from "../directory/email-key.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { alreadyRegistered, confirmRegistration } from "../mail/messages.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import { isCommonPassword } from "../passwords/listed.ts";
import { hashPassword } from "../passwords/password-hash.ts";
import { contextWords, normalizePassword, weaknessOf } from "../passwords/password-policy.ts";
import { VERIFY_LINK_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { sealLink } from "../tokens/one-time-link.ts";
import { withHashPlace } from "./hash-place.ts";
import { mailLater, mayCauseMail } from "./mail-limits.ts";

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
  const password = acceptPassword(service, email, typedPassword);
  if (typeof password !== "string") return password;
  const ring = await service.keyRing(visit.now);
  const key = emailKey(email) ?? "";
  const [known, mayMail] = await Promise.all([service.users.findByEmailKey(key), mayCauseMail(service, ring, visit)]);
  // Tells a client only what it has done itself, and lets it have no more hashes computed than mails sent.
  if (!mayMail) return { kind: "verification_sent" };
  const hash = await place.use(() => hashPassword(ring, password));
  const link = await confirmationLink(service, ring, visit, email, hash);
  const { appName, registration } = service.config;
  if (registration === "closed") return { kind: "verification_sent" };
  const message = known ? alreadyRegistered(appName, known.email) : confirmRegistration(appName, email, link);
  mailLater(service, ring, key, message);
  return { kind: "verification_sent" };
}

/** The normalised password, if the policy takes it. */
function acceptPassword(service: Service, email: string, typed: string): string | Refusal {
  const password = normalizePassword(typed);
  if (password === "ill_formed" || password === "too_long") return { refused: "weak_password", reason: password };
  const { appName, passwordMin } = service.config;
  const rules = { min: passwordMin, contextWords: contextWords(appName, email), isListed: isCommonPassword };
  const reason = weaknessOf(password, rules);
  return reason ? { refused: "weak_password", reason } : password;
}

/** In the fragment, so that no server on the way and no referrer sees the token. */
async function confirmationLink(
  service: Service,
  ring: KeyRing,
  visit: Visit,
  email: string,
  password: string,
): Promise<string> {
  const token = await sealLink(ring, "register", { email, password }, visit.now + VERIFY_LINK_TTL_MS);
  return `${service.config.issuer}/verify-email#token=${token}`;
}
