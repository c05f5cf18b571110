import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import worker from "../../src/index.ts";
import { KeyRingStore } from "../../src/keys/key-ring-store.ts";
import { createKeyRingRecord } from "../../src/keys/new-keys.ts";
import { KEY_RING_TTL_MS } from "../../src/token-policy.ts";
import { countingBindings } from "../support/counting.ts";
import { call, logIn, newGuardedPerson, roots, signIn } from "../support/in-worker.ts";
import { addSomeone, storeRing } from "../support/stored-ring.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const PERIOD = 90 * 86_400_000;

describe("the key ring", () => {
  beforeEach(async () => {
    await env.DB.prepare("DELETE FROM key_ring").run();
    await env.KV.delete("key-ring");
  });
  afterEach(() => vi.useRealTimers());

  it("is made on first need, and the same for an isolate that comes later", async () => {
    const first = await new KeyRingStore(roots()).current(env, NOW);
    const later = await new KeyRingStore(roots()).current(env, NOW);
    expect(later.signing.kid).toBe(first.signing.kid);
    expect(first).toMatchObject({ version: 1, epoch: 1, validUntil: NOW + KEY_RING_TTL_MS });
  });

  it("rests sealed: no private key and no data key is readable in D1 or in KV", async () => {
    const keys = new KeyRingStore(roots());
    await keys.current(env, NOW);
    await keys.turn(env, PERIOD, NOW);
    const sealed = await env.DB.prepare("SELECT sealed FROM key_ring").first<string>("sealed");
    for (const stored of [sealed ?? "", (await env.KV.get("key-ring")) ?? ""]) {
      expect(stored).not.toMatch(/"(d|secret|kty|purpose)"/);
      expect(stored.length).toBeGreaterThan(500);
    }
  });

  it("does not open with another root secret, and says so", async () => {
    await new KeyRingStore(roots()).current(env, NOW);
    const stranger = new KeyRingStore([crypto.getRandomValues(new Uint8Array(32))]);
    await expect((async () => await stranger.current(env, NOW))()).rejects.toThrow("ROOT_SECRET does not open");
  });

  it("is read by a cold isolate from its copy, without D1", async () => {
    const keys = new KeyRingStore(roots());
    await keys.current(env, NOW);
    await keys.turn(env, PERIOD, NOW);
    const counted = countingBindings();
    await new KeyRingStore(roots()).current(counted.bindings as Env, NOW + 60_000);
    expect(counted.names()).toEqual(["kv.get"]);
  });

  it.each([
    { copy: "past its time", age: KEY_RING_TTL_MS },
    { copy: "long past its time", age: 10 * KEY_RING_TTL_MS },
  ])("ignores a copy that is $copy", async ({ age }) => {
    const keys = new KeyRingStore(roots());
    await keys.current(env, NOW);
    await keys.turn(env, PERIOD, NOW);
    const counted = countingBindings();
    await new KeyRingStore(roots()).current(counted.bindings as Env, NOW + age);
    expect(counted.names()).toEqual(["kv.get", "d1.first"]);
  });

  it("ignores a copy whose time was edited, since the time is sealed with it", async () => {
    const keys = new KeyRingStore(roots());
    await keys.current(env, NOW);
    await keys.turn(env, PERIOD, NOW);
    const copy = JSON.parse((await env.KV.get("key-ring")) ?? "{}") as object;
    await env.KV.put("key-ring", JSON.stringify({ ...copy, validUntil: NOW + 100 * KEY_RING_TTL_MS }));
    const counted = countingBindings();
    await new KeyRingStore(roots()).current(counted.bindings as Env, NOW + 2 * KEY_RING_TTL_MS);
    expect(counted.names()).toEqual(["kv.get", "d1.first"]);
  });

  it("never goes back to an older copy than it has seen", async () => {
    const old = await createKeyRingRecord(NOW);
    await storeRing(old);
    const keys = new KeyRingStore(roots());
    await new KeyRingStore(roots()).turn(env, PERIOD, NOW + KEY_RING_TTL_MS);
    const renewed = { ...(await createKeyRingRecord(NOW)), version: 2, epoch: 2 };
    await storeRing(renewed);
    await env.KV.put("set-aside", (await env.KV.get("key-ring")) ?? "");
    await env.KV.delete("key-ring");
    expect((await keys.current(env, NOW)).version).toBe(2);
    await env.KV.put("key-ring", (await env.KV.get("set-aside")) ?? "");
    expect((await keys.current(env, NOW + KEY_RING_TTL_MS)).version).toBe(2);
  });

  it("is believed in memory no longer than its time: a change reaches every isolate within five minutes", async () => {
    const keys = new KeyRingStore(roots());
    const before = await keys.current(env, NOW);
    await storeRing({ ...(await createKeyRingRecord(NOW)), version: 2, epoch: 2 });
    expect((await keys.current(env, NOW + KEY_RING_TTL_MS - 1)).signing.kid).toBe(before.signing.kid);
    expect((await keys.current(env, NOW + KEY_RING_TTL_MS)).epoch).toBe(2);
  });

  it("is not brought back to an older version by a read that was slower than another", async () => {
    await storeRing(await createKeyRingRecord(NOW));
    const keys = new KeyRingStore(roots());
    const slow = Promise.withResolvers<void>();
    const DB = {
      prepare: (query: string) => ({
        first: async () => {
          const row = await env.DB.prepare(query).first();
          await slow.promise;
          return row;
        },
      }),
    } as unknown as D1Database;
    const older = keys.current({ ...env, DB }, NOW);
    await scheduler.wait(20);
    await storeRing({ ...(await createKeyRingRecord(NOW)), version: 2, epoch: 2 });
    expect((await keys.current(env, NOW)).version).toBe(2);
    slow.resolve();
    expect((await older).version).toBe(2);
    expect((await keys.current(env, NOW)).version).toBe(2);
  });

  it("is not made anew where there are accounts: it was lost, and the answer is to restore it", async () => {
    await addSomeone();
    await expect((async () => await new KeyRingStore(roots()).current(env, NOW))()).rejects.toThrow(
      "restore the key_ring",
    );
    expect(await env.DB.prepare("SELECT COUNT(*) AS n FROM key_ring").first("n")).toBe(0);
    await env.DB.prepare("DELETE FROM users").run();
  });

  it("is read from D1 when KV fails, and not made up when D1 fails", async () => {
    const broken = () => Promise.reject(new Error("no answer"));
    const keys = new KeyRingStore(roots());
    await keys.current(env, NOW);
    const withoutKv = { ...env, KV: { get: broken } as unknown as KVNamespace };
    expect((await new KeyRingStore(roots()).current(withoutKv, NOW)).version).toBe(1);
    const withoutD1 = { ...env, DB: { prepare: () => ({ first: broken }) } as unknown as D1Database };
    await expect((async () => await new KeyRingStore(roots()).current(withoutD1, NOW))()).rejects.toThrow("no answer");
  });
});

describe("the copy in KV", () => {
  it("is written by the cron trigger and by no request", async () => {
    await env.KV.delete("key-ring");
    const person = await newGuardedPerson();
    await signIn(person, 0);
    await call("/.well-known/jwks.json");
    await logIn({ ...person, password: "not the right password" });
    expect((await env.KV.list()).keys.map(({ name }) => name)).not.toContain("key-ring");
    const context = createExecutionContext();
    await worker.scheduled(createScheduledController(), env, context);
    await waitOnExecutionContext(context);
    expect(await env.KV.get("key-ring")).not.toBeNull();
  });
});
