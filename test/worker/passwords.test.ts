import { env } from "cloudflare:workers";
import argon2Module from "@phi-ag/argon2/argon2.wasm";
import { describe, expect, it, vi } from "vitest";
import { app } from "../../src/app.ts";
import { emailKey } from "../../src/directory/email-key.ts";
import { usersOf } from "../../src/directory/users.ts";
import type { KeyRing } from "../../src/keys/key-ring.ts";
import { argon2idOf } from "../../src/passwords/argon2id.ts";
import { hashPassword, verifyPassword } from "../../src/passwords/password-hash.ts";
import { formatPhc, parsePhc } from "../../src/passwords/phc.ts";
import { call, ISSUER, logIn, newPerson, newSource, ring, send } from "../support/in-worker.ts";

/** An account with a hash made elsewhere. */
async function personWith(password: string, phc: string) {
  const email = `person.${crypto.randomUUID()}@example.com`;
  const person = { id: crypto.randomUUID(), email, password };
  const user = { ...person, password: phc, emailKey: emailKey(email) ?? "", createdAt: Date.now() };
  await usersOf(env.DB).add(user);
  return person;
}

const storedHash = async (id: string) => (await usersOf(env.DB).findById(id))?.password ?? "";

/** A hash as an earlier version with other parameters would have made it. */
async function olderHash(
  keys: KeyRing,
  password: string,
  parameters: { memory: number; passes: number; lanes: number },
) {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const pepper = keys.active("pepper");
  const bare = argon2idOf(argon2Module)(new TextEncoder().encode(password), salt, parameters, 32);
  const tag = new Uint8Array(await crypto.subtle.sign("HMAC", pepper.key, bare));
  return formatPhc({ parameters, pepperId: pepper.id, salt, tag });
}

describe("a password signs in whole", () => {
  it.each([
    { script: "Latin", password: "correct horse battery", last: "z" },
    { script: "Cyrillic", password: "кораблик в тумане 1", last: "2" },
    { script: "CJK", password: "正確的馬電池訂書釘很長的密碼", last: "字" },
    { script: "emoji", password: "🐴🔋📎🐴🔋📎🐴🔋📎🐴🔋📎", last: "📌" },
    { script: "NUL inside", password: "before\u0000after the nul", last: "L" },
    { script: "beyond 72 bytes", password: `${"long ".repeat(20)}end.`, last: "!" },
  ])("$script: its last character counts", async ({ password, last }) => {
    const person = await personWith(password, await hashPassword(await ring(), password));
    expect((await logIn(person)).status).toBe(200);
    const changed = Array.from(password).with(-1, last).join("");
    expect((await logIn({ ...person, password: changed })).body.code).toBe("sign_in_failed");
  });

  it("in any normal form, and with case and outer spaces as they were typed", async () => {
    const password = "Ångström café naïve";
    const person = await personWith(password, await hashPassword(await ring(), password.normalize("NFKC")));
    expect((await logIn({ ...person, password: password.normalize("NFD") })).status).toBe(200);
    for (const other of [password.toLowerCase(), ` ${password}`, `${password} `]) {
      expect((await logIn({ ...person, password: other })).status).toBe(401);
    }
  });
});

describe("a stored hash", () => {
  it("is a PHC string of Argon2id with a salt of its own and the id of its pepper", async () => {
    const keys = await ring();
    const [one, two] = [await hashPassword(keys, "the same password"), await hashPassword(keys, "the same password")];
    expect(one).toMatch(
      /^\$argon2id\$v=19\$m=19456,t=2,p=1,keyid=[A-Za-z0-9+/]+\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
    );
    expect(one).not.toBe(two);
    expect(parsePhc(one)).toMatchObject({ parameters: { memory: 19_456, passes: 2, lanes: 1 }, pepperId: 1 });
  });

  it("is worth nothing without the pepper", async () => {
    const keys = await ring();
    const phc = await hashPassword(keys, "a peppered password");
    const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
    const stranger: KeyRing = { ...keys, byId: () => (id) => ({ id, key: key as CryptoKey }) };
    const shown = { normalized: "a peppered password", typed: "a peppered password" };
    expect((await verifyPassword(keys, phc, shown)).right).toBe(true);
    expect((await verifyPassword(stranger, phc, shown)).right).toBe(false);
  });

  it("of lower parameters is made anew by the next right password, and by no wrong one", async () => {
    const password = "from an older version";
    const older = await olderHash(await ring(), password, { memory: 4_096, passes: 1, lanes: 1 });
    const person = await personWith(password, older);
    expect((await logIn({ ...person, password: "something else entirely" })).status).toBe(401);
    expect(await storedHash(person.id)).toBe(older);
    expect((await logIn(person)).status).toBe(200);
    const renewed = await storedHash(person.id);
    expect(parsePhc(renewed)?.parameters).toEqual({ memory: 19_456, passes: 2, lanes: 1 });
    expect((await logIn(person)).status).toBe(200);
    expect(await storedHash(person.id)).toBe(renewed);
  });
});

