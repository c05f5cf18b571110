import { emailKey } from "../directory/email-key.ts";
import { invitation } from "../mail/messages.ts";
import { INVITATION_LINK_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { mailedLink } from "./mailed-links.ts";

/**
 * Invites an address to an account of its own: for operators alone, who are told what a stranger never learns, that an
 * address is taken. Such an address gets no mail. Nothing is stored, and no limit of mails holds an operator back.
 */
export async function invite(service: Service, visit: Visit, email: string): Promise<{ kind: "invited" } | Refusal> {
  const key = emailKey(email);
  if (key === undefined) {
    return { refused: "malformed_body", errors: [{ path: "email", message: "must be an email address" }] };
  }
  const [ring, isTaken] = await Promise.all([service.keyRing(visit.now), service.users.isTaken(key, visit.now)]);
  if (isTaken) return { refused: "address_taken" };
  const link = await mailedLink(service, ring, "invitation", { email }, visit.now + INVITATION_LINK_TTL_MS);
  service.sendLater(invitation(service.config.appName, email, link));
  return { kind: "invited" };
}
