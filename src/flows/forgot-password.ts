import { emailKey } from "../directory/email-key.ts";
import { mailsFromSourceGate, mailsToAddressGate } from "../gate/subjects.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { emailDigest } from "../keys/keyed-digest.ts";
import { resetPassword } from "../mail/messages.ts";
import { RESET_LINK_TTL_MS } from "../policy.ts";
import type { Service, Visit } from "../service.ts";
import { mayMail } from "./mail-limits.ts";
import { mailedLink, verdictOn } from "./mailed-links.ts";

/** Mails the link of a reset. The answer is the same for every address, and is given before anything is looked at. */
export async function forgotPassword(service: Service, visit: Visit, email: string): Promise<{ kind: "reset_sent" }> {
  service.waitUntil(service.keyRing(visit.now).then((ring) => mailReset(service, ring, visit, emailKey(email) ?? "")));
  return { kind: "reset_sent" };
}

async function mailReset(service: Service, ring: KeyRing, visit: Visit, key: string): Promise<void> {
  const toAddress = await mailsToAddressGate(ring, key, "resets");
  const bySource = { ...(await mailsFromSourceGate(ring, visit.network, "resets")), address: toAddress.address };
  const [user, mayCause] = await Promise.all([
    service.users.findByEmailKey(key),
    mayMail(service, bySource, visit.from),
  ]);
  // An address that is not proven yet is proven by this link.
  if (user?.status !== "active" || !mayCause) return;
  if (!(await mayMail(service, toAddress, visit.from))) return;
  const { id: accountId, passwordVersion } = user;
  const id = crypto.randomUUID();
  const verdict = { ...verdictOn(user, ring, visit), address: await emailDigest(ring, key) };
  const awaited = await service.account(accountId).awaitReset(verdict, id);
  if ("refused" in awaited) return;
  const payload = { accountId, id, passwordVersion };
  const link = await mailedLink(service, ring, "reset_password", payload, visit.now + RESET_LINK_TTL_MS);
  service.sendLater(resetPassword(service.config.appName, user.email, link));
}
