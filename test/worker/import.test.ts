import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import { AccountStore } from "../../src/account/account-store.ts";
import { emailKey } from "../../src/directory/email-key.ts";
import { type User, usersOf } from "../../src/directory/users.ts";
import { NO_PASSWORD } from "../../src/passwords/password-hash.ts";
import { IMPORT_KEY_TTL_MS, OPERATION_ATTEMPTS, OPERATION_LAPSE_MS } from "../../src/policy.ts";
import { answer, call, codeOf, logIn, newGuardedPerson, newPerson } from "../support/in-worker.ts";
import { ask, askImport, importAll, importKey, operation, resultOf, runMinute } from "./support/operations.ts";

/** Made by pyca/bcrypt, at the least that bcrypt can cost. */
const TYPED = "quiet ducks on a pond";
const HASH = "$2b$04$abcdefghijklmnopqrstuu/Gz6vEbQ/NT7ZScNn1HJLL8OSgSUDIu";
const SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

const newEmail = () => `imported.${crypto.randomUUID()}@example.com`;
const line = (changes: object = {}) => ({ email: newEmail(), password_hash: HASH, ...changes });
const stored = (email: string) => usersOf(env.DB).findByEmailKey(emailKey(email) ?? "");
const personOf = (email: string, password = TYPED) => ({ id: "", email, password });
const countUsers = () => env.DB.prepare("SELECT count(*) AS n FROM users").first<number>("n");

/** Everything of an account, in both stores. */
async function everythingOf({ id }: User) {
  const row = await env.DB.prepare("SELECT * FROM users WHERE id = ?").bind(id).first();
  const inside = await runInDurableObject(env.ACCOUNTS.getByName(id), (_, { storage }) => {
    const store = new AccountStore(storage.sql);
    return { guard: store.guard(), factors: store.factors() };
  });
  return { row, ...inside };
}

describe("an imported account", () => {
  it("signs in with its password, which is hashed anew, and then with the new hash", async () => {
    const { email } = await importOne();
    const first = await stored(email);
    expect(first?.password).toMatch(/^\{"made":\{"scheme":"bcrypt","cost":4\}/);
    expect((await logIn(personOf(email, "quiet ducks on a pont"))).body.code).toBe("sign_in_failed");
    expect((await logIn(personOf(email))).body.status).toBe("authenticated");
    expect((await stored(email))?.password).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1,keyid=/);
    expect((await logIn(personOf(email))).body.status).toBe("authenticated");
  });

  it("was hashed elsewhere as it was typed, and here in its normal form", async () => {
    // The same text twice, composed and decomposed; pyca/bcrypt over the decomposed one.
    const typed = "le\u0300tmein, I was here";
    const { email } = await importOne({
      password_hash: "$2b$04$abcdefghijklmnopqrstuuWIJg.gPgDGrF5J7KqzVgDwGm0P2BJgi",
    });
    expect((await logIn(personOf(email, typed.normalize("NFC")))).status).toBe(401);
    expect((await logIn(personOf(email, typed))).status).toBe(200);
    expect((await logIn(personOf(email, typed.normalize("NFC")))).status).toBe(200);
  });

  it("is recovered with its password as it was typed, before any sign-in", async () => {
    const { email } = await importOne({
      password_hash: "$2b$04$abcdefghijklmnopqrstuuWIJg.gPgDGrF5J7KqzVgDwGm0P2BJgi",
      totp_secrets: [SECRET],
    });
    await call("/auth/recovery/start", { email, password: "le\u0300tmein, I was here" });
    expect((await call(`/dev/mailbox?to=${encodeURIComponent(email)}`)).text).toContain("/confirm-recovery#token=");
  });

  it("keeps its authenticator app: its password alone opens nothing", async () => {
    const { email } = await importOne({ totp_secrets: ["jbsw y3dp ehpk 3pxp", SECRET] });
    const { body } = await logIn(personOf(email));
    expect(body).toMatchObject({ status: "challenge", methods: ["totp"] });
    const answered = await answer(body.challenge_token, codeOf(SECRET, Date.now()));
    expect(answered.body).toMatchObject({ status: "authenticated" });
    expect(decodeJwt(String(answered.body.access_token))).toMatchObject({ acr: "aal2", amr: ["pwd", "otp", "mfa"] });
  });

  it("has the roles and the date of the file", async () => {
    const { email } = await importOne({ roles: ["editor", "editor"], created_at: "2020-02-29T12:00:00+01:00" });
    const user = await stored(email);
    expect(user).toMatchObject({ email, emailVerified: true, status: "active", roles: ["editor"], passwordVersion: 1 });
    expect(user?.createdAt).toBe(Date.UTC(2020, 1, 29, 11));
  });

  it("has no password where its hash costs too much or is missing", async () => {
    const costly = line({ password_hash: HASH.replace("$04$", "$12$") });
    const { password_hash: _, ...without } = line();
    const result = await importAll([costly, without]);
    expect(result).toMatchObject({ imported: 2, refused: [] });
    expect(result.reset_needed).toEqual([
      { line: 1, reason: "bcrypt with a cost above 11" },
      { line: 2, reason: "no password hash" },
    ]);
    for (const { email } of [costly, without]) {
      expect((await stored(email))?.password).toBe(NO_PASSWORD);
      for (const password of [TYPED, ""]) expect((await logIn(personOf(email, password))).status).toBe(401);
    }
  });

  it("is verified only where the file or the operator says so", async () => {
    const lines = [line(), line({ email_verified: false }), line({ email_verified: true })];
    const unproven = { reason: "nobody has proven the address" };
    const { reset_needed } = await importAll(lines, { emailsVerified: false });
    expect(reset_needed).toEqual([
      { line: 1, ...unproven },
      { line: 2, ...unproven },
    ]);
    const verified = await Promise.all(lines.map(async ({ email }) => (await stored(email))?.emailVerified));
    expect(verified).toEqual([false, false, true]);
  });
});

