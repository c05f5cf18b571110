import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../../scripts/service.mjs";
import { AUDIENCE, forge, ISSUER, KID, publicJwk } from "./example-forge.ts";

// The verifier in workerd itself, without the proxy of `wrangler dev`, which keeps each request alive: there a client that
// hangs up takes along what its request has begun.

const ROOT = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "sallyport-hang-ups-"));
/** As long as an issuer on another continent takes. */
const ISSUER_MS = 300;

let issuer: Server;
let service: ChildProcess;
let port: number;
let asked = 0;

beforeAll(async () => {
  issuer = createServer((_, answer) => {
    asked += 1;
    setTimeout(() => answer.end(JSON.stringify({ keys: [publicJwk] })), ISSUER_MS);
  }).listen(0);
  port = await freePort();
  await bundle();
  writeFileSync(join(folder, "config.capnp"), configuration());
  service = spawn(join(ROOT, "node_modules/.bin/workerd"), ["serve", join(folder, "config.capnp")], {
    stdio: "ignore",
  });
  for (let tries = 0; tries < 100 && (await statusOf("")) === 0; tries += 1) await sleep(50);
});

afterAll(() => {
  service.kill("SIGKILL");
  issuer.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The example for Workers as it would be deployed. */
function bundle() {
  const wrangler = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  const config = join(ROOT, "examples/worker/wrangler.toml");
  const own = { HOME: folder, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: folder };
  const env = { ...process.env, ...own };
  const args = [wrangler, "deploy", "--dry-run", "--config", config, "--outdir", folder];
  return promisify(execFile)(process.execPath, args, { env });
}

function configuration(): string {
  const jwks = `http://localhost:${(issuer.address() as AddressInfo).port}/jwks.json`;
  const bindings = Object.entries({ ISSUER, AUDIENCE, JWKS_URL: jwks });
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "internet", network = (allow = ["public", "private"]))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "index.js")],
  bindings = [${bindings.map(([name, value]) => `(name = "${name}", text = "${value}")`).join(", ")}],
  compatibilityDate = "2026-10-20"
);
`;
}

/** Asks for /me. 0: nobody is there. */
async function statusOf(token: string): Promise<number> {
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(`http://127.0.0.1:${port}/me`, { headers }).catch(() => undefined);
  return answer?.status ?? 0;
}

/** Asks, and resets the connection before there is an answer. */
function hangUp(token: string, afterMs: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(`GET /me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`);
      setTimeout(() => {
        socket.resetAndDestroy();
        resolve();
      }, afterMs);
    });
    socket.on("error", () => resolve());
  });
}

it("nobody keeps the keys from others by hanging up while they are fetched for him", async () => {
  const unknown = forge({ header: { kid: KID.split("").reverse().join("") } });
  let isOver = false;
  const attackers = Array.from({ length: 40 }, async (_, index) => {
    await sleep(index * 20);
    while (!isOver) await hangUp(unknown, index % 3 === 0 ? 60 : 1_060 + (index % 4) * 60);
  });
  await sleep(100);
  const waits: number[] = [];
  for (let tries = 0; tries < 4; tries += 1) {
    const at = performance.now();
    expect(await statusOf(forge())).toBe(200);
    waits.push(performance.now() - at);
  }
  isOver = true;
  await Promise.all(attackers);
  expect(asked).toBe(1);
  // Nobody waits for more than the one fetch; far below the five seconds after which a verifier gives up.
  expect(Math.max(...waits)).toBeLessThan(2_500);
});
