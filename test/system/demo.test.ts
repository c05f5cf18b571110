import { spawn } from "node:child_process";
import { describe, expect, test } from "vitest";

type Run = { code: number | null; output: string; seconds: number };

/** Runs `npm run demo` without its set-up, as a program whose output goes into a pipe. */
function runDemo(...nodeOptions: string[]): Promise<Run> {
  const started = Date.now();
  const child = spawn(process.execPath, [...nodeOptions, "scripts/demo.mjs"]);
  let output = "";
  const read = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, output, seconds: (Date.now() - started) / 1000 }));
  });
}

/** Module text for `--import` that turns the answer of one path into a 500, as a broken service would give it. */
const breaking = (path: string) =>
  `data:text/javascript,${encodeURIComponent(`
  const real = globalThis.fetch;
  globalThis.fetch = (url, init) =>
    String(url).endsWith("${path}") ? Promise.resolve(new Response("{}", { status: 500 })) : real(url, init);
`)}`;

/** In this order, each after a request and its answer. */
const PROOFS = [
  "✓ one factor so far: aal1",
  "✓ the factor is active",
  "✓ no session, no access token, no refresh token, no profile",
  "✓ no cookie",
  "✓ some attempts remain",
  "✓ two factors: aal2",
  "✓ another refresh token",
  "✓ one session: neither the challenges nor the replay opened any",
  "✓ a newer proof than that of the sign-in",
  "What was shown",
  "npm run dev",
];

describe("npm run demo", () => {
  test("walks through both doors and shows no secret whole", async () => {
    const { code, output, seconds } = await runDemo();
    expect(code, output).toBe(0);
    expect(seconds).toBeLessThan(20);
    const places = PROOFS.map((line) => output.indexOf(line));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect(output).toContain('"code": "invalid_code"');
    expect(output).toContain('"code": "invalid_refresh_token"');
    expect(output).toContain("(a QR code, ");

    expect(output, "a whole token").not.toMatch(/[A-Za-z0-9._~-]{40}/);
    expect(output, "a whole TOTP secret").not.toMatch(/[A-Z2-7]{32}/);
    expect(output, "a whole recovery code").not.toMatch(/(?:[0-9A-Z]{4}-){5}/);
    expect(output, "a whole secret").not.toMatch(/"(?:password|secret|\w*token)": "[^"]*[^"…]"/);
    expect(output, "a picture").not.toContain("<svg");
    expect(output, "colours in a pipe").not.toContain("\u001b");
  });

  test("ends with a clear message and exit code 1 at the first unexpected answer, and leaves nothing running", async () => {
    const { code, output } = await runDemo("--import", breaking("/auth/login"));
    expect(code, output).toBe(1);
    expect(output).toContain("✗ POST /auth/login should have answered 200, but answered 500.");
    expect(output).not.toContain("What was shown");
    const url = /^Sallyport: (\S+)$/m.exec(output)?.[1] ?? "";
    await expect(fetch(url)).rejects.toThrow("fetch failed");
  });
});
