import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KeyRingRecord } from "../../src/keys/key-ring.ts";
import { type KeyRingBindings, KeyRingStore } from "../../src/keys/key-ring-store.ts";
import { KEY_RING_TTL_MS, SIGNING_KEY_LEAD_MS } from "../../src/token-policy.ts";
import { roots } from "../support/in-worker.ts";
import { slowCrypto } from "../support/slow-crypto.ts";
import { afterFirstRead, arrivalOf, slowlyRead } from "../support/slow-reads.ts";
import { storedRing } from "../support/stored-ring.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const PERIOD = 90 * 86_400_000;
const DUE = NOW + PERIOD;

const newStore = () => new KeyRingStore(roots());
const kidIn = (record: KeyRingRecord, wanted: string) =>
  record.signing.find(({ state }) => state === wanted)?.kid ?? "";

async function dropBy(store: KeyRingStore, key: string, by: string, now: number, bindings: KeyRingBindings = env) {
  const outcome = await store.drop(bindings, { key, by }, now);
  if (typeof outcome === "string") throw new Error(outcome);
  return outcome;
}

/** The version of the ring that KV holds. */
async function copiedVersion(): Promise<unknown> {
  return (await env.KV.get<{ version: number }>("key-ring", "json"))?.version;
}

let first: KeyRingRecord;
let restore = () => {};
beforeEach(async () => {
  await env.DB.prepare("DELETE FROM key_ring").run();
  await env.KV.delete("key-ring");
  await newStore().current(env, NOW);
  first = await storedRing();
});
afterEach(() => restore());

describe("a rotation", () => {
  it.each([
    { crypto: "as the local runtime runs it", slow: false },
    { crypto: "giving up its turn", slow: true },
  ])("by twenty isolates at once makes one key, with crypto $crypto", async ({ slow }) => {
    restore = slow ? slowCrypto() : () => {};
    // Nobody goes on before everybody has read the ring.
    const bindings = slowlyRead(arrivalOf(20));
    const turns = await Promise.all(Array.from({ length: 20 }, () => newStore().turn(bindings, PERIOD, DUE)));
    const record = await storedRing();
    expect(record.version).toBe(2);
    expect(record.signing.map(({ state }) => state)).toEqual(["retired", "active", "next"]);
    expect(turns.filter((names) => names.length > 0)).toHaveLength(1);
    expect(await copiedVersion()).toBe(2);
  });

  it("that was asked for twice at once happens once for each who asked", async () => {
    const bindings = slowlyRead(arrivalOf(2));
    const at = NOW + SIGNING_KEY_LEAD_MS;
    await Promise.all(["one", "two"].map((by) => newStore().rotate(bindings, { purpose: "signing", by }, PERIOD, at)));
    const record = await storedRing();
    expect(kidIn(record, "active")).toBe(kidIn(first, "next"));
    expect(record.signing).toHaveLength(3);
    // The one who came second found a key that was only just published.
    expect(record.signing.map(({ askedBy }) => askedBy?.length)).toEqual([undefined, 1, 1]);
  });

  it("is at once that of the isolate that made it, and of all others within five minutes", async () => {
    const [maker, other] = [newStore(), newStore()];
    await other.current(env, DUE - 1);
    await maker.turn(env, PERIOD, DUE);
    expect((await maker.current(env, DUE)).signing.kid).toBe(kidIn(first, "next"));
    expect((await other.current(env, DUE + KEY_RING_TTL_MS - 2)).signing.kid).toBe(kidIn(first, "active"));
    expect((await other.current(env, DUE + KEY_RING_TTL_MS - 1)).signing.kid).toBe(kidIn(first, "next"));
  });

  it("writes nothing but the copy when nothing is due, and nothing at all while there is no ring", async () => {
    expect(await newStore().turn(env, PERIOD, DUE - 1)).toEqual([]);
    expect((await storedRing()).version).toBe(1);
    expect(await copiedVersion()).toBe(1);
    await env.DB.prepare("DELETE FROM key_ring").run();
    await env.KV.delete("key-ring");
    expect(await newStore().turn(env, PERIOD, DUE)).toEqual([]);
    expect(await env.DB.prepare("SELECT COUNT(*) AS n FROM key_ring").first("n")).toBe(0);
    expect(await copiedVersion()).toBeUndefined();
  });
});

