import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DataKeyPurpose } from "../../src/keys/key-purposes.ts";
import { type KeyRing, type KeyRingRecord, openKeyRing, sealRecord } from "../../src/keys/key-ring.ts";
import { KeyRingStore } from "../../src/keys/key-ring-store.ts";
import { createKeyRingRecord } from "../../src/keys/new-keys.ts";
import { seal, unseal } from "../../src/keys/seal.ts";
import { KEY_RING_TTL_MS } from "../../src/token-policy.ts";
import { countingBindings } from "../support/counting.ts";
import { roots } from "../support/in-worker.ts";
import { slowCrypto } from "../support/slow-crypto.ts";
import { arrivalOf, slowlyRead } from "../support/slow-reads.ts";
import { addSomeone, storeRing } from "../support/stored-ring.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");

describe("a key ring that was made before some of its purposes existed", () => {
  const LATER = ["recovery", "handle", "assertion", "dpop", "checkpoint"] as const;
  let older: KeyRingRecord;
  let restore = () => {};

  beforeEach(async () => {
    const { data, signing, ...rest } = await createKeyRingRecord(NOW);
    const plain = <K extends { activeAt?: number }>({ activeAt: _, ...key }: K) => key;
    const first = data.filter(({ purpose, state }) => state === "active" && !LATER.some((later) => later === purpose));
    older = { ...rest, version: 3, epoch: 2, signing: signing.slice(0, 1).map(plain), data: first.map(plain) };
    await env.KV.delete("key-ring");
    await storeRing(older);
    await addSomeone();
  });
  afterEach(async () => {
    restore();
    await env.DB.prepare("DELETE FROM users").run();
    await env.DB.prepare("DELETE FROM key_ring").run();
  });

  /** What no two keys have in common, of each key that a ring uses now. */
  async function fingerprints(from: KeyRing, purposes: readonly DataKeyPurpose[]): Promise<string[]> {
    const macs = purposes.map((purpose) => {
      const { key } = from.active(purpose);
      return crypto.subtle.sign(key.algorithm.name, key, new Uint8Array(1));
    });
    return (await Promise.all(macs)).map((mac) => new Uint8Array(mac).join());
  }

  it("is completed, though there are accounts, and keeps its keys, its key ids and its epoch", async () => {
    const before = await openKeyRing(older, NOW);
    const after = await new KeyRingStore(roots()).current(env, NOW);
    expect(after).toMatchObject({ version: 4, epoch: 2, signing: { kid: before.signing.kid } });
    expect(before.jwks).toHaveLength(1);
    expect(after.jwks).toEqual([before.jwks[0], expect.objectContaining({ kty: "EC" })]);
    const kept = ["challenge", "refresh", "pepper", "digest"] as const;
    expect(await fingerprints(after, kept)).toEqual(await fingerprints(before, kept));
    const sealed = await seal(before.active("seal"), new Uint8Array([1, 2, 3]), "before");
    expect(await unseal(after.byId("seal"), sealed, "before")).toEqual(new Uint8Array([1, 2, 3]));
    expect(new Set(await fingerprints(after, [...kept, ...LATER])).size).toBe(9);
  });

  it("is completed once: whoever comes later reads what was written", async () => {
    const [first, later] = [new KeyRingStore(roots()), new KeyRingStore(roots())];
    const used = await fingerprints(await first.current(env, NOW), LATER);
    const counted = countingBindings();
    const read = await later.current(counted.bindings as Env, NOW);
    expect(read.version).toBe(4);
    expect(await fingerprints(read, LATER)).toEqual(used);
    expect(counted.names()).toEqual(["kv.get", "d1.first"]);
  });

  it.each([
    { crypto: "as the local runtime runs it", slow: false },
    { crypto: "giving up its turn", slow: true },
  ])("gets one set of keys from twenty isolates at once, with crypto $crypto", async ({ slow }) => {
    restore = slow ? slowCrypto() : () => {};
    // Nobody goes on before everybody has read the old ring.
    const bindings = slowlyRead(arrivalOf(20));
    const rings = await Promise.all(Array.from({ length: 20 }, () => new KeyRingStore(roots()).current(bindings, NOW)));
    expect(new Set(rings.map(({ version }) => version))).toEqual(new Set([4]));
    const used = await Promise.all(rings.map((ring) => fingerprints(ring, LATER)));
    expect(new Set(used.map((keys) => keys.join("|"))).size).toBe(1);
    expect(await env.DB.prepare("SELECT version FROM key_ring").first("version")).toBe(4);
  });

  it("gives way to a newer one that was written while it was being completed", async () => {
    const newer = { ...(await createKeyRingRecord(NOW)), version: 7 };
    const ring = await new KeyRingStore(roots()).current(
      slowlyRead(() => storeRing(newer)),
      NOW,
    );
    expect(ring.version).toBe(7);
    expect(ring.signing.kid).toBe(newer.signing[0]?.kid);
    expect(await env.DB.prepare("SELECT version FROM key_ring").first("version")).toBe(7);
  });

  it("is never used incomplete: where another such ring takes its place, that one is completed", async () => {
    let replaced = 0;
    const bindings = slowlyRead(async () => {
      replaced += 1;
      if (replaced <= 2) await storeRing({ ...older, version: 4 + replaced });
    });
    const ring = await new KeyRingStore(roots()).current(bindings, NOW);
    expect(ring.version).toBe(7);
    expect(() => LATER.map((purpose) => ring.active(purpose))).not.toThrow();
  });

  it("is not used when it is replaced again and again", async () => {
    let version = older.version;
    const replaced = slowlyRead(() => storeRing({ ...older, version: ++version }));
    await expect((async () => await new KeyRingStore(roots()).current(replaced, NOW))()).rejects.toThrow(
      "changed each time",
    );
    expect((await new KeyRingStore(roots()).current(env, NOW)).version).toBe(version + 1);
  });

  it("is not believed from its copy, which lacks the keys: D1 is asked", async () => {
    const copy = { version: older.version, validUntil: NOW + KEY_RING_TTL_MS };
    const place = `copy:${copy.version}:${copy.validUntil}`;
    const sealed = await sealRecord(older, roots()[0] ?? new Uint8Array(), place);
    await env.KV.put("key-ring", JSON.stringify({ ...copy, sealed }));
    const counted = countingBindings();
    const ring = await new KeyRingStore(roots()).current(counted.bindings as Env, NOW);
    expect(counted.names()).toEqual(["kv.get", "d1.first", "d1.first", "d1.run"]);
    expect(ring.version).toBe(4);
    expect(() => LATER.map((purpose) => ring.active(purpose))).not.toThrow();
  });

  it("is completed before it is copied, when the cron trigger comes first", async () => {
    await new KeyRingStore(roots()).turn(env, 90 * 86_400_000, NOW);
    const counted = countingBindings();
    const ring = await new KeyRingStore(roots()).current(counted.bindings as Env, NOW);
    expect(counted.names()).toEqual(["kv.get"]);
    expect(ring.version).toBe(4);
  });
});
