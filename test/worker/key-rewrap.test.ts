import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { type KeyRingRecord, unsealRecord } from "../../src/keys/key-ring.ts";
import { KeyRingStore } from "../../src/keys/key-ring-store.ts";
import type { RootSecret } from "../../src/keys/root-secret.ts";
import { KEY_RING_TTL_MS } from "../../src/token-policy.ts";
import { roots } from "../support/in-worker.ts";
import { afterFirstRead, arrivalOf, slowlyRead } from "../support/slow-reads.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const PERIOD = 90 * 86_400_000;

const [old, fresh] = [roots()[0] ?? new Uint8Array(), crypto.getRandomValues(new Uint8Array(32))];

/** The stored ring, opened with these secrets. */
async function storedWith(...secrets: RootSecret[]): Promise<KeyRingRecord | undefined> {
  const row = await env.DB.prepare("SELECT * FROM key_ring").first<{ version: number; sealed: string }>();
  return unsealRecord(row?.sealed ?? "", secrets, `record:${row?.version}`);
}

async function copyWith(...secrets: RootSecret[]): Promise<KeyRingRecord | undefined> {
  const copy = await env.KV.get<{ version: number; validUntil: number; sealed: string }>("key-ring", "json");
  return copy ? unsealRecord(copy.sealed, secrets, `copy:${copy.version}:${copy.validUntil}`) : undefined;
}

let before: KeyRingRecord;
beforeEach(async () => {
  await env.DB.prepare("DELETE FROM key_ring").run();
  await env.KV.delete("key-ring");
  await new KeyRingStore([old]).turn(env, PERIOD, NOW);
  await new KeyRingStore([old]).current(env, NOW);
  before = (await storedWith(old)) as KeyRingRecord;
});

describe("rewrap", () => {
  it("seals the ring and its copy under the first root secret, and keeps every key", async () => {
    await new KeyRingStore([fresh, old]).rewrap(env, NOW + 1);
    expect(await storedWith(fresh)).toEqual({ ...before, version: 2 });
    expect(await copyWith(fresh)).toEqual({ ...before, version: 2 });
    expect(await storedWith(old)).toBeUndefined();
  });

  it("changes nothing where the first one seals already, however often it is executed", async () => {
    await new KeyRingStore([old, fresh]).rewrap(env, NOW + 1);
    expect(await storedWith(old)).toEqual(before);
    for (let time = 1; time <= 3; time += 1) await new KeyRingStore([fresh, old]).rewrap(env, NOW + time);
    expect((await storedWith(fresh))?.version).toBe(2);
  });

  it("and a rotation at once lose nothing of each other, whichever comes first", async () => {
    const due = NOW + PERIOD;
    const bindings = slowlyRead(arrivalOf(2));
    const both = () => new KeyRingStore([fresh, old]);
    await Promise.all([both().rewrap(bindings, due), both().turn(bindings, PERIOD, due)]);
    const record = await storedWith(fresh);
    expect(record?.signing.map(({ state }) => state)).toEqual(["retired", "active", "next"]);
    expect(await storedWith(old)).toBeUndefined();
  });

  it("does not undo a drop that comes between its read and its write", async () => {
    const key = before.signing[0]?.kid ?? "";
    const bindings = afterFirstRead(() => new KeyRingStore([old, fresh]).drop(env, { key, by: "op" }, NOW + 1));
    await new KeyRingStore([fresh, old]).rewrap(bindings, NOW + 1);
    expect(await storedWith(fresh)).toMatchObject({ version: 3, epoch: 2 });
    expect((await storedWith(fresh))?.signing.map(({ kid }) => kid)).not.toContain(key);
  });

  it("is shown by the list", async () => {
    const store = new KeyRingStore([fresh, old]);
    expect(await store.list(env, PERIOD, NOW)).toMatchObject({ sealed_by: "other", root_secrets: 2 });
    await store.rewrap(env, NOW);
    expect(await store.list(env, PERIOD, NOW)).toMatchObject({ sealed_by: "first", root_secrets: 2 });
    expect(await new KeyRingStore([fresh]).list(env, PERIOD, NOW)).toMatchObject({
      sealed_by: "first",
      root_secrets: 1,
    });
  });
});

describe("a move to a new root secret, as the runbook has it", () => {
  it("keeps every isolate of two settings in a row at work", async () => {
    const steps = [[old], [old, fresh], [fresh, old], [fresh]];
    let kid: string | undefined;
    for (const [step, now] of steps.map((_, at) => [at, NOW + (at + 1) * 2 * KEY_RING_TTL_MS] as const)) {
      // While a deployment goes out, isolates of the settings before it answer as well, and so does their cron.
      const running = steps.slice(Math.max(step - 1, 0), step + 1);
      const isolates = () => running.map((secrets) => new KeyRingStore(secrets));
      const work = async () => {
        for (const cron of isolates()) {
          await cron.turn(env, PERIOD, now);
          for (const isolate of isolates()) {
            const ring = await isolate.current(env, now);
            kid ??= ring.signing.kid;
            expect(ring.signing.kid).toBe(kid);
          }
        }
      };
      await work();
      if (step === 2) await new KeyRingStore([fresh, old]).rewrap(env, now);
      await work();
    }
    expect(await storedWith(fresh)).toBeDefined();
  });
});
