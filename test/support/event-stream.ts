import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Json } from "./client.ts";

/** One server-sent event with JSON in it. */
export interface Message {
  id: string;
  data: Json;
}

/** Server-sent events, read with `fetch`, since they need a token in a header. */
export class EventStream {
  readonly #messages: Message[] = [];
  readonly #abort: AbortController;
  readonly #read: Promise<void>;
  readonly contentType: string;

  private constructor(response: Response, abort: AbortController) {
    this.#abort = abort;
    this.contentType = response.headers.get("content-type") ?? "";
    this.#read = this.#readAll(response).catch(() => {});
  }

  /** Opens the stream; with the id of the last message that was seen, it goes on after that. */
  static async open(url: string, bearer: string, lastEventId?: string): Promise<EventStream> {
    const abort = new AbortController();
    const headers: Record<string, string> = { authorization: `Bearer ${bearer}`, accept: "text/event-stream" };
    if (lastEventId !== undefined) headers["last-event-id"] = lastEventId;
    const response = await fetch(url, { headers, signal: abort.signal });
    if (response.status !== 200) expect(await response.text()).toBe("a stream");
    return new EventStream(response, abort);
  }

  /** Everything so far. */
  messages = (): Message[] => [...this.#messages];

  ids = (): string[] => this.#messages.map(({ id }) => id);

  /** The first message that has a property, once it is there. */
  async until(has: (data: Json) => boolean, seconds = 45): Promise<Message> {
    for (const end = Date.now() + seconds * 1000; ; await sleep(100)) {
      const found = this.#messages.find(({ data }) => has(data));
      if (found !== undefined) return found;
      if (Date.now() > end) throw new Error(`the stream has not brought it in ${seconds} seconds`);
    }
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#read;
  }

  async #readAll(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const part of response.body ?? []) {
      text += decoder.decode(part, { stream: true });
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop() ?? "";
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block: string): void {
    const fields = block.split(/\r?\n/).map((line) => /^([a-z]+): ?(.*)$/.exec(line));
    const of = (name: string) => fields.flatMap((field) => (field?.[1] === name ? [field[2] ?? ""] : []));
    const data = of("data").join("\n");
    if (data !== "") this.#messages.push({ id: of("id").at(-1) ?? "", data: JSON.parse(data) as Json });
  }
}
