import { EXPORT_STRETCH_ROWS } from "../event-policy.ts";
import type { WantedEvents } from "../events/event-reader.ts";
import { securityEvent } from "../events/security-event.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { admittedReader } from "./admin-reader.ts";
import type { SpellEvent } from "./stream-events.ts";

/**
 * All wanted events as lines of JSON, in the order of arrival, up to this moment. Reads a stretch at a time and only when
 * the one before was taken, so that a million events need the memory of a few. That somebody takes them along is an event
 * itself, and the last line.
 */
export async function exportEvents(
  service: Service,
  { from, now }: Visit,
  bearer: AccessToken,
  wanted: WantedEvents,
  spell: SpellEvent,
): Promise<ReadableStream<Uint8Array>> {
  const about = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
  const { accountId: actor } = bearer;
  const read = { kind: "sensitive_read", reason: "events_exported", account: actor, actor, about } as const;
  await service.events.add([securityEvent(read, from, now)]);
  const bounds = (await service.eventReader.bounds()) ?? { first: 1, last: 0 };
  const reader = admittedReader(service, bearer);
  let next = bounds.first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (next <= bounds.last) {
          // Broken off and not closed: what is missing must not look like the end.
          if (!(await reader.mayGoOn())) return controller.error(new Error("the reader is no admin any more"));
          const last = Math.min(next + EXPORT_STRETCH_ROWS - 1, bounds.last);
          const events = await service.eventReader.stretch(wanted, next, last);
          next = last + 1;
          if (events.length === 0) continue;
          const lines = events.map((event) => `${JSON.stringify(spell(event))}\n`).join("");
          return controller.enqueue(new TextEncoder().encode(lines));
        }
        controller.close();
      },
      cancel() {
        next = bounds.last + 1;
      },
    },
    { highWaterMark: 0 },
  );
}
