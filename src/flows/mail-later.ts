import { mailsFromSourceGate, mailsToAddressGate } from "../gate/subjects.ts";
import type { Message } from "../mail/message.ts";
import type { Service, Visit } from "../service.ts";

/**
 * Sends a mail that a stranger asked for, after the response and within what an address and a source may cause in an
 * hour. Silent beyond it: the answer cannot tell whether a mail left.
 */
export function mailLater(service: Service, visit: Visit, emailKey: string, message: Message): void {
  service.waitUntil(
    mayMail(service, visit, emailKey).then((may) => {
      if (may) service.sendLater(message);
    }),
  );
}

/** The source pays first: one that has used up its mails cannot use up those of an address. */
async function mayMail(service: Service, visit: Visit, emailKey: string): Promise<boolean> {
  const ring = await service.keyRing(visit.now);
  for (const request of [await mailsFromSourceGate(ring, visit.network), await mailsToAddressGate(ring, emailKey)]) {
    if (!(await service.gate(request.shard).spend(request.subjects))) return false;
  }
  return true;
}
