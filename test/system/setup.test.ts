import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

// The real setup on a tiny project, where `npm ci` takes half a second and needs no network: its only package is a
// folder of its own that stands in for wrangler and notes what it was called with.

const STAND_IN = `#!/usr/bin/env node
import { appendFileSync, mkdirSync } from "node:fs";
mkdirSync(process.argv.at(-1) + "/v3", { recursive: true });
appendFileSync("wrangler.log", process.argv.slice(2).join(" ") + "\\n");
`;

let project: string;

function file(name: string): string {
  return join(project, name);
}

function write(name: string, content: unknown): void {
  writeFileSync(file(name), typeof content === "string" ? content : JSON.stringify(content));
}

function writeManifests(version: string, scripts: Record<string, string> = {}): void {
  const itself = { name: "tiny", version, dependencies: { wrangler: "file:packages/wrangler" } };
  write("package.json", { ...itself, scripts });
  const wrangler = { version: "1.0.0", bin: { wrangler: "wrangler.mjs" } };
  const link = { resolved: "packages/wrangler", link: true };
  const packages = { "": itself, "packages/wrangler": wrangler, "node_modules/wrangler": link };
  write("package-lock.json", { name: "tiny", version, lockfileVersion: 3, packages });
}

interface Run {
  code: number | null;
  output: string;
}

async function setUp(environment: Record<string, string> = {}): Promise<Run> {
  const child = spawn(process.execPath, [file("scripts/setup.mjs")], { env: { ...process.env, ...environment } });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  const [code]: (number | null)[] = await once(child, "close");
  return { code: code ?? null, output };
}

function migrationRuns(): number {
  if (!existsSync(file("wrangler.log"))) return 0;
  return readFileSync(file("wrangler.log"), "utf8").match(/ apply DB /g)?.length ?? 0;
}

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "sallyport-setup-"));
  for (const folder of ["scripts", "migrations", "packages/wrangler"]) mkdirSync(file(folder), { recursive: true });
  for (const name of ["setup.mjs", "database.mjs", "wrangler.mjs"]) cpSync(`scripts/${name}`, file(`scripts/${name}`));
  write("scripts/build-blocklist.mjs", "export async function buildBlocklist() {}");
  write("packages/wrangler/package.json", { name: "wrangler", version: "1.0.0", bin: { wrangler: "wrangler.mjs" } });
  write("packages/wrangler/wrangler.mjs", STAND_IN);
  write("wrangler.toml", 'name = "tiny"');
  write("migrations/0001_first.sql", "CREATE TABLE first (id TEXT);");
  writeManifests("1.0.0");
});

afterEach(() => rmSync(project, { recursive: true, force: true }));

test("a fresh clone is made ready, and a second run is quick and silent", async () => {
  expect(await setUp()).toEqual({
    code: 0,
    output:
      "Installing packages (npm ci) …\n" +
      "Making a ROOT_SECRET for this machine (.dev.vars) …\n" +
      "Preparing the local database …\n",
  });
  expect(existsSync(file("node_modules/wrangler/wrangler.mjs"))).toBe(true);
  const start = performance.now();
  expect(await setUp()).toEqual({ code: 0, output: "" });
  expect(performance.now() - start).toBeLessThan(1_000);
});

test("ROOT_SECRET is 32 random bytes that only the owner can read, beside the settings that were there", async () => {
  write(".dev.vars", "PROFILE=interactive\nROOT_SECRET=\n");
  await setUp();
  const [profile, secret] = readFileSync(file(".dev.vars"), "utf8").trim().split("\n");
  expect(profile).toBe("PROFILE=interactive");
  expect(secret).toMatch(/^ROOT_SECRET=[\w-]{43}$/);
  expect(statSync(file(".dev.vars")).mode & 0o777).toBe(0o600);
});

test("a ROOT_SECRET that is there is never replaced", async () => {
  const settings = '# mine\nROOT_SECRET = "kept"\n';
  write(".dev.vars", settings);
  await setUp();
  expect(readFileSync(file(".dev.vars"), "utf8")).toBe(settings);
});

