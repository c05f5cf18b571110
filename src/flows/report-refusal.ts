import type { EventKind } from "../events/security-event.ts";
import { sourceGate } from "../gate/subjects.ts";
import type { Service, Visit } from "../service.ts";

/**
 * Tells the gate of the client, after the answer, of a refusal that no object has seen. The gate makes one event of the
 * first and one of a count; a flood is held back before it gets there.
 */
export function reportRefusal(service: Service, visit: Visit, kind: EventKind, reason: string): void {
  service.waitUntil(report(service, visit, kind, reason));
}

async function report(service: Service, visit: Visit, kind: EventKind, reason: string): Promise<void> {
  // What an answer does not need must not stand before it in the queue.
  await new Promise((resolve) => setTimeout(resolve));
  const subject = `${kind} ${reason} ${visit.network.network}`;
  await service.heldReports.report(subject, Date.now(), async (count) => {
    const { shard } = await sourceGate(await service.keyRing(visit.now), visit.network);
    await service.gate(shard).report({ kind, reason, ...(count > 1 ? { count } : {}) }, visit.from);
  });
}
