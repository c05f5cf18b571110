import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { devNull, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { fillState } from "./database.mjs";
import { freePort, startService } from "./service.mjs";

const START_MS = 60_000;

function settings(values) {
  return Object.entries(values).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
}

/**
 * What wrangler gets to see of the caller's environment: nothing that could change a result. The home and the temporary
 * folder are the instance's own, so that it leaves nothing behind.
 */
function environmentOf(folder, rootSecret) {
  const own = {
    PATH: process.env.PATH,
    HOME: folder,
    TMPDIR: folder,
    WRANGLER_REGISTRY_PATH: join(folder, "registry"),
  };
  return rootSecret === null ? own : { ...own, ROOT_SECRET: rootSecret };
}

async function readyInTime(service) {
  const start = new AbortController();
  const late = sleep(START_MS, undefined, { signal: start.signal }).then(() => {
    throw new Error(`It was not ready within ${START_MS / 1000} seconds.`);
  });
  try {
    await Promise.race([service.ready, late]);
  } finally {
    late.catch(() => {});
    start.abort();
  }
}

/**
 * Starts the product as `npm run dev` does, but private: a free port, an empty state and a key of its own, in a
 * temporary folder. Any number run side by side; each ends with the process that started it. See instance.d.mts.
 */
export async function startInstance(options = {}) {
  const port = options.port ?? (await freePort());
  const url = `http://localhost:${port}`;
  const folder = mkdtempSync(join(tmpdir(), "sallyport-"));
  const state = options.state ?? join(folder, "state");
  const rootSecret = options.rootSecret === undefined ? randomBytes(32).toString("base64url") : options.rootSecret;
  await fillState(state);

  const printed = [];
  const service = startService({
    port,
    args: [
      // A file without lines: it keeps wrangler from reading .dev.vars, and ROOT_SECRET off its command line.
      ...["--env-file", devNull, "--persist-to", state, "--define", "DEVELOPMENT_MAILBOX:true"],
      ...settings({ ISSUER: options.issuer ?? url, ...options.vars }),
      ...(options.args ?? []),
    ],
    environment: environmentOf(folder, rootSecret),
    folder,
    onLine: (line) => printed.push(stripVTControlCharacters(line)),
  });
  const instance = {
    url,
    port,
    state,
    rootSecret,
    pid: service.pid,
    output: () => printed.join("\n"),
    async stop() {
      await service.end();
      rmSync(folder, { recursive: true, force: true });
    },
    async kill() {
      await service.kill();
    },
  };
  try {
    await readyInTime(service);
  } catch (error) {
    await instance.stop();
    throw new Error(`The instance did not start. ${error.message}\n${instance.output()}`);
  }
  return instance;
}