test("an install that was interrupted is repeated", async () => {
  // npm runs this script when all packages are in place: the last moment at which an install can be interrupted.
  writeManifests("1.0.0", { postinstall: "node hang.mjs" });
  write(
    "hang.mjs",
    'import { writeFileSync } from "node:fs"; writeFileSync("hanging", ""); setTimeout(() => {}, 60_000);',
  );
  const child = spawn(process.execPath, [file("scripts/setup.mjs")], { detached: true, stdio: "ignore" });
  await expect.poll(() => existsSync(file("hanging")), { timeout: 10_000 }).toBe(true);
  process.kill(-(child.pid ?? 0), "SIGKILL");
  await once(child, "exit");
  expect(existsSync(file("node_modules/wrangler"))).toBe(true);

  write("hang.mjs", "");
  const again = await setUp();
  expect(again.code).toBe(0);
  expect(again.output).toContain("Installing packages");
  expect(await setUp()).toEqual({ code: 0, output: "" });
});

test("another lockfile is installed", async () => {
  await setUp();
  writeManifests("1.0.1");
  expect(await setUp()).toEqual({ code: 0, output: "Installing packages (npm ci) …\n" });
});

test("when npm fails, its own words are shown, and what to do", async () => {
  mkdirSync(file("packages/added"));
  write("packages/added/package.json", { name: "added", version: "1.0.0" });
  write("package.json", { name: "tiny", version: "1.0.0", dependencies: { added: "file:packages/added" } });
  const { code, output } = await setUp({ npm_config_loglevel: "silent" });
  expect(code).toBe(1);
  expect(output).toContain("Missing: added@1.0.0 from lock file");
  expect(output).toContain("run `npm install` first");
  expect(output).not.toContain("setup.mjs:");
});

test("packages behind a link are another folder's and are not touched", async () => {
  mkdirSync(file("elsewhere"));
  write("elsewhere/package.json", {});
  symlinkSync(file("elsewhere"), file("node_modules"));
  const { code, output } = await setUp();
  expect(code).toBe(1);
  expect(output).toContain("node_modules is a link");
  expect(existsSync(file("elsewhere/package.json"))).toBe(true);
});

test("two runs at once do the work once", async () => {
  const runs = await Promise.all([setUp(), setUp()]);
  expect(runs.map((run) => run.code)).toEqual([0, 0]);
  const lines = runs.flatMap((run) => run.output.trim().split("\n")).filter(Boolean);
  expect(new Set(lines).size).toBe(lines.length);
  expect(migrationRuns()).toBe(1);
});

test("the lock of a process that is gone does not hold up a later run", async () => {
  const gone = execFileSync(process.execPath, ["-p", "process.pid"]).toString().trim();
  mkdirSync(file(".wrangler"));
  write(".wrangler/setup.lock", gone);
  expect((await setUp()).code).toBe(0);
});

test("migrations are applied when there is a new one and when the state is gone, and not otherwise", async () => {
  await setUp();
  await setUp();
  expect(migrationRuns()).toBe(1);

  write("migrations/0002_second.sql", "CREATE TABLE second (id TEXT);");
  expect((await setUp()).output).toBe("Preparing the local database …\n");
  for (const database of ["DB", "EVENTS"]) {
    expect(readFileSync(file("wrangler.log"), "utf8")).toContain(
      `d1 migrations apply ${database} --local --persist-to ${file(".wrangler/state")}\n`,
    );
  }

  rmSync(file(".wrangler/state"), { recursive: true });
  expect((await setUp()).output).toBe("Preparing the local database …\n");
  expect(existsSync(file(".wrangler/state/v3"))).toBe(true);
});

test("a Node that is too old is told so, with what to do", async () => {
  const pretend = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.18.3" } });`;
  write("pretend.mjs", pretend);
  const { code, output } = await setUp({ NODE_OPTIONS: `--import=${pathToFileURL(file("pretend.mjs")).href}` });
  expect(code).toBe(1);
  expect(output).toContain("This project needs Node 20.19 or newer; this is 20.18.3.");
  expect(output).toContain("https://nodejs.org");
});
