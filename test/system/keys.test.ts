import { execFile } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Instance, startInstance } from "../../scripts/instance.mjs";

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance.stop());

/** Runs the command against the instance. */
function keys(...args: string[]): Promise<{ code: number; output: string }> {
  const command = ["scripts/keys.mjs", ...args, "--state", instance.state, "--url", instance.url];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

async function published(): Promise<string[]> {
  const response = await fetch(`${instance.url}/.well-known/jwks.json`);
  const { keys: jwks } = (await response.json()) as { keys: { kid: string }[] };
  return jwks.map(({ kid }) => kid);
}

/** Each of the commands asks wrangler a few times, which takes a second each where nothing else runs. */
const COMMANDS_MS = 120_000;

test("keys are listed, rotated when caches know them, and dropped", { timeout: COMMANDS_MS }, async () => {
  const before = await published();
  expect(before).toHaveLength(2);
  const list = await keys("list");
  expect(list.code).toBe(0);
  expect(list.output).toMatch(new RegExp(`^signing +${before[0]} +active `, "m"));
  expect(list.output).toMatch(new RegExp(`^signing +${before[1]} +next `, "m"));
  expect(list.output).toMatch(/^digest +digest\.1 +active /m);
  expect(list.output).toContain("sealed by the root secret");

  const rotated = await keys("rotate");
  expect(rotated).toEqual({ code: 0, output: expect.stringContaining(`${before[1]} comes into use at `) });
  expect(await published()).toEqual(before);

  const dropped = await keys("drop", before[0] ?? "", "--json", "--as", "Grace");
  expect(JSON.parse(dropped.output)).toMatchObject({
    kind: "dropped",
    key: before[0],
    epoch: 2,
    signing_key: before[1],
  });
  expect(await published()).toEqual([before[1], expect.any(String)]);
});

test("what cannot be done is said, and nothing is done", { timeout: COMMANDS_MS }, async () => {
  const before = await published();
  expect(await keys("drop", "pepper.1")).toEqual({ code: 1, output: expect.stringContaining("never dropped") });
  expect(await keys("drop")).toEqual({ code: 1, output: expect.stringContaining("npm run keys -- <command>") });
  expect(await keys("burn")).toEqual({ code: 1, output: expect.stringContaining('no command "burn"') });
  expect(await published()).toEqual(before);
});