it("what is disabled there is disabled here, whatever password comes with it", async () => {
  const disabled = line({ disabled: true });
  expect(await importAll([disabled])).toMatchObject({ imported: 1, refused: [] });
  expect((await stored(disabled.email))?.status).toBe("disabled");
  expect((await logIn(personOf(disabled.email))).status).toBe(401);
});

describe("the same file twice", () => {
  it("changes nothing", async () => {
    const lines = [line(), line({ totp_secrets: [SECRET] }), line({ password_hash: null })];
    expect(await importAll(lines)).toMatchObject({ imported: 3, present: 0 });
    const users = (await Promise.all(lines.map(({ email }) => stored(email)))).filter((user) => user !== undefined);
    const before = await Promise.all(users.map(everythingOf));
    const count = await countUsers();
    expect(await importAll(lines)).toMatchObject({ imported: 0, present: 3, reset_needed: [], refused: [] });
    expect(await Promise.all(users.map(everythingOf))).toEqual(before);
    expect(await countUsers()).toBe(count);
  });

  it("touches nobody who has registered here, with or without a factor", async () => {
    const people = [await newPerson(), await newGuardedPerson()];
    const users = (await Promise.all(people.map(({ email }) => stored(email)))).filter((user) => user !== undefined);
    const before = await Promise.all(users.map(everythingOf));
    const lines = people.map(({ email }) =>
      line({ email: email.toUpperCase(), totp_secrets: [SECRET], roles: ["root"] }),
    );
    expect(await importAll(lines)).toMatchObject({ imported: 0, present: 2 });
    expect(await Promise.all(users.map(everythingOf))).toEqual(before);
    expect((await logIn(people[0] ?? personOf(""))).status).toBe(200);
  });

  it("takes the first line of an address that comes twice, and says what came of the other", async () => {
    const email = newEmail();
    const lines = [line({ email, roles: ["first"] }), line({ email, roles: ["second"], totp_secrets: [SECRET] })];
    const refused = [{ line: 2, reason: "has the address of line 1, which was imported" }];
    expect(await importAll(lines)).toMatchObject({ imported: 1, present: 0, refused });
    expect((await stored(email))?.roles).toEqual(["first"]);
    expect((await logIn(personOf(email))).body.status).toBe("authenticated");
  });
});

/** An operation is begun a moment after its cron. */
const LAPSED_MS = OPERATION_LAPSE_MS + 1_000;

