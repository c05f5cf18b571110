import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { readD1Migrations } from "@cloudflare/vitest-plugin";
import { Miniflare } from "miniflare";
import { freePort } from "../../scripts/service.mjs";
import { talkTo } from "./client.ts";
import { sharedInstance } from "./shared-instance.ts";

const TYPES: Record<string, "esm" | "wasm" | "data"> = { ".js": "esm", ".wasm": "wasm", ".bin": "data" };
const OBJECTS = { ACCOUNTS: "AccountObject", GATES: "GateObject" };

/**
 * An instance whose times can be measured: the bundle that is deployed, in workerd, on a socket of its own. The proxy of
 * `wrangler dev` takes 450 requests a second and would be all that is seen of a storm; so would the local simulator of the
 * rate limit, which takes five milliseconds of the one core for what the platform has in memory. It is left out here.
 */
export class DirectInstance {
  readonly #folder = mkdtempSync(join(tmpdir(), "sallyport-direct-"));
  #runtime: Miniflare | undefined;

  /** Starts it with these settings; `client.ts` talks to it from then on. Gives its origin. */
  async start(vars: Record<string, string> = {}): Promise<string> {
    const [port, bundle] = [await freePort(), await this.#bundle()];
    const origin = `http://localhost:${port}`;
    const settings = { ISSUER: origin, ROOT_SECRET: randomBytes(32).toString("base64url"), ...vars };
    const texts = Object.entries(settings).map(([name, value]) => [name, { type: "text" as const, value }] as const);
    const name = "sallyport";
    this.#runtime = new Miniflare({
      // The service logs every refusal, and whoever measures must not be kept busy with printing that.
      handleStructuredLogs: () => {},
      resourcePersistencePath: join(this.#folder, "state"),
      workers: [
        {
          config: {
            name,
            compatibilityDate: "2026-10-20",
            manifest: { mainModule: "index.js", modulesRoot: this.#folder, modules: bundle },
            env: {
              ...Object.fromEntries(texts),
              DB: { type: "d1", id: "users" },
              EVENTS: { type: "d1", id: "events" },
              KV: { type: "kv", id: "keys" },
              ACCOUNTS: { type: "durable-object", worker: name, exportName: OBJECTS.ACCOUNTS },
              GATES: { type: "durable-object", worker: name, exportName: OBJECTS.GATES },
            },
            exports: Object.fromEntries(
              Object.values(OBJECTS).map((object) => [
                object,
                { type: "durable-object" as const, storage: "sqlite" as const },
              ]),
            ),
          },
          dev: { rootPath: this.#folder, unsafeDirectSockets: [{ host: "localhost", port }] },
        },
      ],
    });
    await this.#runtime.ready;
    await this.#migrate(this.#runtime);
    talkTo(origin);
    return origin;
  }

  /** Ends it; `client.ts` talks to the shared instance again, for the next file. */
  async end(): Promise<void> {
    talkTo(sharedInstance());
    await this.#runtime?.dispose();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What would be deployed, with the mailbox that accounts are made through. */
  async #bundle() {
    const out = join(this.#folder, "out");
    const wrangler = join(import.meta.dirname, "../../node_modules/wrangler/bin/wrangler.js");
    const args = ["deploy", "--dry-run", "--minify", "--define", "DEVELOPMENT_MAILBOX:true", "--outdir", out];
    const own = { HOME: this.#folder, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: this.#folder };
    await promisify(execFile)(process.execPath, [wrangler, ...args], { env: { ...process.env, ...own } });
    const modules = readdirSync(out).flatMap((file) => {
      const type = TYPES[extname(file)];
      if (type === undefined) return [];
      const bytes = readFileSync(join(out, file));
      return [[file, { type, contents: type === "esm" ? bytes.toString() : new Uint8Array(bytes) }] as const];
    });
    return Object.fromEntries(modules);
  }

  async #migrate(runtime: Miniflare): Promise<void> {
    const { DB, EVENTS } = await runtime.getBindings<{ DB: D1Database; EVENTS: D1Database }>();
    for (const [database, folder] of [
      [DB, "migrations"],
      [EVENTS, "migrations/events"],
    ] as const) {
      const queries = (await readD1Migrations(folder)).flatMap((migration) => migration.queries);
      await database.batch(queries.map((query) => database.prepare(query)));
    }
  }
}
