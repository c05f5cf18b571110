import type { Circumstances } from "../events/security-event.ts";
import { type GateRequest, type MailTopic, mailsFromSourceGate, mailsToAddressGate } from "../gate/subjects.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { Message } from "../mail/message.ts";
import type { Service, Visit } from "../service.ts";

/** Whether one more mail may leave, which is then counted. If not, the gate records who has asked for it. */
export function mayMail(
  service: Service,
  { shard, subjects, address }: GateRequest,
  from: Circumstances,
): Promise<boolean> {
  return service.gate(shard).spend(subjects, { from, ...(address === undefined ? {} : { address }) });
}

/** Whether this client may cause one more mail, which is then counted. */
export async function mayCauseMail(service: Service, ring: KeyRing, { network, from }: Visit): Promise<boolean> {
  return mayMail(service, await mailsFromSourceGate(ring, network), from);
}

/** Sends a mail after the response, unless the address has had its mails of the hour; the answer cannot tell. */
export function mailLater(
  service: Service,
  ring: KeyRing,
  { from }: Visit,
  emailKey: string,
  message: Message,
  topic: MailTopic = "mails",
): void {
  service.waitUntil(
    mailsToAddressGate(ring, emailKey, topic).then(async (request) => {
      if (await mayMail(service, request, from)) service.sendLater(message);
    }),
  );
}
