import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Instance, startInstance } from "../../scripts/instance.mjs";

const ROOT = join(import.meta.dirname, "../..");
let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
});
afterAll(() => instance.stop());

/** Runs the command against the instance. */
function events(...args: string[]): Promise<{ code: number; output: string }> {
  const command = ["scripts/events.mjs", ...args, "--state", instance.state, "--url", instance.url];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

/** Does something to the second database, as whoever may write to it. */
async function execute(sql: string): Promise<void> {
  const wrangler = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  const where = ["d1", "execute", "EVENTS", "--local", "--persist-to", instance.state, "--command", sql];
  await promisify(execFile)(process.execPath, [wrangler, ...where], { cwd: ROOT });
}

/** Each of the commands asks wrangler a few times, which takes a second each where nothing else runs. */
const COMMANDS_MS = 180_000;

test("events are listed, their chain is checked, and what somebody has changed is named", {
  timeout: COMMANDS_MS,
}, async () => {
  const insert = (id: string, kind: string) =>
    `INSERT INTO events (id, at, kind, account, source, routine, detail) VALUES ('${id}', 1795348800000, '${kind}', 'a1', '192.0.2.0/24', 0, '{"reason":"wrong_password"}');`;
  await execute(insert("e1", "authn_login_fail") + insert("e2", "authn_login_fail") + insert("e3", "authn_login_lock"));
  const listed = await events("list", "--kind", "authn_login_fail", "--since", "2026-11-22");
  expect(listed).toEqual({
    code: 0,
    output: expect.stringMatching(/^1 {2}2026-11-22 12:00:00 {2}authn_login_fail {2}wrong_password .*\n2 {2}/),
  });
  expect(listed.output).not.toContain("authn_login_lock");

  // The first one is executed by the cron that links.
  await events("verify");
  const whole = await events("verify", "--json");
  expect(whole.code).toBe(0);
  expect(JSON.parse(whole.output)).toMatchObject({ kind: "chain_whole", events: 3, first_seq: 1, last_seq: 3 });

  await execute("DROP TRIGGER events_stay; UPDATE events SET kind = 'authn_login_success' WHERE id = 'e2';");
  expect(await events("verify")).toEqual({
    code: 1,
    output: expect.stringContaining("BROKEN: event 2 is not what was linked"),
  });
});

test("what cannot be done is said", { timeout: COMMANDS_MS }, async () => {
  expect(await events("burn")).toEqual({ code: 1, output: expect.stringContaining('no command "burn"') });
  expect(await events("list", "--since", "yesterday")).toEqual({
    code: 1,
    output: expect.stringContaining("is no time"),
  });
  expect(await events("verify", "now")).toEqual({
    code: 1,
    output: expect.stringContaining("npm run events -- <command>"),
  });
});
