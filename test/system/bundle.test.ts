import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

// What would be deployed, built as a deployment builds it, with nothing but the files of the project: no account, no
// network. A second build turns the development mailbox on, to show that what is looked for can be found.

const ROOT = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "sallyport-bundle-"));
/** In the environment of the build, where a careless one would pick it up. */
const CANARY = randomBytes(32).toString("base64url");
/** What only the mailbox brings: its route, and the name of its transport, which the bundler keeps. */
const MAILBOX = ["/dev/mailbox", "mailboxTransport"];

let deployed: Map<string, Buffer>;
let development: Map<string, Buffer>;

beforeAll(async () => {
  [deployed, development] = await Promise.all([
    build("deployed"),
    build("development", "--define", "DEVELOPMENT_MAILBOX:true"),
  ]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the bundle that is deployed", () => {
  it("evaluates less than 70 KiB of JavaScript at its start, compressed", () => {
    const scripts = [...deployed].filter(([name]) => name.endsWith(".js")).map(([, bytes]) => gzipSync(bytes).length);
    const size = scripts.reduce((sum, length) => sum + length, 0);
    // Something has to be there to be small.
    expect(size).toBeGreaterThan(20 * 1024);
    expect(size).toBeLessThan(70 * 1024);
  });

  it("carries the list of common passwords and Argon2 as data beside it", () => {
    const names = [...deployed.keys()].join(" ");
    expect(names).toMatch(/blocklist\.bin/);
    expect(names).toMatch(/argon2\.wasm/);
  });

  it.each(MAILBOX)("has nothing of the development mailbox: %s", (marker) => {
    expect(holding(deployed, marker)).toEqual([]);
    expect(holding(development, marker)).not.toEqual([]);
  });

  it("holds no secret", () => {
    const file = join(ROOT, ".dev.vars");
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
    const local = lines.map((line) => line.split("=", 2)[1]?.replaceAll(/^["']|["']$/g, "") ?? "");
    for (const secret of [CANARY, process.env.ROOT_SECRET ?? "", ...local].filter((text) => text.length >= 32)) {
      expect(holding(deployed, secret)).toEqual([]);
    }
    expect(holding(deployed, "PRIVATE KEY")).toEqual([]);
  });

  it("names no folder of the machine that built it", () => {
    for (const path of [ROOT, homedir(), folder, "node_modules/", "file://"]) {
      // The root folder of a container is no name.
      if (path.length > 1) expect(holding(deployed, path), path).toEqual([]);
    }
  });
});

/** The files of one build that would be uploaded, by name. A source map and a note lie beside them and stay here. */
async function build(name: string, ...options: string[]): Promise<Map<string, Buffer>> {
  const out = join(folder, name);
  await promisify(execFile)(
    process.execPath,
    [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), "deploy", "--dry-run", "--outdir", out, ...options],
    {
      cwd: ROOT,
      env: {
        PATH: process.env.PATH,
        ROOT_SECRET: CANARY,
        // A home of its own: whatever is signed in or noted on this machine has no part in it.
        HOME: folder,
        XDG_CONFIG_HOME: folder,
        WRANGLER_LOG_PATH: join(folder, "logs"),
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
      },
    },
  );
  const names = readdirSync(out).filter((file) => !/\.map$|^README\.md$/.test(file));
  return new Map(names.map((file) => [file, readFileSync(join(out, file))]));
}

function holding(files: Map<string, Buffer>, text: string): string[] {
  return [...files].filter(([, bytes]) => bytes.includes(text)).map(([name]) => name);
}
