import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { app } from "../../../src/app.ts";
import { ISSUER, newSource } from "../../support/in-worker.ts";

/** Reads the stream of events as a client does. */
export class EventStreamReader {
  readonly status: number;
  readonly type: string | null;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = "";
  /** Numbers of the events that have come. */
  readonly seqs: number[] = [];
  hasEnded = false;

  private constructor(response: Response) {
    this.status = response.status;
    this.type = response.headers.get("Content-Type");
    this.#reader = (response.body as ReadableStream<Uint8Array>).getReader();
  }

  static async open(bearer: string, lastEventId?: string, bindings: object = env): Promise<EventStreamReader> {
    const headers = {
      Authorization: `Bearer ${bearer}`,
      "CF-Connecting-IP": newSource(),
      ...(lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId }),
    };
    const request = new Request(`${ISSUER}/admin/api/events/stream`, { headers });
    return new EventStreamReader(await app.fetch(request, bindings, createExecutionContext()));
  }

  /** The next piece, or the end. */
  async next(): Promise<string> {
    const { done, value } = await this.#reader.read();
    this.hasEnded = done;
    const piece = new TextDecoder().decode(value);
    this.#text += piece;
    for (const [, seq] of piece.matchAll(/^id: (\d+)\nevent: security\ndata: \{.*\}$/gm)) this.seqs.push(Number(seq));
    return piece;
  }

  /** Reads until it has ended. */
  async toEnd(): Promise<void> {
    while (!this.hasEnded) await this.next();
  }

  /** Reads until an event has come. */
  async untilEvent(seq: number): Promise<void> {
    while (!this.hasEnded && !this.seqs.includes(seq)) await this.next();
  }

  get text(): string {
    return this.#text;
  }

  close(): Promise<void> {
    return this.#reader.cancel();
  }
}
