import { execFile } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Instance, startInstance } from "../../scripts/instance.mjs";
import { expectProblem, get, send, talkTo, text, verifiedPerson } from "../support/client.ts";
import { freshByPasskey } from "../support/life-client.ts";
import { passkeyPerson } from "../support/passkey-client.ts";
import { sharedInstance } from "../support/shared-instance.ts";

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance();
  talkTo(instance.url);
});
afterAll(async () => {
  talkTo(sharedInstance());
  await instance.stop();
});

/** Runs the command against the instance. */
function admin(...args: string[]): Promise<{ code: number; output: string }> {
  const command = ["scripts/admin.mjs", ...args, "--state", instance.state, "--url", instance.url];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

/** Each of the commands asks wrangler a few times, which takes a second each where nothing else runs. */
const COMMANDS_MS = 180_000;

test("the first admin is made by a command, reads and invites, and is unmade by another", {
  timeout: COMMANDS_MS,
}, async () => {
  const person = await passkeyPerson();
  expectProblem(await get("/admin/api/stats", { bearer: person.session.access }), 403, "forbidden");
  const granted = await admin("grant", person.email);
  expect(granted).toEqual({ code: 0, output: expect.stringContaining("is an admin from now on") });
  const bearer = await freshByPasskey(person);
  const found = await get(`/admin/api/users?email=${encodeURIComponent(person.email)}`, { bearer });
  expect(found.body).toMatchObject({ email: person.email, roles: ["admin"], status: "active" });
  const invited = await send("POST", "/admin/api/users/invite", { email: "guest@example.com" }, { bearer });
  expect(text(invited, "status")).toBe("invited");
  const revoked = await admin("revoke", person.email);
  expect(revoked).toEqual({ code: 0, output: expect.stringContaining("is no admin any more") });
  expectProblem(await get("/admin/api/stats", { bearer }), 401, "invalid_token");
});

test("a person without a factor is told what is missing", { timeout: COMMANDS_MS }, async () => {
  const person = await verifiedPerson();
  expect(await admin("grant", person.email)).toEqual({ code: 1, output: expect.stringContaining("no second factor") });
  expect(await admin("grant")).toEqual({ code: 1, output: expect.stringContaining("npm run admin -- <command>") });
  expect(await admin("burn", person.email)).toEqual({ code: 1, output: expect.stringContaining('no command "burn"') });
});
