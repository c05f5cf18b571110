import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { createKeyRingRecord } from "../../src/keys/new-keys.ts";
import { makeRefreshToken, readRefreshToken } from "../../src/tokens/refresh-token.ts";
import { storeRing } from "../support/stored-ring.ts";
import { Clock, Isolate, LaggingKv, Verifier } from "./support/fleet.ts";
import { DAY, HOUR, MINUTE, SECOND } from "./support/moved-clock.ts";

const PERIOD = 90 * DAY;
/** The stated bounds: what an isolate believes, what a verifier keeps. */
const EDGE = 5 * MINUTE;
const CACHE = 5 * MINUTE;
/** A cache between a verifier and us, as `stale-while-revalidate` lets it. */
const SHARED_CACHE = 6 * MINUTE;

let clock: Clock;
let kv: LaggingKv;
let cron: Isolate;
let isolates: Isolate[];
let verifiers: Verifier[];
let tokens: { token: string; kid: string; expiresAt: number }[];

beforeEach(async () => {
  clock = new Clock();
  kv = new LaggingKv(clock);
  await env.DB.prepare("DELETE FROM key_ring").run();
  await storeRing(await createKeyRingRecord(clock.now));
  cron = new Isolate(clock, kv, 0);
  // Near, far away, and where KV is older than it may be believed.
  isolates = [cron, new Isolate(clock, kv, 70 * SECOND), new Isolate(clock, kv, 20 * MINUTE)];
  let turn = 0;
  const anyIsolate = () => {
    turn += 1;
    return isolates[turn % isolates.length] as Isolate;
  };
  verifiers = [new Verifier(clock, anyIsolate), new Verifier(clock, anyIsolate, SHARED_CACHE)];
  tokens = [];
});

/** A minute: the cron does what is due, every isolate issues a token, and all that have not expired are shown. */
async function minute(): Promise<(string | undefined)[]> {
  await cron.store.turn(cron.bindings, PERIOD, clock.now);
  for (const isolate of isolates) tokens.push(await isolate.issue());
  tokens = tokens.filter(({ expiresAt }) => clock.now < expiresAt);
  const refusals: (string | undefined)[] = [];
  for (const verifier of verifiers) {
    for (const { token } of tokens) refusals.push(await verifier.refusalOf(token));
  }
  clock.pass(MINUTE);
  return refusals.filter((refusal) => refusal !== undefined);
}

const activeKid = async () => (await cron.ring()).signing.kid;
const listed = async (isolate: Isolate) => (await isolate.ring()).jwks.map(({ kid }) => kid);

describe("a verifier with a key set of its own", () => {
  it("rejects no unexpired token through two rotations, with lagging copies and caches in between", async () => {
    const kids = new Set<string>();
    for (let rotation = 0; rotation < 2; rotation += 1) {
      expect(await minute()).toEqual([]);
      const before = await activeKid();
      kids.add(before);
      // Months of which nothing happens, and then every minute around the hour in which the keys trade places.
      clock.pass(PERIOD - 13 * MINUTE);
      for (let step = 0; step < 90; step += 1) expect(await minute()).toEqual([]);
      expect(await activeKid()).not.toBe(before);
    }
    kids.add(await activeKid());
    expect(kids.size).toBe(3);
    // The first key is gone from everywhere, and the one after it has been gone long enough to be forgotten as well.
    for (const isolate of isolates) expect(await listed(isolate)).toHaveLength(2);
  });

  it("rejects none when an operator asks for one rotation after another, since each key waits for its day", async () => {
    for (let asked = 0; asked < 2; asked += 1) {
      expect(await minute()).toEqual([]);
      const before = await activeKid();
      const request = { purpose: "signing", by: crypto.randomUUID() };
      await cron.store.rotate(cron.bindings, request, PERIOD, clock.now);
      for (let step = 0; step < 20; step += 1) expect(await minute()).toEqual([]);
      // The first key of all has not been published for a day either.
      expect(await activeKid()).toBe(before);
      clock.pass(DAY - 30 * MINUTE);
      for (let step = 0; step < 30; step += 1) expect(await minute()).toEqual([]);
      expect(await activeKid()).not.toBe(before);
    }
  });

  it("takes tokens of a retired key for as long as they live, and knows the key no longer afterwards", async () => {
    await minute();
    const old = await activeKid();
    clock.pass(PERIOD);
    await minute();
    const [slow] = isolates.slice(-1) as [Isolate];
    // The isolate that had not heard of it signs with the old key for five minutes at most.
    while ((await slow.ring()).signing.kid === old) expect(await minute()).toEqual([]);
    expect(await listed(cron)).toContain(old);
    clock.pass(HOUR + EDGE);
    await minute();
    clock.pass(EDGE);
    for (const isolate of isolates) expect(await listed(isolate)).not.toContain(old);
  });
});