describe("an import that is interrupted", () => {
  /** Bindings whose database fails at the statement that adds users, before or after it has done its work. */
  function failingAt(when: "before" | "after"): object {
    const prepare = (sql: string) => {
      const statement = env.DB.prepare(sql);
      if (!sql.includes("INSERT INTO users")) return statement;
      const run = async (...values: unknown[]) => {
        if (when === "after") await statement.bind(...values).run();
        throw new Error("interrupted");
      };
      return { bind: (...values: unknown[]) => ({ run: () => run(...values) }) };
    };
    return { ...env, DB: { prepare, batch: (all: D1PreparedStatement[]) => env.DB.batch(all) } };
  }

  it.each(["before", "after"] as const)("%s the directory was written: nobody loses an app", async (when) => {
    const email = newEmail();
    const id = await askImport(await importKey(), [line({ email, totp_secrets: [SECRET] })]);
    const start = Date.now();
    await runMinute(start, failingAt(when));
    expect(await operation(id)).toMatchObject({ state: "waiting", attempts: 1 });
    // Never an account that the password alone opens.
    const meanwhile = await logIn(personOf(email));
    expect(meanwhile.body.status ?? meanwhile.status).toBe(when === "before" ? 401 : "challenge");
    await runMinute(start + LAPSED_MS);
    expect(await resultOf(id)).toMatchObject({ imported: 1, present: 0 });
    const { body } = await logIn(personOf(email));
    expect((await answer(body.challenge_token, codeOf(SECRET, Date.now()))).status).toBe(200);
  });

  it("leaves no factor behind when somebody has registered the address meanwhile", async () => {
    const email = newEmail();
    const id = await askImport(await importKey(), [line({ email, totp_secrets: [SECRET] })]);
    const start = Date.now();
    const before = await listObjects();
    await runMinute(start, failingAt("before"));
    const [made] = (await listObjects()).filter((object) => !before.includes(object));
    expect(await factorsIn(made)).toBe(1);
    const other = { id: crypto.randomUUID(), email, emailKey: email, password: NO_PASSWORD, createdAt: start };
    await usersOf(env.DB).add(other);
    await runMinute(start + LAPSED_MS);
    expect(await resultOf(id)).toMatchObject({ imported: 0, present: 1 });
    expect((await stored(email))?.id).toBe(other.id);
    expect(await factorsIn(made)).toBe(0);
  });

  it("is given up when it breaks off each time, and keeps no other from being executed", async () => {
    const start = Date.now();
    const poisoned = await ask("invite", { email: 1 });
    const healthy = await ask("import_key", {});
    for (let minute = 0; minute <= OPERATION_ATTEMPTS; minute += 1) {
      await runMinute(start + minute * LAPSED_MS);
      expect((await operation(healthy)).state).toBe("done");
    }
    expect(await operation(poisoned)).toMatchObject({ state: "done", payload: "" });
    expect(await resultOf(poisoned)).toHaveProperty("failed");
  });

  it("is not begun twice at once", async () => {
    const id = await askImport(await importKey(), [line()]);
    await Promise.all([runMinute(), runMinute(), runMinute()]);
    expect(await operation(id)).toMatchObject({ state: "done", attempts: 1 });
  });
});

describe("what an import leaves in D1", () => {
  it("is readable at no time", async () => {
    const email = newEmail();
    const id = await askImport(await importKey(), [line({ email, totp_secrets: [SECRET] })]);
    const { payload } = await operation(id);
    for (const secret of [email, HASH, HASH.slice(-31), SECRET, "totp"]) expect(payload).not.toContain(secret);
    await runMinute();
    expect(await operation(id)).toMatchObject({ state: "done", payload: "" });
    const everything = JSON.stringify([
      await env.DB.prepare("SELECT * FROM operations").all(),
      await env.DB.prepare("SELECT * FROM users").all(),
    ]);
    for (const secret of [HASH.slice(-31), SECRET]) expect(everything).not.toContain(secret);
  });

  it("is of no use once its key is a day old, and then the key is gone", async () => {
    const key = await importKey();
    const id = await askImport(key, [line()]);
    await runMinute(Date.now() + IMPORT_KEY_TTL_MS);
    expect(await resultOf(id)).toEqual({ refused: "import_key_gone" });
    expect((await operation(key.id)).payload).toBe("");
  });

  it("opens with its own key alone", async () => {
    const [one, other] = [await importKey(), await importKey()];
    const id = await askImport({ ...one, id: other.id }, [line()]);
    await runMinute();
    expect(await resultOf(id)).toEqual({ refused: "import_key_gone" });
  });
});

it("says which line is refused and why, and imports the others", async () => {
  const good = line();
  const lines = [line({ email: "nobody" }), good, line({ password_hash: "plain text" }), line({ roles: ["Admin"] })];
  const result = await importAll(lines);
  expect(result).toMatchObject({ imported: 1, present: 0 });
  expect(result.refused.map(({ line }) => line)).toEqual([1, 3, 4]);
  expect(JSON.stringify(result)).not.toContain("plain text");
  expect(await stored(good.email)).toBeDefined();
});

it("refuses an address that its owner can still ask back", async () => {
  const email = newEmail();
  const until = Date.now() + 60_000;
  await env.DB.prepare("INSERT INTO reserved_emails VALUES (?, ?, ?)").bind(email, "somebody", until).run();
  const result = await importAll([line({ email, totp_secrets: [SECRET] })]);
  expect(result).toMatchObject({
    imported: 0,
    present: 0,
    refused: [{ line: 1, reason: expect.stringContaining("kept") }],
  });
  expect(await stored(email)).toBeUndefined();
});

async function importOne(changes: object = {}): Promise<{ email: string }> {
  const one = line(changes);
  expect(await importAll([one])).toMatchObject({ imported: 1, refused: [] });
  return one;
}

async function listObjects(): Promise<string[]> {
  return (await listDurableObjectIds(env.ACCOUNTS)).map(String);
}

function factorsIn(object: string | undefined): Promise<number> {
  const stub = env.ACCOUNTS.get(env.ACCOUNTS.idFromString(object ?? ""));
  return runInDurableObject(stub, (_, { storage }) => new AccountStore(storage.sql).factors().length);
}
