import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { sharedInstance } from "../support/shared-instance.ts";

// `npm run dev` as a person runs it, on a copy of the project: the state and the address of a developer's own
// `npm run dev` stay untouched.

const COPIED = ["package.json", "package-lock.json", ".npmrc", "wrangler.toml", "tsconfig.json"];
const COPIED_FOLDERS = ["migrations", "scripts", "src", ".wrangler/templates"];

// Nothing listens there: whoever needs the network fails.
const NO_NETWORK = { HTTPS_PROXY: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9", npm_config_offline: "true" };

let project: string;
let npm: ChildProcess | undefined;
let output = "";

function runDev(...args: string[]): ChildProcess {
  output = "";
  // A process group of its own, as a shell gives to a command: Ctrl-C is SIGINT for the group.
  const child = spawn("npm", ["run", "dev", "--", ...args], {
    cwd: project,
    detached: true,
    env: { ...process.env, ...NO_NETWORK },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  npm = child;
  return child;
}

async function listen(host: string): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("A socket has a port.");
  return { server, port: address.port };
}

async function freePort(): Promise<number> {
  const { server, port } = await listen("127.0.0.1");
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function addressFile(): string {
  return join(project, ".wrangler/sallyport.json");
}

/** Starts it, and waits until it is ready. */
async function startDev(...args: string[]): Promise<{ child: ChildProcess; url: string; group: number[] }> {
  const child = runDev(...args);
  await expect.poll(() => existsSync(addressFile()) || child.exitCode !== null, { timeout: 30_000 }).toBe(true);
  expect(child.exitCode, output).toBe(null);
  const { url, pid } = JSON.parse(readFileSync(addressFile(), "utf8"));
  return { child, url, group: descendants(pid) };
}

function processes(): { pid: number; parent: number; state: string; command: string }[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,args="]).toString().trim().split("\n");
  return lines.map((line) => {
    const [pid, parent, state = "", ...command] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), state, command: command.join(" ") };
  });
}

/** The process and everything under it. */
function descendants(pid: number): number[] {
  const all = processes();
  const found = [pid];
  for (const ancestor of found) found.push(...all.filter((one) => one.parent === ancestor).map((one) => one.pid));
  return found;
}

function stillRunning(pids: number[]): string[] {
  const alive = processes().filter((one) => pids.includes(one.pid) && !one.state.startsWith("Z"));
  return alive.map((one) => `${one.pid} ${one.command}`);
}

async function expectGone(pids: number[]): Promise<void> {
  // Whoever started it, wrangler and at least one workerd: less would prove nothing.
  expect(pids.length).toBeGreaterThan(4);
  await expect.poll(() => stillRunning(pids), { timeout: 5_000 }).toEqual([]);
}

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "sallyport-dev-"));
  for (const name of [...COPIED, ...COPIED_FOLDERS]) {
    cpSync(name, join(project, name), { recursive: true, preserveTimestamps: true });
  }
  symlinkSync(join(process.cwd(), "node_modules"), join(project, "node_modules"));
});

afterEach(async () => {
  if (npm?.pid && npm.exitCode === null && npm.signalCode === null) process.kill(-npm.pid, "SIGTERM");
});

afterAll(async () => {
  await sleep(200);
  rmSync(project, { recursive: true, force: true });
});

test("it serves at localhost without a network, tells where, and Ctrl-C ends all of it", async () => {
  const port = await freePort();
  const { child, url, group } = await startDev("--port", String(port), "--var", "PASSED_ON:yes");
  expect(url).toBe(`http://localhost:${port}`);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);

  const commands = stillRunning(group).join("\n");
  expect(commands).toContain(`--var ISSUER:${url} `);
  expect(commands).toContain("--var PASSED_ON:yes");
  await expect.poll(() => output).toContain(`Sallyport is ready at  ${url}\n`);
  expect(output).toContain(`${url}/dev/mailbox?to=you@example.com\n`);
  expect(output).not.toMatch(/wrangler|WARNING|Binding|env\.|Scheduled/);

  process.kill(-(child.pid ?? 0), "SIGINT");
  await once(child, "exit");
  await expectGone([child.pid ?? 0, ...group]);
  expect(existsSync(addressFile())).toBe(false);
});

test("SIGTERM for npm alone ends all of it", async () => {
  const { child, group } = await startDev(`--port=${await freePort()}`);
  child.kill("SIGTERM");
  await once(child, "exit");
  await expectGone([child.pid ?? 0, ...group]);
  expect(existsSync(addressFile())).toBe(false);
});

test("SIGKILL for npm alone ends all of it", async () => {
  const { child, group } = await startDev("--port", String(await freePort()));
  child.kill("SIGKILL");
  await once(child, "exit");
  await expectGone([child.pid ?? 0, ...group]);
  expect(existsSync(addressFile())).toBe(false);
});

test.each(["127.0.0.1", "::"])("a port that is busy on %s is an error that says what to do", async (host) => {
  const { server, port } = await listen(host);
  const [code] = await once(runDev("--port", String(port)), "close");
  server.close();
  expect(code).toBe(1);
  expect(output).toContain(`Port ${port} is busy`);
  expect(output).toMatch(/npm run dev -- --port \d+\n/);
});

test.each(["0", "65536", "-1", "80a", ""])('"%s" is not taken for a port', async (port) => {
  const [code] = await once(spawn("node", ["scripts/dev.mjs", `--port=${port}`], { cwd: project }), "close");
  expect(code).toBe(1);
});

test("a private instance leaves nothing when SIGKILL ends the process that started it", async () => {
  const start =
    'const { startInstance } = await import("./scripts/instance.mjs"); console.log((await startInstance()).state)';
  const child = spawn("node", ["--input-type=module", "-e", start], { stdio: ["ignore", "pipe", "inherit"] });
  const [state] = await once(child.stdout, "data");
  const pids = descendants(child.pid ?? 0);
  const folder = dirname(String(state));
  expect(existsSync(folder)).toBe(true);
  child.kill("SIGKILL");
  await expectGone(pids);
  await expect.poll(() => existsSync(folder)).toBe(false);
});

test("the local runtime runs the cron handler when `npm run dev` asks it to", async () => {
  const response = await fetch(`${sharedInstance()}/cdn-cgi/local/scheduled?cron=*+*+*+*+*`);
  expect([response.status, await response.text()]).toEqual([200, "ok"]);
});