describe("an emergency drop", () => {
  const named = () => kidIn(first, "active");

  it("is one write, and the copy is written with it", async () => {
    await dropBy(newStore(), named(), "op", NOW + 1000);
    expect(await storedRing()).toMatchObject({ version: 2, epoch: 2, notBefore: NOW + 1000 });
    expect(await copiedVersion()).toBe(2);
    expect((await newStore().current(env, NOW + 2000)).verifying.has(named())).toBe(false);
  });

  it("loses nothing to a rotation that comes between its read and its write, and costs it nothing", async () => {
    const cron = afterFirstRead(() => newStore().turn(env, PERIOD, DUE));
    await dropBy(newStore(), named(), "op", DUE, cron);
    const record = await storedRing();
    expect(record).toMatchObject({ version: 3, epoch: 2, notBefore: DUE });
    // The dropped key had been retired meanwhile, and its successor was no longer the next one.
    expect(record.signing.map(({ state }) => state)).toEqual(["active", "next"]);
    for (const { kid } of first.signing) expect(record.signing.map((key) => key.kid)).not.toContain(kid);
    expect(record.data.find(({ purpose, state }) => purpose === "link" && state === "active")?.id).toBe(2);
  });

  it("that comes between read and write of a rotation is not undone by it", async () => {
    const drop = afterFirstRead(() => dropBy(newStore(), named(), "op", DUE));
    await newStore().turn(drop, PERIOD, DUE);
    const record = await storedRing();
    expect(record).toMatchObject({ epoch: 2, notBefore: DUE });
    expect(record.signing).toMatchObject([
      { kid: kidIn(first, "next"), state: "active" },
      { state: "next", createdAt: DUE },
    ]);
    expect(record.data.find(({ purpose, state }) => purpose === "link" && state === "active")?.id).toBe(2);
  });

  it("by two operations at once happens once for each of them", async () => {
    const bindings = slowlyRead(arrivalOf(2));
    const keys = { one: named(), two: "link.1" };
    await Promise.all(Object.entries(keys).map(([by, key]) => dropBy(newStore(), key, by, NOW + 1, bindings)));
    const record = await storedRing();
    expect(record.drops?.map(({ by }) => by).toSorted()).toEqual(["one", "two"]);
    expect(record).toMatchObject({ version: 3, epoch: 3 });
  });

  it("whose answer was lost has happened, and is not done again", async () => {
    const cutOff = (update: D1PreparedStatement) => async () => {
      await update.run();
      throw new Error("cut off");
    };
    const prepare = (query: string) => {
      const statement = env.DB.prepare(query);
      if (query.startsWith("SELECT")) return statement;
      return { bind: (...values: unknown[]) => ({ run: cutOff(statement.bind(...values)) }) };
    };
    const broken = { DB: { prepare } as unknown as D1Database, KV: env.KV };
    await expect((async () => await dropBy(newStore(), named(), "op", NOW + 1000, broken))()).rejects.toThrow(
      "cut off",
    );
    const dropped = await storedRing();
    await dropBy(newStore(), named(), "op", NOW + 700_000);
    expect(await storedRing()).toEqual(dropped);
    expect(await copiedVersion()).toBe(2);
  });

  it("is done though KV takes no copy: the next cron writes one", async () => {
    const put = () => Promise.reject(new Error("429"));
    const broken = { DB: env.DB, KV: { get: env.KV.get.bind(env.KV), put } as unknown as KVNamespace };
    const store = newStore();
    await dropBy(store, named(), "op", NOW + 1000, broken);
    expect((await store.current(env, NOW + 1000)).epoch).toBe(2);
    await expect((async () => await newStore().turn(broken, PERIOD, NOW + 2000))()).rejects.toThrow("429");
    await newStore().turn(env, PERIOD, NOW + 60_000);
    expect(await copiedVersion()).toBe(2);
  });

  it("of nothing that there is changes nothing, and writes no copy", async () => {
    expect(await newStore().drop(env, { key: "link.77", by: "op" }, NOW)).toBe("unknown_key");
    expect(await newStore().drop(env, { key: "pepper.1", by: "op" }, NOW)).toBe("never_dropped");
    expect(await storedRing()).toEqual(first);
    expect(await copiedVersion()).toBeUndefined();
  });
});
