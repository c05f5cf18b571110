import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { ASSERTIONS_FROM_SOURCE } from "../../src/policy.ts";
import { type Answer, call, claimsOf, newSource, type Person, refresh } from "../support/in-worker.ts";
import { guardOf, sessionIdsOf } from "./support/account.ts";
import { Browser } from "./support/browser.ts";
import { newPasskeyPerson, type PasskeyPerson, signInByPasskey } from "./support/passkeys.ts";

const setUser = (column: "roles" | "status", { id }: Person, value: string) =>
  env.DB.prepare(`UPDATE users SET ${column} = ? WHERE id = ?`).bind(value, id).run();

let person: PasskeyPerson;
beforeEach(async () => {
  person = await newPasskeyPerson();
});

describe("the roles of a sign-in by passkey alone", () => {
  it("are the directory's, in the token, in those of its session and in the next sign-in", async () => {
    for (const roles of [["editor"], ["admin", "editor"], []]) {
      await setUser("roles", person, JSON.stringify(roles));
      const { body } = await signInByPasskey(person.key);
      expect(claimsOf(body.access_token).roles).toEqual(roles);
      const next = (await refresh(body.refresh_token)).body;
      expect(claimsOf(next.access_token).roles).toEqual(roles);
      expect((await call("/auth/me", undefined, { bearer: next.access_token })).body.roles).toEqual(roles);
      expect(claimsOf((await signInByPasskey(person.key)).body.access_token).roles).toEqual(roles);
    }
  });
});

/** A right assertion that opened nothing: no token, no cookie, no session. */
async function expectNothingOpened(attempt: () => Promise<Answer>, expected: { status: number; code: string }) {
  const sessions = await sessionIdsOf(person);
  const { status, body, text, headers } = await attempt();
  expect({ status, code: body.code }).toEqual(expected);
  expect(text).not.toContain("_token");
  expect(headers.get("Set-Cookie")).toBeNull();
  // The account may still be at work when another store has failed at once.
  await scheduler.wait(50);
  expect(await sessionIdsOf(person)).toEqual(sessions);
}

const inBrowser = (options: object = {}) => signInByPasskey(person.key, { browser: new Browser(), ...options });

describe("a right assertion opens nothing and leaves no session behind", () => {
  it.each(["closed", "disabled"])("for an account that is %s, and is answered like a wrong one", async (status) => {
    await setUser("status", person, status);
    await expectNothingOpened(inBrowser, { status: 401, code: "invalid_code" });
    const right = await inBrowser();
    const wrong = await inBrowser({ edits: { flags: { uv: false } } });
    const shown = [right, wrong].map(({ text, body }) => text.replace(body.request_id as string, "-"));
    expect(shown[0]).toBe(shown[1]);
    await setUser("status", person, "active");
    expect((await inBrowser()).status).toBe(200);
  });

  it("for an account that is gone", async () => {
    await env.DB.prepare("DELETE FROM users WHERE id = ?").bind(person.id).run();
    await expectNothingOpened(inBrowser, { status: 401, code: "invalid_code" });
  });

  it("and nothing to be listed as ended, since nobody has had a token of it", async () => {
    await setUser("status", person, "closed");
    const listed = async () => env.DB.prepare("SELECT COUNT(*) AS n FROM ended_sessions").first("n");
    const before = await listed();
    for (let tries = 0; tries < 3; tries += 1) await inBrowser();
    expect(await listed()).toBe(before);
  });

  it("when the gate of the client refuses it", async () => {
    const source = newSource();
    for (let i = 0; i < ASSERTIONS_FROM_SOURCE; i += 1) {
      expect((await inBrowser({ source, edits: { flags: { uv: false } } })).body.code).toBe("invalid_code");
    }
    await expectNothingOpened(() => inBrowser({ source }), { status: 429, code: "too_many_attempts" });
    const browser = new Browser();
    expect((await inBrowser({ browser })).status).toBe(200);
    // Known to the account, it is not refused for what others of its network do.
    expect((await inBrowser({ browser, source })).status).toBe(200);
  });
});

describe("a right assertion while a store does not answer opens nothing and leaves no session behind", () => {
  const fault = (ms: number) => async () => {
    if (ms > 0) await scheduler.wait(ms);
    throw new Error("no answer");
  };
  const database = (ms: number) => ({ DB: { prepare: () => ({ bind: () => ({ first: fault(ms) }) }) } });
  const gates = (ms: number) => ({ GATES: { getByName: () => ({ reserve: fault(ms) }) } });
  /** The real account objects, of which one method fails. */
  const accounts = (method: string) => ({
    ACCOUNTS: {
      getByName: (id: string) => {
        const stub = env.ACCOUNTS.getByName(id);
        const real =
          (name: string) =>
          (...parameters: unknown[]): unknown =>
            Reflect.apply(Reflect.get(stub, name) as () => unknown, stub, parameters);
        return new Proxy({}, { get: (_, name) => (name === method ? fault(0) : real(String(name))) });
      },
    },
  });

  it.each([
    { what: "D1 at once", broken: database(0) },
    { what: "D1 after the account has answered", broken: database(200) },
    { what: "the gate at once", broken: gates(0) },
    { what: "the gate after the account has answered", broken: gates(200) },
    { what: "both", broken: { ...database(0), ...gates(100) } },
    { what: "the account", broken: accounts("signInWithPasskey") },
  ])("$what", async ({ broken }) => {
    const bindings = { ...env, ...broken };
    await expectNothingOpened(() => inBrowser({ bindings }), { status: 503, code: "unavailable" });
    expect((await inBrowser()).status).toBe(200);
  });

  it("the account, when it is to learn of new roles", async () => {
    await setUser("roles", person, '["editor"]');
    const bindings = { ...env, ...accounts("correctRoles") };
    await expectNothingOpened(() => inBrowser({ bindings }), { status: 503, code: "unavailable" });
  });

  it.each([
    { what: "D1 does not answer", broken: database(0) },
    { what: "the gate does not answer", broken: gates(0) },
  ])("and pushes out no browser that is recognised, however often it is tried while $what", async ({ broken }) => {
    const browser = new Browser();
    await signInByPasskey(person.key, { browser });
    const { browsers } = await guardOf(person);
    for (let i = 0; i < 5; i += 1) await inBrowser({ bindings: { ...env, ...broken } });
    expect((await guardOf(person)).browsers).toEqual(browsers);
  });

  it("and a gate that fails only after the answer changes nothing of it", async () => {
    const real = (name: string) => env.GATES.getByName(name);
    const GATES = {
      getByName: (name: string) => ({ reserve: (subjects: never) => real(name).reserve(subjects), settle: fault(0) }),
    };
    expect((await inBrowser({ bindings: { ...env, GATES } })).status).toBe(200);
  });
});
