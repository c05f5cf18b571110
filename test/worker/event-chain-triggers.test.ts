import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventStoreOf } from "../../src/events/event-store.ts";
import {
  arrive,
  broken,
  checkpointAt,
  forgetAll,
  linkedPages,
  newEvents,
  refusalOf,
  sql,
  verified,
} from "./support/chain.ts";

const COLUMNS = "seq, id, at, kind, account, source, routine, detail";

describe("what is stored", () => {
  let before: unknown;
  const events = () => sql("SELECT * FROM events ORDER BY seq");

  beforeEach(async () => {
    await linkedPages(3, 2);
    await checkpointAt(Date.now());
    await arrive(1);
    before = await events();
  });
  afterEach(forgetAll);

  it.each([
    ["UPDATE events SET kind = 'x' WHERE seq = 2", "events are never changed"],
    ["UPDATE OR REPLACE events SET seq = 1 WHERE seq = 2", "events are never changed"],
    ["DELETE FROM events WHERE seq = 2", "removed by retention alone"],
    ["DELETE FROM events WHERE seq = 6", "removed by retention alone"],
    ["DELETE FROM events", "removed by retention alone"],
    [`INSERT OR REPLACE INTO events (${COLUMNS}) VALUES (2, 'x', 0, 'x', 'a1', '', 0, '{}')`, "never replaced"],
    [
      `INSERT INTO events (${COLUMNS}) VALUES (2, 'x', 0, 'x', 'a1', '', 0, '{}') ON CONFLICT (seq) DO UPDATE SET kind = 'x'`,
      "never replaced",
    ],
    ["UPDATE event_chain SET hash = '' WHERE number = 1", "the chain is never changed"],
    ["DELETE FROM event_chain", "shortened by retention alone"],
    ["UPDATE event_checkpoints SET at = 0", "checkpoints are never changed"],
    ["DELETE FROM event_checkpoints", "checkpoints are never removed"],
  ])("refuses %s", async (query, sentence) => {
    expect(await refusalOf(query)).toContain(sentence);
    expect(await events()).toEqual(before);
    expect(await verified()).toMatchObject({ kind: "chain_whole", events: 5, checkpoints: 1, unlinked: 1 });
  });

  it.each(["-9223372036854775808", "-1", "0", "8", "9223372036854775807"])(
    "takes no event as number %s",
    async (seq) => {
      expect(
        await refusalOf(`INSERT INTO events (${COLUMNS}) VALUES (${seq}, 'x', 0, 'x', '', '', 0, '{}')`),
      ).toContain("events come after all others");
      expect(await events()).toEqual(before);
      await arrive(2);
      await linkedPages(1);
      expect(await verified()).toMatchObject({ kind: "chain_whole", events: 9, last_seq: 9 });
    },
  );

  it.each(["INSERT OR REPLACE", "INSERT OR IGNORE", "REPLACE"])(
    "is left as it is by %s of an event's id",
    async (verb) => {
      await env.EVENTS.prepare(
        `${verb} INTO events (id, at, kind, account, source, routine, detail) SELECT id, 0, 'x', account, '', 0, '{}' FROM events WHERE seq = 2`,
      ).run();
      expect(await events()).toEqual(before);
    },
  );

  it.each([
    "INSERT OR REPLACE INTO event_chain SELECT number, 0, 0, 0, 'x', 'x' FROM event_chain",
    "INSERT OR REPLACE INTO event_checkpoints SELECT number, 0, 0, 'x', 0, 0, 'x', 'x' FROM event_checkpoints",
  ])("is left as it is by %s", async (query) => {
    await env.EVENTS.prepare(query).run();
    expect(await broken()).toEqual({});
  });

  it("takes a shipment that is repeated, and of it what is new", async () => {
    const [one, other] = newEvents(2);
    if (!one || !other) throw new Error("there are two");
    const store = eventStoreOf(env.EVENTS);
    await store.add([one]);
    await store.add([{ ...one, reason: "another" }, other, one]);
    const stored = await sql("SELECT seq, id, detail ->> 'reason' AS reason FROM events WHERE seq > 6 ORDER BY seq");
    expect(stored).toEqual([
      { seq: 7, id: one.id, reason: "wrong_password" },
      { seq: 8, id: other.id, reason: "wrong_password" },
    ]);
  });
});
