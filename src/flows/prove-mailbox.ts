import { emailKey } from "../directory/email-key.ts";
import { isOpen } from "../directory/users.ts";
import { proofMailGate, proofsFromSourceGate } from "../gate/subjects.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { proveMailbox } from "../mail/messages.ts";
import { PROOF_LINK_TTL_MS } from "../policy.ts";
import type { Service, Visit } from "../service.ts";
import { mayMail } from "./mail-limits.ts";
import { mailedLink } from "./mailed-links.ts";

/**
 * Mails a link that shows, at the next sign-in, that somebody reads the mailbox. The answer is the same whatever
 * happens; an address without an account gets nothing.
 */
export async function requestProof(service: Service, visit: Visit, email: string): Promise<{ kind: "proof_sent" }> {
  const ring = await service.keyRing(visit.now);
  const key = emailKey(email) ?? "";
  service.waitUntil(mailProof(service, ring, visit, key));
  return { kind: "proof_sent" };
}

async function mailProof(service: Service, ring: KeyRing, visit: Visit, key: string): Promise<void> {
  const toAddress = await proofMailGate(ring, key);
  const bySource = { ...(await proofsFromSourceGate(ring, visit.network)), address: toAddress.address };
  const [user, mayCause] = await Promise.all([
    service.users.findByEmailKey(key),
    mayMail(service, bySource, visit.from),
  ]);
  if (!user || !isOpen(user) || !mayCause) return;
  if (!(await mayMail(service, toAddress, visit.from))) return;
  const proof = { id: crypto.randomUUID(), emailKey: key };
  const link = await mailedLink(service, ring, "proof", proof, visit.now + PROOF_LINK_TTL_MS);
  service.sendLater(proveMailbox(service.config.appName, user.email, link));
}
