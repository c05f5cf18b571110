import { execFile, execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasChromium, launchChromium } from "../support/chromium.ts";
import { CLAIMS, HEADER, KID, newPair, signed, signedTexts, trustedJwk } from "../unit/support/forged-tokens.ts";

// The verifier as others get it: built, packed, unpacked into a folder with jose beside it and nothing else, and run by
// each runtime that this machine has, against an issuer on a socket.

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const CONSUMER = join(ROOT, "test/support/sdk-consumer");
const folder = mkdtempSync(join(tmpdir(), "sallyport-sdk-"));
const installed = join(folder, "node_modules/sallyport");

/** Runtimes, and how a script is run in them. */
const RUNTIMES: [name: string, command: string[]][] = [
  ["the Node of this project", [process.execPath]],
  ["the system's Node", ["/usr/bin/node"]],
  ["Deno", ["deno", "run", "--no-lock", "--node-modules-dir=manual", "--allow-net", "--allow-env"]],
  ["Bun", ["bun"]],
];

const issuer = createServer(({ url = "" }, response) => {
  const { kty, crv, x, y } = trustedJwk;
  const keys = [{ kty, crv, x, y, use: "sig", alg: "ES256", kid: KID }];
  const file = join(folder, url);
  if (url === "/.well-known/jwks.json") response.end(JSON.stringify({ keys }));
  else if (url === "/") response.setHeader("Content-Type", "text/html").end(PAGE);
  else if (!/\.m?js$/.test(url) || !existsSync(file)) response.writeHead(404).end();
  else response.setHeader("Content-Type", "text/javascript").end(readFileSync(file));
});

/** What a page needs that has no bundler: where the two packages lie. */
const PAGE = `<!doctype html><title>verifier</title><script type="importmap">${JSON.stringify({
  imports: {
    "sallyport/verify": "/node_modules/sallyport/sdk/verify.js",
    "jose/base64url": "/node_modules/jose/dist/webapi/util/base64url.js",
    "jose/jwk/thumbprint": "/node_modules/jose/dist/webapi/jwk/thumbprint.js",
  },
})}</script>`;

const originOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

beforeAll(async () => {
  await run(process.execPath, ["scripts/build-sdk.mjs"], { cwd: ROOT });
  await run("npm", ["pack", "--pack-destination", folder], { cwd: join(ROOT, "dist/sdk") });
  const archive = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "";
  mkdirSync(installed, { recursive: true });
  await run("tar", ["-xzf", archive, "-C", installed, "--strip-components=1"], { cwd: folder });
  symlinkSync(join(ROOT, "node_modules/jose"), join(folder, "node_modules/jose"));
  cpSync(CONSUMER, folder, { recursive: true });
  // Deno looks for packages beside a manifest alone.
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
});

afterAll(() => {
  issuer.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What the consumer is to verify: tokens of this minute by the issuer on the socket. */
async function work() {
  const origin = originOf(issuer);
  const iat = Math.floor(Date.now() / 1000);
  const now = { iss: origin, iat, exp: iat + 300, auth_time: iat - 30 };
  const good = await signed(now);
  const tokens = {
    good,
    expired: await signed({ ...now, iat: iat - 400, exp: iat - 100, auth_time: iat - 500 }),
    audience: await signed({ ...now, aud: "billing" }),
    type: await signed(now, { typ: "JWT" }),
    kid: await signed(now, { kid: "unknown" }),
    forged: await signed(now, {}, (await newPair()).privateKey),
    duplicate: await signedTexts(
      JSON.stringify(HEADER),
      `{"sub":"a",${JSON.stringify({ ...CLAIMS, ...now }).slice(1)}`,
    ),
    bound: await signed({ ...now, cnf: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }),
    garbage: "garbage",
  };
  return { issuer: origin, deadIssuer: "http://127.0.0.1:9", audience: CLAIMS.aud, tokens };
}

const EXPECTED = {
  good: CLAIMS.sub,
  expired: "expired",
  audience: "wrong_audience",
  type: "unsupported_header",
  kid: "unknown_key",
  forged: "bad_signature",
  duplicate: "malformed",
  bound: "proof_missing",
  garbage: "malformed",
  dead: "unavailable",
  closed: "unavailable",
  middleware: "function",
};

function versionOf(command: string): string | undefined {
  try {
    return execFileSync(command, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split(
      "\n",
    )[0];
  } catch {
    return undefined;
  }
}

describe("the package sallyport/verify", () => {
  for (const [name, [program = "", ...args]] of RUNTIMES) {
    const version = versionOf(program);
    if (version === undefined) {
      it.skip(`NOT RUN: this machine has no ${name}`, () => {});
      continue;
    }
    it(`verifies and refuses in ${name} (${version})`, async () => {
      const script = join(folder, "check.mjs");
      const { stdout } = await run(program, [...args, script, JSON.stringify(await work())], { cwd: folder });
      expect(JSON.parse(stdout)).toEqual(EXPECTED);
    });
  }

  it.runIf(hasChromium)(
    hasChromium ? "verifies and refuses in Chromium" : "NOT RUN: this machine has no Chromium",
    async () => {
      const browser = await launchChromium();
      try {
        const page = await browser.newPage();
        await page.goto(`${originOf(issuer)}/`);
        // As text: what is compiled for this process would not run in a page.
        const argument = JSON.stringify(JSON.stringify(await work()));
        const outcomes = await page.evaluate(`(async () => {
        globalThis.process = { argv: ["", "", ${argument}] };
        const printed = new Promise((resolve) => { console.log = resolve; });
        await import("/check.mjs");
        return printed;
      })()`);
        expect(JSON.parse(String(outcomes))).toEqual(EXPECTED);
      } finally {
        await browser.close();
      }
    },
  );

  it("has one door, one dependency, and no sources in it", () => {
    const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    const root = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    expect(Object.keys(manifest.exports)).toEqual(["./verify", "./package.json"]);
    expect(manifest.dependencies).toEqual({ jose: root.dependencies.jose });
    expect(manifest).toMatchObject({ name: "sallyport", version: root.version, type: "module" });
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
    expect(files).toEqual(expect.arrayContaining(["LICENSE", "README.md", "sdk/verify.js", "sdk/verify.d.ts"]));
    expect(files.filter((file) => /(?<!\.d)\.ts$|^tokens|^http|^keys/.test(file))).toEqual([]);
  });

  it("loads nothing but itself and jose", () => {
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".js"));
    const names = files.flatMap((file) =>
      [...readFileSync(join(installed, file), "utf8").matchAll(/\bfrom "([^".][^"]*)"/g)].map(
        ([, specifier]) => specifier,
      ),
    );
    expect(names).not.toEqual([]);
    expect(names.filter((specifier) => !specifier?.startsWith("jose/"))).toEqual([]);
  });

  it("has types that a strict compiler takes, and that say no where it should", async () => {
    symlinkSync(join(ROOT, "node_modules/hono"), join(folder, "node_modules/hono"));
    const compilerOptions = {
      ...{ strict: true, noEmit: true, module: "nodenext", target: "es2022", lib: ["es2022", "dom"], types: [] },
      ...{ skipLibCheck: false, exactOptionalPropertyTypes: true },
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    expect(existsSync(tsc)).toBe(true);
    const outcome = await run(process.execPath, [tsc, "-p", folder]).catch((error: { stdout: string }) => error);
    expect(outcome.stdout).toBe("");
  });
});
