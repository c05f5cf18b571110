import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AccountStore } from "../../src/account/account-store.ts";
import { emailKey } from "../../src/directory/email-key.ts";
import { hashPassword } from "../../src/passwords/password-hash.ts";
import { sealLink } from "../../src/tokens/one-time-link.ts";
import { readRefreshToken } from "../../src/tokens/refresh-token.ts";
import { brokenAdd, brokenAnswer, brokenRefresh } from "../support/broken-copies.ts";
import { accountOf, answer, call, logIn, newGuardedPerson, newPerson, PASSWORD, ring } from "../support/in-worker.ts";
import { slowCrypto } from "../support/slow-crypto.ts";

const AT_ONCE = 50;

function fifty<T>(work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, (_, index) => work(index)));
}

async function sessionsOf(person: Parameters<typeof accountOf>[0]): Promise<number> {
  return runInDurableObject(accountOf(person), (_, state) => new AccountStore(state.storage.sql).sessions().length);
}

// Each race runs twice. Plain it shows that storage is decided in one turn; with crypto that gives up its turn, as in
// production, it shows that everything is judged again after the crypto.
describe.each([
  { crypto: "as the local runtime runs it", slow: false },
  { crypto: "giving up its turn", slow: true },
])("fifty at once, with crypto $crypto", ({ slow }) => {
  let restore = () => {};
  beforeEach(() => {
    restore = slow ? slowCrypto() : () => {};
  });
  afterEach(() => restore());

  it("one challenge opens one session", async () => {
    const person = await newGuardedPerson();
    const token = (await logIn(person)).body.challenge_token as string;
    const before = await sessionsOf(person);
    const code = person.code(0);
    const answers = await fifty(() => answer(token, code));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await sessionsOf(person)).toBe(before + 1);
  });

  it("one code on several challenges opens one session", async () => {
    const person = await newGuardedPerson();
    const tokens: string[] = [];
    for (let i = 0; i < 3; i += 1) tokens.push((await logIn(person)).body.challenge_token as string);
    const before = await sessionsOf(person);
    const code = person.code(0);
    const answers = await fifty((index) => answer(tokens[index % tokens.length] ?? "", code));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await sessionsOf(person)).toBe(before + 1);
  });

  it("one refresh token has one successor", async () => {
    const person = await newPerson();
    const { body } = await logIn(person);
    const answers = await fifty(() => call("/auth/refresh", { refresh_token: body.refresh_token }));
    const successors = answers.filter(({ status }) => status === 200).map((one) => one.body.refresh_token as string);
    expect(successors).toHaveLength(AT_ONCE);
    expect(new Set(successors).size).toBe(1);
    const parts = await readRefreshToken(await ring(), successors[0] ?? "");
    expect(parts).toMatchObject({ generation: 2 });
    expect((await call("/auth/refresh", { refresh_token: successors[0] })).status).toBe(200);
  });

  it("fifty links of one address make one account", async () => {
    const keys = await ring();
    const email = `many.links.${crypto.randomUUID().slice(0, 8)}@example.com`;
    const password = await hashPassword(keys, PASSWORD);
    const statuses = await fifty(async (index) => {
      const token = await sealLink(keys, "register", { email, password }, Date.now() + 60_000 + index);
      for (;;) {
        const { status } = await call("/auth/email/verify", { token, password: PASSWORD });
        // Only so many hashes may wait, and only so many tries of one address may be open.
        if (status !== 503 && status !== 429) return status;
        await scheduler.wait(50);
      }
    });
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 400)).toHaveLength(AT_ONCE - 1);
    const count = env.DB.prepare("SELECT COUNT(*) AS n FROM users WHERE email_key = ?").bind(emailKey(email) ?? "");
    expect(await count.first("n")).toBe(1);
  });
});

describe("the same races against copies that read, wait and write let more than one through", () => {
  let restore = () => {};
  afterEach(() => restore());

  it("an answer", async () => {
    const person = await newGuardedPerson();
    await logIn(person);
    const keys = await ring();
    restore = slowCrypto();
    const wins = await runInDurableObject(accountOf(person), async (_, state) => {
      const store = new AccountStore(state.storage.sql);
      const challengeId = store.guard().challenges[0]?.id ?? "";
      const id = state.id.toString();
      return fifty(() => brokenAnswer(store, keys, id, challengeId, person.code(0)));
    });
    expect(wins.filter(Boolean).length).toBeGreaterThan(1);
  });

  it("a refresh", async () => {
    const person = await newPerson();
    const { body } = await logIn(person);
    const keys = await ring();
    restore = slowCrypto();
    const wins = await runInDurableObject(accountOf(person), async (_, state) => {
      const store = new AccountStore(state.storage.sql);
      return fifty(() => brokenRefresh(store, keys, body.session_id as string, 1));
    });
    expect(wins.filter(Boolean).length).toBeGreaterThan(1);
  });

  it("a new address", async () => {
    await env.DB.exec("CREATE TABLE broken_users (email_key TEXT NOT NULL)");
    const wins = await fifty(() => brokenAdd(env.DB, "somebody@example.com"));
    expect(wins.filter(Boolean).length).toBeGreaterThan(1);
  });
});
