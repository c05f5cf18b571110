import { type MailTopic, mailsFromSourceGate, mailsToAddressGate } from "../gate/subjects.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import type { Message } from "../mail/message.ts";
import type { Service, Visit } from "../service.ts";

/** Whether this client may cause one more mail, which is then counted. */
export async function mayCauseMail(service: Service, ring: KeyRing, { network, from }: Visit): Promise<boolean> {
  const { shard, subjects } = await mailsFromSourceGate(ring, network);
  return service.gate(shard).spend(subjects, { from });
}

/** Sends a mail after the response, unless the address has had its mails of the hour; the answer cannot tell. */
export function mailLater(
  service: Service,
  ring: KeyRing,
  emailKey: string,
  message: Message,
  topic: MailTopic = "mails",
): void {
  service.waitUntil(
    mailsToAddressGate(ring, emailKey, topic).then(async ({ shard, subjects }) => {
      if (await service.gate(shard).spend(subjects)) service.sendLater(message);
    }),
  );
}
