import { STREAM_HEARTBEAT_MS, STREAM_MS, STREAM_PAGE_ROWS, STREAM_POLL_MS } from "../event-policy.ts";
import type { StoredEvent } from "../events/event-store.ts";
import { logLine } from "../log.ts";
import type { Service } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { type AdminReader, admittedReader } from "./admin-reader.ts";

/** Spells an event out for whoever reads the stream. */
export type SpellEvent = (event: StoredEvent) => object;

/**
 * New events as server-sent events (WHATWG HTML §9.2), in the order of arrival, each once. `after`: the last one that the
 * reader has, if it comes back. Nothing is read while nobody takes what was read before, and nothing goes on when the
 * reader has gone, is no admin any more, or has read for {@link STREAM_MS}.
 */
export async function streamEvents(
  service: Service,
  bearer: AccessToken,
  after: number | undefined,
  spell: SpellEvent,
): Promise<ReadableStream<Uint8Array>> {
  const newest = after ?? (await service.eventReader.bounds())?.last ?? 0;
  const stream = new EventStream(service, admittedReader(service, bearer), newest, spell);
  // Whoever comes back knows where; whoever is new and hears nothing would not.
  const opening = `retry: ${STREAM_POLL_MS}\n${after === undefined ? `id: ${newest}\n` : ""}\n`;
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(new TextEncoder().encode(opening)),
      pull: (controller) => stream.pull(controller),
      cancel: () => stream.end(),
    },
    { highWaterMark: 0 },
  );
}

/** Where one stream is. */
class EventStream {
  #service: Service;
  #reader: AdminReader;
  #seq: number;
  #spell: SpellEvent;
  #endsAt = Date.now() + STREAM_MS;
  #saidAt = Date.now();
  #isOver = false;
  #wake = () => {};

  constructor(service: Service, reader: AdminReader, seq: number, spell: SpellEvent) {
    this.#service = service;
    this.#reader = reader;
    this.#seq = seq;
    this.#spell = spell;
  }

  /** Waits until there is something to say, and says it. */
  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (!this.#isOver) {
      const said = await this.#next();
      if (this.#isOver) return;
      if (said === "end") return controller.close();
      if (said !== undefined) {
        this.#saidAt = Date.now();
        return controller.enqueue(new TextEncoder().encode(said));
      }
      await this.#pause();
    }
  }

  /** The reader has gone. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** What to say now, if anything. */
  async #next(): Promise<string | "end" | undefined> {
    if (Date.now() >= this.#endsAt) return "end";
    try {
      // Before anything is read: whoever may not read it any more shall not have it.
      if (!(await this.#reader.mayGoOn())) return "end";
      const events = await this.#service.events.after(this.#seq, STREAM_PAGE_ROWS);
      this.#seq = events.at(-1)?.seq ?? this.#seq;
      if (events.length > 0) return events.map((event) => frameOf(event, this.#spell)).join("");
    } catch (error) {
      // The reader comes back by itself, and goes on where this one ends.
      logLine({ level: "error", event: "stream_broken", error: String(error) });
      return "end";
    }
    return Date.now() >= this.#saidAt + STREAM_HEARTBEAT_MS ? ": still here\n\n" : undefined;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, STREAM_POLL_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function frameOf(event: StoredEvent, spell: SpellEvent): string {
  return `id: ${event.seq}\nevent: security\ndata: ${JSON.stringify(spell(event))}\n\n`;
}