describe("the places for password hashes", () => {
  it("are given back at once when a gate refuses, so that refused tries never crowd out others", async () => {
    const source = newSource();
    const person = await newPerson();
    for (let i = 0; i < 20; i += 1) await call("/auth/login", { email: 1 }, { source });
    for (let i = 0; i < 12; i += 1) expect((await logIn(person, { source })).status).toBe(429);
    expect((await logIn(person)).status).toBe(200);
  });

  it("are eight: of more at once the rest is told to come back, and none is lost", async () => {
    for (let round = 0; round < 2; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          logIn({ id: "", email: `nobody${i}@example.com`, password: "no such password" }),
        ),
      );
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 401)).toHaveLength(8);
      expect(statuses.filter((status) => status === 503)).toHaveLength(4);
      expect(answers.find(({ status }) => status === 503)?.headers.get("Retry-After")).toBe("1");
    }
  });

  it("are three for one source, so that it cannot close the door for all others", async () => {
    const [person, source] = [await newPerson(), newSource()];
    const flood = Array.from({ length: 8 }, (_, i) =>
      logIn({ ...person, email: `nobody${i}@example.com` }, { source }),
    );
    const other = logIn(person);
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 503)).toHaveLength(5);
    expect((await other).status).toBe(200);
  });

  it("are not taken by registrations from a source that has had its mails", async () => {
    const source = newSource();
    const register = (i: number) =>
      call("/auth/register", { email: `flood${i}@example.com`, password: "correct horse battery" }, { source });
    for (let i = 0; i < 10; i += 1) expect((await register(i)).status).toBe(202);
    const pepper = (await ring()).active("pepper").key;
    const sign = vi.spyOn(crypto.subtle, "sign");
    expect((await register(10)).body).toEqual({ status: "verification_sent" });
    expect(sign.mock.calls.filter(([, key]) => key === pepper)).toEqual([]);
    sign.mockRestore();
  });

  it("are shared by every route that hashes, and taken before anything is read", async () => {
    const person = await newPerson();
    const bearer = (await logIn(person)).body.access_token as string;
    const flood = Array.from({ length: 8 }, (_, i) => logIn({ ...person, email: `nobody${i}@example.com` }));
    const others = await Promise.all([
      call("/auth/register", { email: "somebody.new@example.com", password: "correct horse battery" }),
      call("/auth/email/verify", { token: "AAAA", password: "correct horse battery" }),
      call("/auth/step-up", { password: person.password }, { bearer }),
    ]);
    expect(others.map(({ status }) => status)).toEqual([503, 503, 503]);
    await Promise.all(flood);
  });
});

describe("a client that hangs up", () => {
  // A disconnect ends an invocation, and what waitUntil holds goes on. Without it the place would never come back.
  it("leaves the work of its sign-in held from before its first wait until its place is given back", async () => {
    const person = await newPerson();
    const held: Promise<unknown>[] = [];
    const gates = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const GATES = {
      getByName: (name: string) => ({
        reserve: async (subjects: never) => {
          asked.resolve();
          await gates.promise;
          return env.GATES.getByName(name).reserve(subjects);
        },
        settle: async () => {},
      }),
    };
    const context = {
      waitUntil: (work: Promise<unknown>) => void held.push(work),
      passThroughOnException() {},
      props: {},
    };
    const request = new Request(`${ISSUER}/auth/login`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "CF-Connecting-IP": newSource() },
      body: JSON.stringify({ email: person.email, password: person.password }),
    });
    const response = app.fetch(request, { ...env, GATES }, context);
    await asked.promise;
    expect(held).toHaveLength(1);
    let done = false;
    void held[0]?.then(() => {
      done = true;
    });
    await scheduler.wait(20);
    expect(done).toBe(false);
    gates.resolve();
    await held[0];
    expect((await response).status).toBe(200);
  });
});

describe("a malformed body at the first door", () => {
  it("from one address never uses up what its neighbours have", async () => {
    const [attacker, neighbour] = ["198.51.100.1", "198.51.100.2"];
    for (let i = 0; i < 120; i += 1) {
      const body = i % 2 ? { email: 1 } : { token: "A".repeat(200), password: "a forged link's" };
      await call(i % 2 ? "/auth/login" : "/auth/email/verify", body, { source: attacker });
    }
    const person = await newPerson();
    expect((await logIn(person, { source: attacker })).status).toBe(429);
    expect((await logIn(person, { source: neighbour })).status).toBe(200);
  });

  it("counts against its source, and no other address pays", async () => {
    const source = newSource();
    const person = await newPerson();
    const junk = () =>
      send(
        new Request(`${ISSUER}/auth/login`, {
          method: "POST",
          headers: { "Content-Type": "application/json", "CF-Connecting-IP": source },
          body: "{",
        }),
      );
    for (let i = 0; i < 19; i += 1) expect((await junk()).status).toBe(400);
    expect((await logIn(person, { source })).status).toBe(200);
    await junk();
    expect((await logIn(person, { source })).status).toBe(429);
    expect((await logIn(person)).status).toBe(200);
  });
});
