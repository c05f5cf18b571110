import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { publicJwk } from "./example-forge.ts";

/** Well within what a client waits for a single byte. */
const DRIP_MS = 1000;

/**
 * The key sets of an issuer in trouble, one at each path, so that each example can have its own. A path that ends in
 * `/once` answers once, and one that ends in `/never` not at all: from then on they drip, a byte a second for as long as
 * somebody reads, which a limit for each read never ends.
 */
export class IssuerOfKeys {
  /** Whether the other paths have keys to give. Until then they answer 503. */
  areThere = false;
  readonly #requests = new Map<string, number>();
  readonly #server = createServer((incoming, answer) => this.#answer(incoming, answer));

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How often the keys at this path have been asked for. */
  requests(path: string): number {
    return this.#requests.get(path) ?? 0;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer({ url = "", socket }: IncomingMessage, answer: ServerResponse): void {
    const path = url.slice(1);
    const asked = this.requests(path) + 1;
    this.#requests.set(path, asked);
    const [, mode] = path.split("/");
    if (mode === "never" || (mode === "once" && asked > 1)) {
      // In the head: before its end a client has nothing that it could read in pieces.
      socket.write("HTTP/1.1 200 OK\r\nDrip: ");
      const drip = setInterval(() => socket.write("."), DRIP_MS);
      socket.on("close", () => clearInterval(drip));
      return;
    }
    const isThere = this.areThere || mode === "once";
    answer.statusCode = isThere ? 200 : 503;
    answer.setHeader("Content-Type", "application/json").end(JSON.stringify(isThere ? { keys: [publicJwk] } : {}));
  }
}