describe("an emergency drop", () => {
  /** Drops the active key, after everybody has used it. */
  async function drop(): Promise<{ old: string; refreshToken: string }> {
    for (let step = 0; step < 3; step += 1) expect(await minute()).toEqual([]);
    const ring = await cron.ring();
    const ids = { accountId: crypto.randomUUID(), sessionId: crypto.randomUUID(), generation: 1 };
    const refreshToken = await makeRefreshToken(ring, { ...ids, secret: new Uint8Array(16) });
    await cron.store.drop(cron.bindings, { key: ring.signing.kid, by: crypto.randomUUID() }, clock.now);
    return { old: ring.signing.kid, refreshToken };
  }

  /** Every isolate after the drop: believes only what came with it. */
  async function expectOver(isolate: Isolate, old: string, refreshToken: string): Promise<void> {
    expect(await listed(isolate)).not.toContain(old);
    expect(await readRefreshToken(await isolate.ring(), refreshToken)).toBeUndefined();
  }

  it("ends every token of the key within the stated bound, and not one of the next key", async () => {
    const { old } = await drop();
    // Old isolates still sign with it. What they sign is refused like the rest.
    for (let passed = 0; passed < EDGE; passed += MINUTE) await minute();
    for (const isolate of isolates) expect(await activeKidOf(isolate)).not.toBe(old);
    // Now only caches of the key set are left: the verifier's own, and the one in front of the other verifier.
    clock.pass(CACHE);
    const [direct, behindCache] = verifiers as [Verifier, Verifier];
    for (const { token, kid } of tokens) {
      expect(await direct.refusalOf(token)).toBe(kid === old ? "unknown_key" : undefined);
    }
    clock.pass(SHARED_CACHE);
    for (const { token, kid } of tokens.filter((one) => one.kid === old)) {
      expect(await behindCache.refusalOf(token)).toMatch(kid === old ? /unknown_key|expired/ : /never/);
    }
    expect(tokens.some(({ kid }) => kid === old)).toBe(true);
    tokens = [];
    expect(await minute()).toEqual([]);
  });

  it("is obeyed at once where the key set is read next, since the next key was published before", async () => {
    const { old } = await drop();
    const fresh = await cron.issue();
    for (const verifier of verifiers) {
      const { fetches } = verifier;
      expect(await verifier.refusalOf(fresh.token)).toBeUndefined();
      expect(verifier.fetches).toBe(fetches);
    }
    const late = new Verifier(clock, () => cron);
    for (const { token, kid } of tokens.filter((one) => one.kid === old)) {
      expect([kid, await late.refusalOf(token)]).toEqual([old, "unknown_key"]);
    }
  });

  it("ends sessions at every isolate within five minutes, however slow its KV is", async () => {
    const { old, refreshToken } = await drop();
    await expectOver(cron, old, refreshToken);
    clock.pass(EDGE);
    for (const isolate of isolates) await expectOver(isolate, old, refreshToken);
  });

  it("is not undone by a copy that a slow cron writes after it, in old isolates or in new ones", async () => {
    const slow = new Isolate(clock, kv, 0);
    kv.held = [];
    const turned = slow.store.turn(slow.bindings, PERIOD, clock.now);
    while (kv.held.length === 0) await scheduler.wait(1);
    const { held } = kv;
    kv.held = undefined;
    const begun = clock.now;
    const { old, refreshToken } = await drop();
    for (const arrive of held) arrive();
    await turned;
    // Whoever has seen the drop never goes back to what was before it.
    await expectOver(cron, old, refreshToken);
    clock.now = begun + EDGE;
    await expectOver(new Isolate(clock, kv, 0), old, refreshToken);
    await expectOver(cron, old, refreshToken);
  });

  it("is not undone by an old copy that turns up again, and nothing writes that copy anywhere", async () => {
    await minute();
    const before = kv.values.at(-1) ?? "";
    const { old, refreshToken } = await drop();
    clock.pass(EDGE + SECOND);
    kv.write(before);
    const fresh = new Isolate(clock, kv, 0);
    await expectOver(fresh, old, refreshToken);
    await fresh.store.turn(fresh.bindings, PERIOD, clock.now);
    await expectOver(new Isolate(clock, kv, 0), old, refreshToken);
    expect(kv.values.at(-1)).not.toBe(before);
  });

  it("of a key that is not the active one ends the tokens of all of them", async () => {
    for (let step = 0; step < 2; step += 1) await minute();
    const { jwks, signing } = await cron.ring();
    const next = jwks.find(({ kid }) => kid !== signing.kid)?.kid ?? "";
    await cron.store.drop(cron.bindings, { key: next, by: "operation" }, clock.now);
    const late = new Verifier(clock, () => cron);
    for (const { token } of tokens) expect(await late.refusalOf(token)).toBe("unknown_key");
    expect(await listed(cron)).not.toContain(next);
  });
});

const activeKidOf = async (isolate: Isolate) => (await isolate.ring()).signing.kid;
