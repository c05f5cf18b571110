import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Instance, startInstance } from "../../scripts/instance.mjs";
import { Authenticator } from "../support/authenticator.ts";
import { answerChallenge, logIn, newPerson, talkTo, text } from "../support/client.ts";
import { sharedInstance } from "../support/shared-instance.ts";

const PASSWORD = "quiet ducks on a pond";
/** Made by pyca/bcrypt, at the least that bcrypt can cost. */
const HASH = "$2b$04$abcdefghijklmnopqrstuu/Gz6vEbQ/NT7ZScNn1HJLL8OSgSUDIu";
const SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

const folder = mkdtempSync(join(tmpdir(), "sallyport-import-"));
const file = join(folder, "users.ndjson");
let instance: Instance;

beforeAll(async () => {
  instance = await startInstance();
  talkTo(instance.url);
});

afterAll(async () => {
  talkTo(sharedInstance());
  await instance.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the operators' command against the instance. */
function operator(args: string[], url = instance.url): Promise<{ code: number; output: string }> {
  const command = ["scripts/operator.mjs", ...args, "--state", instance.state, "--url", url];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

const notes = (kind: string) =>
  readFileSync(`${file}.${kind}.ndjson`, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);

/** Each of the commands asks wrangler some five times, which takes a second each where nothing else runs. */
const COMMANDS_MS = 180_000;

test("users are imported, and an import that broke off goes on where it was", { timeout: COMMANDS_MS }, async () => {
  const [plain, guarded, late] = [newPerson(), newPerson(), newPerson()].map((one) => ({ ...one, password: PASSWORD }));
  if (!plain || !guarded || !late) throw new Error("nobody to import");
  const lines = [
    JSON.stringify({ email: plain.email, password_hash: HASH, email_verified: true }),
    "",
    JSON.stringify({ email: guarded.email, password_hash: HASH, totp_secrets: [SECRET] }),
    "{ this is not JSON",
    JSON.stringify({ email: late.email, password_hash: HASH.replace("$04$", "$14$") }),
    JSON.stringify({ email: "admin@mail.example", roles: ["admin"] }),
  ];
  writeFileSync(file, lines.join("\n"));

  // Nobody listens there: the rows are written, and never executed.
  const broken = await operator(["import", file, "--emails-verified"], "http://127.0.0.1:1");
  expect(broken).toEqual({ code: 1, output: expect.stringContaining("does not answer") });
  expect(existsSync(`${file}.progress.json`)).toBe(true);
  expect(readFileSync(`${file}.progress.json`, "utf8")).not.toContain("mail.example");

  const other = await operator(["import", file]);
  expect(other).toEqual({ code: 1, output: expect.stringContaining("other options") });

  const { code, output } = await operator(["import", file, "--emails-verified"]);
  expect(output).toMatch(/Going on where .* interrupted/);
  expect(output).toMatch(
    /^ +3 {2}imported\n +1 {2}of them need a new password.*\n +0 {2}had an account.*\n +2 {2}refused: /m,
  );
  expect(code).toBe(0);
  expect(notes("refused")).toEqual([
    { line: 4, reason: "is not JSON" },
    { line: 6, email: "admin@mail.example", reason: expect.stringContaining('"admin"') },
  ]);
  expect(notes("reset-needed")).toEqual([{ line: 5, email: late.email, reason: "bcrypt with a cost above 11" }]);
  expect(existsSync(`${file}.progress.json`)).toBe(false);

  expect((await logIn(plain)).body.status).toBe("authenticated");
  const challenge = text(await logIn(guarded), "challenge_token");
  const answered = await answerChallenge(challenge, await new Authenticator(SECRET).next());
  expect(answered.body.status).toBe("authenticated");
  expect((await logIn(late)).status).toBe(401);
});

test.each([
  ["no command", [], 0, "npm run operator -- <command>"],
  ["an unknown command", ["reset"], 1, 'There is no command "reset".'],
  ["an unknown option", ["list", "--all"], 1, "--all"],
  ["a file that is not there", ["import", "/nowhere/users.ndjson"], 1, "There is no file /nowhere/users.ndjson."],
  ["a name that is none", ["list", "--as", "two words"], 1, "--as <name>"],
])("%s: says what to do, without a stack trace", async (_, args, code, sentence) => {
  const answer = await operator(args);
  expect(answer).toEqual({ code, output: expect.stringContaining(sentence) });
  expect(answer.output).not.toMatch(/^ +at /m);
});
