import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Instance, startInstance } from "../../scripts/instance.mjs";
import { talkTo } from "./client.ts";
import { sharedInstance } from "./shared-instance.ts";

/** An instance for one test file, which may be started again with other settings on the same state. */
export class OwnInstance {
  readonly #state = mkdtempSync(join(tmpdir(), "sallyport-state-"));
  #instance: Instance | undefined;

  /** Starts it, or starts it again with these settings at the same address; `client.ts` talks to it from then on. */
  async start(vars: Record<string, string>): Promise<void> {
    const before = this.#instance;
    await before?.stop();
    this.#instance = await startInstance({
      state: this.#state,
      vars,
      ...(before === undefined ? {} : { port: before.port, rootSecret: before.rootSecret }),
    });
    talkTo(this.#instance.url);
  }

  /** Ends it; `client.ts` talks to the shared instance again, for the next file. */
  async end(): Promise<void> {
    talkTo(sharedInstance());
    await this.#instance?.stop();
    rmSync(this.#state, { recursive: true, force: true });
  }
}
