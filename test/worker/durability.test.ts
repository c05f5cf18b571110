import { evictDurableObject, listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { clientNetwork } from "../../src/gate/network.ts";
import { sourceGate } from "../../src/gate/subjects.ts";
import {
  accountOf,
  answer,
  call,
  challengeOf,
  logIn,
  newGuardedPerson,
  newPerson,
  newSource,
  type Person,
  ring,
  signIn,
} from "../support/in-worker.ts";
import { evictAfter } from "./support/evictable.ts";

// Eviction drops the memory of an object and keeps its storage: what survives it was never in memory alone.
async function evict(person: Person): Promise<void> {
  await evictDurableObject(accountOf(person));
}

describe("an account object that was evicted", () => {
  it("still refuses a code that was used", async () => {
    const person = await newGuardedPerson();
    const code = person.code(0);
    const first = (await logIn(person)).body.challenge_token as string;
    const second = (await logIn(person)).body.challenge_token as string;
    expect((await answer(first, code)).status).toBe(200);
    await evict(person);
    expect((await answer(second, code)).body.code).toBe("invalid_code");
    expect((await answer(first, person.code(1))).body.code).toBe("invalid_challenge");
  });

  it("still refuses the code that confirmed the authenticator", async () => {
    const person = await newGuardedPerson();
    await evict(person);
    expect((await signIn(person, -1)).body.code).toBe("invalid_code");
  });

  it("still counts the wrong codes of the hour", async () => {
    const person = await newGuardedPerson();
    // Opened before: ten wrong codes are also what it takes for proof mode.
    const tokens = [await challengeOf(person), await challengeOf(person), await challengeOf(person)];
    for (let i = 0; i < 10; i += 1) {
      expect((await answer(tokens[i % 3], "000000")).status).toBe(401);
      await evict(person);
    }
    const last = await answer(tokens[2], person.codeNow());
    expect(last.status).toBe(429);
    expect(Number(last.headers.get("Retry-After"))).toBeGreaterThan(3500);
  });

  it("still knows the generation of a session, and that an ended session is over", async () => {
    const person = await newPerson();
    const first = (await logIn(person)).body;
    const second = (await call("/auth/refresh", { refresh_token: first.refresh_token })).body;
    await evict(person);
    const third = (await call("/auth/refresh", { refresh_token: second.refresh_token })).body;
    await evict(person);
    const reused = await call("/auth/refresh", { refresh_token: first.refresh_token });
    expect(reused.body.code).toBe("invalid_refresh_token");
    await evict(person);
    expect((await call("/auth/refresh", { refresh_token: third.refresh_token })).status).toBe(401);
    expect((await call("/auth/me", undefined, { bearer: third.access_token })).status).toBe(401);
  });

  it("still has a session's pot", async () => {
    const person = await newGuardedPerson();
    const bearer = (await signIn(person, 0)).body.access_token as string;
    for (let i = 0; i < 5; i += 1) {
      const token = (await call("/auth/step-up", {}, { bearer })).body.challenge_token as string;
      await evict(person);
      expect((await answer(token, "000000")).body).toMatchObject({ code: "invalid_code", attempts_remaining: 4 - i });
    }
    expect((await call("/auth/me", undefined, { bearer })).body.code).toBe("invalid_token");
  });
});

describe("an account object in proof mode that was evicted", () => {
  it("is still in it", async () => {
    const person = await newGuardedPerson();
    for (let i = 0; i < 8; i += 1) await challengeOf(person);
    await evict(person);
    expect((await logIn(person)).body.code).toBe("proof_required");
  });
});

describe("a gate that was evicted", () => {
  it("still counts settled failures", async () => {
    const person = await newPerson();
    const source = newSource();
    const { shard } = await sourceGate(await ring(), clientNetwork(source));
    const gate = env.GATES.getByName(shard);
    for (let i = 0; i < 20; i += 1) {
      const stranger = { ...person, email: `nobody${i}@example.com` };
      const fail = async () => expect((await logIn(stranger, { source })).status).toBe(401);
      await evictAfter(gate, fail);
    }
    const refused = await logIn(person, { source });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("Retry-After"))).toBeGreaterThan(0);
  });
});

describe("an unknown address", () => {
  it("never makes an account object, however it is tried", async () => {
    const before = (await listDurableObjectIds(env.ACCOUNTS)).length;
    const stranger = { id: "", email: "nobody.at.all@example.com", password: "some long password" };
    await logIn(stranger);
    await call("/auth/register", { email: stranger.email, password: "correct horse battery" });
    await call("/auth/email/verify", { token: "A".repeat(200), password: "correct horse battery" });
    await call("/auth/refresh", { refresh_token: `rt_${"A".repeat(120)}` });
    await answer(`${btoa("{}").replaceAll("=", "")}.e30.${"A".repeat(43)}`, "123456");
    await call("/auth/me", undefined, { bearer: `e30.e30.${"A".repeat(86)}` });
    expect((await listDurableObjectIds(env.ACCOUNTS)).length).toBe(before);
  });

  it("is not told from a wrong password or a closed account: same bytes but the request id", async () => {
    const wrong = await newPerson();
    const closed = await newPerson();
    await env.DB.prepare("UPDATE users SET status = 'closed' WHERE id = ?").bind(closed.id).run();
    const disabled = await newPerson();
    await env.DB.prepare("UPDATE users SET status = 'disabled' WHERE id = ?").bind(disabled.id).run();
    const answers = [
      await logIn({ ...wrong, email: "somebody.else@example.com" }),
      await logIn({ ...wrong, password: "not the right password" }),
      await logIn(closed),
      await logIn(disabled),
    ];
    const shown = answers.map(({ status, headers, text, body }) => ({
      status,
      text: text.replace(body.request_id as string, "-"),
      headers: [...headers].filter(([name]) => name !== "x-request-id"),
    }));
    expect(new Set(shown.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(shown[0]?.status).toBe(401);
  });
});
