import { emailKey } from "../directory/email-key.ts";
import { securityEvent } from "../events/security-event.ts";
import { emailDigest } from "../keys/keyed-digest.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { invite } from "./invite.ts";
import type { Operator } from "./operate-account.ts";

/** Invites an address on the word of an admin. The event names it by its digest, as every event does. */
export async function inviteByAdmin(
  service: Service,
  visit: Visit,
  { actor }: Operator,
  email: string,
): Promise<{ kind: "invited" } | Refusal> {
  const invited = await invite(service, visit, email);
  if (isRefusal(invited)) return invited;
  const address = await emailDigest(await service.keyRing(visit.now), emailKey(email) ?? "");
  const event = { kind: "authz_admin", reason: "invite", actor, address } as const;
  await service.events.add([securityEvent(event, visit.from, visit.now)]);
  return invited;
}
