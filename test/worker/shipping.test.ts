import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { EVENTS_IN_GUARD, SHIPMENT_RETRY_MS, TALLIES_AT_ONCE } from "../../src/event-policy.ts";
import { eventStoreOf } from "../../src/events/event-store.ts";
import { type FailureStreak, OutboxRows, Shipper, streakOf } from "../../src/events/outbox.ts";
import type { SecurityEvent } from "../../src/events/security-event.ts";
import { newEvents } from "./support/chain.ts";

/** Works with an outbox of its own, over storage of an object's. */
function withOutbox(work: (outbox: OutboxRows, streak: FailureStreak) => Promise<void>): Promise<void> {
  const stub = env.GATES.getByName(crypto.randomUUID());
  return runInDurableObject(stub, (_, { storage }) => work(new OutboxRows(storage.sql), streakOf(storage.kv)));
}

/** A store that answers when it is told to. */
function slowStore() {
  const arrived: string[] = [];
  const waiting: (() => void)[] = [];
  const store = {
    add: (events: readonly SecurityEvent[]) =>
      new Promise<void>((resolve) => {
        waiting.push(() => {
          arrived.push(...events.map(({ id }) => id));
          resolve();
        });
      }),
  };
  return { store, arrived, waiting };
}

const turns = async () => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

it("two shipments at once forget nothing that has not arrived", () =>
  withOutbox(async (outbox, streak) => {
    const { store, arrived, waiting } = slowStore();
    const shipper = new Shipper(() => outbox.next(), store, streak);
    const [first, later] = [newEvents(1), newEvents(1)];
    outbox.keep(first);
    const both = Promise.all([shipper.ship(), shipper.ship()]);
    await turns();
    waiting.shift()?.();
    await turns();
    // It has the number that the first one had.
    outbox.keep(later);
    for (const answer of waiting.splice(0)) answer();
    await both;
    const all = shipper.ship();
    await turns();
    for (const answer of waiting.splice(0)) answer();
    await all;
    expect(new Set(arrived)).toEqual(new Set([...first, ...later].map(({ id }) => id)));
    expect(outbox.next()).toBeUndefined();
  }));

it("what was recorded while a shipment was under way goes with the next one", () =>
  withOutbox(async (outbox, streak) => {
    const { store, arrived, waiting } = slowStore();
    const shipper = new Shipper(() => outbox.next(), store, streak);
    outbox.keep(newEvents(2));
    const shipped = shipper.ship();
    await turns();
    outbox.keep(newEvents(3));
    waiting.shift()?.();
    await turns();
    waiting.shift()?.();
    await shipped;
    expect(arrived).toHaveLength(5);
    expect(outbox.next()).toBeUndefined();
  }));

it("failures in a row wait longer and longer, and one that arrives begins anew; nothing is forgotten before", () =>
  withOutbox(async (outbox, streak) => {
    let isDown = true;
    const add = async () => {
      if (isDown) throw new Error("D1_ERROR");
    };
    const shipper = new Shipper(() => outbox.next(), { add }, streak);
    outbox.keep(newEvents(1));
    const waits = [await shipper.ship(), await shipper.ship(), await shipper.ship()];
    const { first, longest } = SHIPMENT_RETRY_MS;
    expect(waits.map((later) => later?.retryAfterMs)).toEqual([first, 2 * first, 4 * first]);
    for (let failures = 0; failures < 20; failures += 1) await shipper.ship();
    expect(await shipper.ship()).toEqual({ retryAfterMs: longest });
    expect(outbox.next()?.events).toHaveLength(1);
    isDown = false;
    expect(await shipper.ship()).toBeUndefined();
    outbox.keep(newEvents(1));
    isDown = true;
    expect(await shipper.ship()).toEqual({ retryAfterMs: first });
  }));

/** What D1 takes in one parameter. */
const PARAMETER_MAX = 2_000_000;

/** An event with everything that one can have. */
const fullEvents = (count: number): SecurityEvent[] =>
  newEvents(count).map((event) => ({
    ...event,
    ...{ kind: "excess_rate_limit_exceeded", reason: "passkey_source_throttled", factor: "recovery_code" },
    ...{ account: crypto.randomUUID(), address: "a".repeat(43), session: crypto.randomUUID(), actor: "reactions" },
    ...{ source: "2001:0db8:ffff::/48", country: "DE", asn: 4_200_000_000, place: { lat: -88, lon: -179 } },
    ...{ agent: "a".repeat(16), request: crypto.randomUUID(), count: 1_000_000, addresses: 1_000 },
    about: { addresses_touched: 1_000 },
  }));

it("an outage in a flood leaves more than a statement takes: it goes in several, the oldest first", () =>
  withOutbox(async (outbox, streak) => {
    const [sizes, arrived]: [number[], string[]] = [[], []];
    const statement = {
      bind(value: string) {
        sizes.push(value.length);
        arrived.push(...(JSON.parse(value) as SecurityEvent[]).map(({ id }) => id));
        return { run: async () => ({}) };
      },
    };
    const store = eventStoreOf({ prepare: () => statement } as unknown as D1Database);
    const kept = [...Array<number>(5).fill(TALLIES_AT_ONCE), ...Array<number>(400).fill(EVENTS_IN_GUARD)].map(
      fullEvents,
    );
    for (const events of kept) outbox.keep(events);
    expect(await new Shipper(() => outbox.next(), store, streak).ship()).toBeUndefined();
    expect(arrived).toEqual(kept.flat().map(({ id }) => id));
    expect(Math.max(...sizes)).toBeLessThan(PARAMETER_MAX);
    expect(sizes.length).toBeLessThan(20);
    expect(outbox.next()).toBeUndefined();
  }));
