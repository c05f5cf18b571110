import { env } from "cloudflare:workers";
import { beforeEach, expect, it } from "vitest";
import type { KeyRingRecord } from "../../src/keys/key-ring.ts";
import { type KeyRingBindings, KeyRingStore } from "../../src/keys/key-ring-store.ts";
import { KEY_RING_TTL_MS } from "../../src/token-policy.ts";
import { roots } from "../support/in-worker.ts";
import { storedRing } from "../support/stored-ring.ts";

// What is left of a ring after an emergency drop: in KV, in slow isolates, in what a slow cron is about to write.

const NOW = Date.parse("2026-11-22T12:00:00Z");
const PERIOD = 90 * 86_400_000;
const DROP = NOW + 60_000;
const MINUTE = 60_000;

const newStore = () => new KeyRingStore(roots());

let first: KeyRingRecord;
let bad: string;

beforeEach(async () => {
  await env.DB.prepare("DELETE FROM key_ring").run();
  await env.KV.delete("key-ring");
  await newStore().current(env, NOW);
  await newStore().turn(env, PERIOD, NOW);
  first = await storedRing();
  bad = first.signing.find(({ state }) => state === "active")?.kid ?? "";
});

const drop = () => newStore().drop(env, { key: bad, by: crypto.randomUUID() }, DROP);
const readCopy = async () => (await env.KV.get("key-ring")) ?? "";

/** Whether an isolate takes tokens of the dropped key at a moment. */
async function trusts(store: KeyRingStore, now: number, bindings: KeyRingBindings = env): Promise<boolean> {
  return (await store.current(bindings, now)).verifying.has(bad);
}

it("an isolate that read the ring a moment before the drop forgets it within five minutes", async () => {
  const slow = newStore();
  await slow.current({ ...env, KV: nothingIn() }, DROP - 1);
  await drop();
  expect(await trusts(slow, DROP - 2 + KEY_RING_TTL_MS)).toBe(true);
  expect(await trusts(slow, DROP - 1 + KEY_RING_TTL_MS)).toBe(false);
});

it("a copy that an edge still shows is good for five minutes of when it was written, and no longer", async () => {
  const stale = await readCopy();
  await drop();
  await env.KV.put("key-ring", stale);
  for (const minute of [1, 2, 3, 4]) expect(await trusts(newStore(), NOW + minute * MINUTE)).toBe(true);
  const late = newStore();
  await late.current(env, NOW + 5 * MINUTE - 1);
  // Whoever read it at its end has it no longer than it was good for.
  for (const store of [late, newStore()]) expect(await trusts(store, NOW + 5 * MINUTE)).toBe(false);
  for (const days of [1, 10, 100]) expect(await trusts(newStore(), NOW + days * 86_400_000)).toBe(false);
});

it("a copy that comes back is nothing to an isolate that has seen the newer ring", async () => {
  // Of a cron whose clock is ahead: good for longer than anything that is read at the drop.
  await newStore().turn(env, PERIOD, DROP + MINUTE);
  const stale = await readCopy();
  await drop();
  const seen = newStore();
  expect(await trusts(seen, DROP)).toBe(false);
  await env.KV.put("key-ring", stale);
  expect(await trusts(newStore(), DROP + KEY_RING_TTL_MS)).toBe(true);
  expect(await trusts(seen, DROP + KEY_RING_TTL_MS)).toBe(false);
});

it("no reader of an old copy writes it back: neither to D1 nor to KV", async () => {
  const stale = await readCopy();
  await drop();
  const authority = await storedRing();
  await env.KV.put("key-ring", stale);
  const reader = newStore();
  for (let minute = 1; minute <= 20; minute += 1) await reader.current(env, NOW + minute * MINUTE);
  expect(await storedRing()).toEqual(authority);
  expect(await readCopy()).toBe(stale);
});

it("an isolate with the old ring in memory that turns keys, or is asked to, begins from what D1 holds", async () => {
  const old = newStore();
  await old.current(env, NOW);
  await drop();
  await old.turn(env, PERIOD, DROP + 1);
  expect(await storedRing()).toMatchObject({ version: 2, epoch: 2 });
  expect(await trusts(old, DROP + 1)).toBe(false);
  await old.rotate(env, { purpose: "link", by: "op" }, PERIOD, DROP + 1);
  expect(await storedRing()).toMatchObject({ version: 3, epoch: 2, notBefore: DROP });
});

it("a cron that read the ring before the drop and writes its copy after it does not leave the old one behind", async () => {
  const written = Promise.withResolvers<void>();
  const mayWrite = Promise.withResolvers<void>();
  const put = async (name: string, value: string) => {
    written.resolve();
    await mayWrite.promise;
    await env.KV.put(name, value);
  };
  const slow = { DB: env.DB, KV: { get: env.KV.get.bind(env.KV), put } as unknown as KVNamespace };
  const cron = newStore();
  const turning = cron.turn(slow, PERIOD, DROP - 1);
  await written.promise;
  await drop();
  mayWrite.resolve();
  await turning;
  expect(JSON.parse(await readCopy())).toMatchObject({ version: 2 });
  expect(await trusts(newStore(), DROP)).toBe(false);
  expect(await trusts(cron, DROP)).toBe(false);
});

it("a cron that dies after it wrote an old copy leaves one that ends five minutes after the cron began", async () => {
  let reads = 0;
  const first = async () => {
    reads += 1;
    if (reads > 1) throw new Error("cut off");
    const row = await env.DB.prepare("SELECT version, sealed FROM key_ring WHERE id = 1").first();
    await drop();
    return row;
  };
  const dying = { DB: { prepare: () => ({ first }) } as unknown as D1Database, KV: env.KV };
  await expect((async () => await newStore().turn(dying, PERIOD, DROP - 1))()).rejects.toThrow("cut off");
  expect(JSON.parse(await readCopy())).toMatchObject({ version: 1 });
  expect(await trusts(newStore(), DROP - 2 + KEY_RING_TTL_MS)).toBe(true);
  expect(await trusts(newStore(), DROP - 1 + KEY_RING_TTL_MS)).toBe(false);
  // And the next cron puts it right before.
  await newStore().turn(env, PERIOD, DROP + MINUTE);
  expect(await trusts(newStore(), DROP + MINUTE)).toBe(false);
});

/** A KV that has no copy. */
function nothingIn(): KVNamespace {
  return { get: async () => null } as unknown as KVNamespace;
}
