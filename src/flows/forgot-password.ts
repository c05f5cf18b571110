import { emailKey } from "../directory/email-key.ts";
import { mailsFromSourceGate, mailsToAddressGate } from "../gate/subjects.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { resetPassword } from "../mail/messages.ts";
import { RESET_LINK_TTL_MS } from "../policy.ts";
import type { Service, Visit } from "../service.ts";
import { mailedLink, verdictOn } from "./mailed-links.ts";

/** Mails the link of a reset. The answer is the same for every address, and is given before anything is looked at. */
export async function forgotPassword(service: Service, visit: Visit, email: string): Promise<{ kind: "reset_sent" }> {
  service.waitUntil(service.keyRing(visit.now).then((ring) => mailReset(service, ring, visit, emailKey(email) ?? "")));
  return { kind: "reset_sent" };
}

async function mailReset(service: Service, ring: KeyRing, visit: Visit, key: string): Promise<void> {
  const source = await mailsFromSourceGate(ring, visit.network, "resets");
  const [user, mayMail] = await Promise.all([
    service.users.findByEmailKey(key),
    service.gate(source.shard).spend(source.subjects),
  ]);
  // An address that is not proven yet is proven by this link.
  if (user?.status !== "active" || !mayMail) return;
  const address = await mailsToAddressGate(ring, key, "resets");
  if (!(await service.gate(address.shard).spend(address.subjects))) return;
  const { id: accountId, passwordVersion } = user;
  const id = crypto.randomUUID();
  const awaited = await service.account(accountId).awaitReset(verdictOn(user, ring, visit), id);
  if ("refused" in awaited) return;
  const payload = { accountId, id, passwordVersion };
  const link = await mailedLink(service, ring, "reset_password", payload, visit.now + RESET_LINK_TTL_MS);
  service.sendLater(resetPassword(service.config.appName, user.email, link));
}
