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

/** What waits for its first use: the passkey library and everything it brings, QR codes, and hashes of other services. */
const LAZY = ["@simplewebauthn/server", "@peculiar/x509", "reflect-metadata", "tsyringe", "asn1js", "qr", "bcryptjs"];

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
  it("evaluates less than 360 KiB of minified JavaScript at its start: some 120 KiB compressed", () => {
    const { atStart } = evaluationOf("deployed");
    const size = [...atStart.values()].reduce((sum, bytes) => sum + bytes, 0);
    // Something has to be there to be small.
    expect(size).toBeGreaterThan(60 * 1024);
    expect(size).toBeLessThan(360 * 1024);
  });

  it.each(LAZY)("evaluates %s when it is first needed, and not before", (name) => {
    const { atStart, later } = evaluationOf("deployed");
    const isOf = (path: string) => path.includes(`node_modules/${name}/`);
    expect([...later.keys()].filter(isOf)).not.toEqual([]);
    expect([...atStart.keys()].filter(isOf)).toEqual([]);
  });

  it("is a script of less than 265 KiB, compressed", () => {
    const scripts = [...deployed].filter(([name]) => name.endsWith(".js")).map(([, bytes]) => gzipSync(bytes).length);
    expect(scripts.reduce((sum, length) => sum + length, 0)).toBeLessThan(265 * 1024);
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
    // The passkey library knows the words, for keys in PEM; a key has dashes behind them.
    expect(holding(deployed, "PRIVATE KEY-----")).toEqual([]);
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
    [
      join(ROOT, "node_modules/wrangler/bin/wrangler.js"),
      "deploy",
      "--dry-run",
      "--outdir",
      out,
      "--metafile",
      notesOf(name),
      ...options,
    ],
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

/** What the bundler notes about a build, beside it. */
const notesOf = (name: string) => join(folder, `${name}.json`);

/** As much as is read of esbuild's metafile. */
interface Metafile {
  inputs: Record<string, { imports: { path: string; kind: string }[] }>;
  outputs: Record<string, { entryPoint?: string; inputs: Record<string, { bytesInOutput: number }> }>;
}

/** The sources in the script with their bytes there: those that the entry imports, and those that only `import()` names. */
function evaluationOf(name: string): { atStart: Map<string, number>; later: Map<string, number> } {
  const { inputs, outputs } = JSON.parse(readFileSync(notesOf(name), "utf8")) as Metafile;
  const script = Object.values(outputs).find(({ entryPoint }) => entryPoint !== undefined);
  const reached = new Set<string>();
  const follow = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const next of inputs[path]?.imports ?? []) if (next.kind !== "dynamic-import") follow(next.path);
  };
  follow(script?.entryPoint ?? "");
  const sources = Object.entries(script?.inputs ?? {}).map(
    ([path, { bytesInOutput }]) => [path, bytesInOutput] as const,
  );
  return {
    atStart: new Map(sources.filter(([path]) => reached.has(path))),
    later: new Map(sources.filter(([path]) => !reached.has(path))),
  };
}

function holding(files: Map<string, Buffer>, text: string): string[] {
  return [...files].filter(([, bytes]) => bytes.includes(text)).map(([name]) => name);
}
