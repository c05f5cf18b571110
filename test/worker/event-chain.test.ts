import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CHECKPOINT_EVERY_MS, LINK_PAGE_EVENTS, LINK_PAGES_A_MINUTE } from "../../src/event-policy.ts";
import { linkEvents } from "../../src/flows/link-events.ts";
import {
  arrive,
  broken,
  checkpointAt,
  forgetAll,
  linkedPages,
  relinked,
  serviceOf,
  sql,
  tampered,
  verified,
  visitAt,
} from "./support/chain.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");

afterEach(forgetAll);

const pages = () =>
  sql<{ number: number; first_seq: number; last_seq: number }>("SELECT * FROM event_chain ORDER BY number");

/** Bindings of which every statement of the second database that matches fails, after it was executed if so wanted. */
function failingAt(pattern: RegExp, when: "before" | "after"): object {
  const failing = (query: string, inner: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(inner, {
      get(statement, property) {
        const member = Reflect.get(statement, property) as (...values: unknown[]) => unknown;
        if (property === "bind") return (...values: unknown[]) => failing(query, statement.bind(...values));
        return async (...values: unknown[]) => {
          if (pattern.test(query) && when === "before") throw new Error("cut off");
          const outcome = await member.apply(statement, values);
          if (pattern.test(query)) throw new Error("cut off");
          return outcome;
        };
      },
    });
  return { ...env, EVENTS: { prepare: (query: string) => failing(query, env.EVENTS.prepare(query)) } };
}

describe("linking", () => {
  it("links each event once, a page at a time, and goes on where it was", async () => {
    await linkedPages(3, 0, 2);
    expect(await pages()).toMatchObject([
      { number: 1, first_seq: 1, last_seq: 3 },
      { number: 2, first_seq: 4, last_seq: 5 },
    ]);
    await arrive(1);
    expect(await verified()).toMatchObject({
      kind: "chain_whole",
      events: 5,
      pages: 2,
      first_seq: 1,
      last_seq: 5,
      unlinked: 1,
    });
  });

  it("does so much a minute and the rest later", async () => {
    const all = LINK_PAGE_EVENTS * LINK_PAGES_A_MINUTE;
    await arrive(all + 1);
    await linkEvents(serviceOf(), visitAt(NOW));
    expect(await verified()).toMatchObject({
      kind: "chain_whole",
      events: all,
      pages: LINK_PAGES_A_MINUTE,
      unlinked: 1,
    });
    await linkEvents(serviceOf(), visitAt(NOW));
    expect(await verified()).toMatchObject({ events: all + 1, unlinked: 0 });
  });

  it("by ten crons at once makes one chain", async () => {
    await linkedPages(2);
    for (let round = 0; round < 5; round += 1) {
      await arrive(7);
      await Promise.all(Array.from({ length: 10 }, () => linkEvents(serviceOf(), visitAt(Date.now()))));
    }
    expect(await verified()).toMatchObject({ kind: "chain_whole", events: 37, unlinked: 0 });
    expect(await pages()).toHaveLength(6);
  });

  it.each(["before", "after"] as const)("goes on after a database that failed %s a page was written", async (when) => {
    await arrive(LINK_PAGE_EVENTS + 5);
    await expect(linkEvents(serviceOf(failingAt(/INSERT/, when)), visitAt(NOW))).rejects.toThrow("cut off");
    await linkEvents(serviceOf(), visitAt(NOW));
    expect(await verified()).toMatchObject({
      kind: "chain_whole",
      events: LINK_PAGE_EVENTS + 5,
      pages: 2,
      unlinked: 0,
    });
  });
});

describe("a checkpoint", () => {
  const checkpoints = () =>
    sql<{ number: number; at: number }>("SELECT number, page, last_seq, at FROM event_checkpoints");

  it("is set once an hour, whether the chain has grown or not, and by one of two crons", async () => {
    await checkpointAt(NOW);
    expect(await checkpoints()).toEqual([]);
    await linkedPages(2);
    await Promise.all([checkpointAt(NOW), checkpointAt(NOW), checkpointAt(NOW + 1)]);
    await checkpointAt(NOW + CHECKPOINT_EVERY_MS - 1);
    await checkpointAt(NOW + CHECKPOINT_EVERY_MS + 1);
    await linkedPages(1);
    await checkpointAt(NOW + 2 * CHECKPOINT_EVERY_MS + 2);
    expect(await checkpoints()).toMatchObject([
      { number: 1, page: 1, last_seq: 2 },
      { number: 2, page: 1, last_seq: 2, at: NOW + CHECKPOINT_EVERY_MS + 1 },
      { number: 3, page: 2, last_seq: 3 },
    ]);
    expect(await verified()).toMatchObject({ kind: "chain_whole", checkpoints: 3, checkpoint: { number: 3 } });
  });

  it("goes on where a clock was ahead", async () => {
    await linkedPages(1);
    await checkpointAt(NOW + 365 * 24 * CHECKPOINT_EVERY_MS);
    await checkpointAt(NOW);
    await checkpointAt(NOW + 1);
    expect(await checkpoints()).toMatchObject([{ number: 1 }, { number: 2, at: NOW }]);
    expect(await verified()).toMatchObject({ kind: "chain_whole", checkpoints: 2 });
  });
});

describe("what somebody has done who may write to the database is named", () => {
  beforeEach(async () => {
    await linkedPages(5, 5);
    await checkpointAt(NOW);
    await linkedPages(5);
    await checkpointAt(NOW + CHECKPOINT_EVERY_MS);
  });

  const change = (what: string) => `UPDATE events SET ${what} WHERE seq = 7`;
  const place = (seq: number) => `INSERT INTO events VALUES (${seq}, 'x', 0, 'authn_login_success', 'a1', '', 1, '{}')`;
  /** Every event from one on one place further back. */
  const shift = (from: number) =>
    [15, 14, 13, 12, 11, 10, 9, 8, 7]
      .filter((seq) => seq >= from)
      .map((seq) => `UPDATE events SET seq = ${seq + 1} WHERE seq = ${seq}`);

  it.each([
    ["kind = 'authn_login_success'"],
    ["id = 'other'"],
    ["at = at + 1"],
    ["account = 'a2'"],
    ["source = ''"],
    ["routine = 1"],
    // Bytes that read like the number, and no index of notable events has them any more.
    ["routine = X'00'"],
    ["account = X'6131'"],
    ["detail = replace(detail, 'wrong', 'right')"],
    ["detail = detail || ' '"],
  ])("a changed column: %s", async (what) => {
    await tampered(change(what));
    expect(await broken()).toEqual({ what: "changed", seq: 7, page: 2 });
  });

  it.each([
    {
      done: "an event removed",
      queries: ["DELETE FROM events WHERE seq = 7"],
      named: { what: "missing", seq: 7, page: 2 },
    },
    {
      done: "the first event removed",
      queries: ["DELETE FROM events WHERE seq = 1"],
      named: { what: "missing", seq: 1, page: 1 },
    },
    {
      done: "the last event removed",
      queries: ["DELETE FROM events WHERE seq = 15"],
      named: { what: "missing", seq: 15, page: 3 },
    },
    { done: "every event removed", queries: ["DELETE FROM events"], named: { what: "missing", seq: 1, page: 1 } },
    {
      done: "an event removed and another in its place",
      queries: ["DELETE FROM events WHERE seq = 7", place(7)],
      named: { what: "changed", seq: 7, page: 2 },
    },
    { done: "an event put in between", queries: [...shift(7), place(7)], named: { what: "inserted", seq: 7, page: 2 } },
    { done: "an event put before all others", queries: [place(0)], named: { what: "inserted", seq: 0 } },
    {
      done: "two neighbours changed over",
      queries: [
        "UPDATE events SET seq = 99 WHERE seq = 7",
        "UPDATE events SET seq = 7 WHERE seq = 8",
        "UPDATE events SET seq = 8 WHERE seq = 99",
      ],
      named: { what: "order", seq: 7, page: 2 },
    },
    {
      done: "two others changed over",
      queries: [
        "UPDATE events SET seq = 99 WHERE seq = 6",
        "UPDATE events SET seq = 6 WHERE seq = 9",
        "UPDATE events SET seq = 9 WHERE seq = 99",
      ],
      named: { what: "order", seq: 6, page: 2 },
    },
    {
      done: "a page removed",
      queries: ["DELETE FROM event_chain WHERE number = 2"],
      named: { what: "missing", page: 2 },
    },
    {
      done: "the last page removed",
      queries: ["DELETE FROM event_chain WHERE number = 3"],
      named: { what: "missing", page: 3 },
    },
    {
      done: "the end of events and chain removed",
      queries: ["DELETE FROM event_chain WHERE number = 3", "DELETE FROM events WHERE seq > 10"],
      named: { what: "missing", page: 3 },
    },
    {
      done: "another time of a page",
      queries: ["UPDATE event_chain SET made_at = 0 WHERE number = 2"],
      named: { what: "page", seq: 10, page: 2 },
    },
    {
      done: "another hash of a page",
      queries: [`UPDATE event_chain SET hash = '${"0".repeat(64)}' WHERE number = 1`],
      named: { what: "page", seq: 5, page: 1 },
    },
    {
      done: "a page that ends far away",
      queries: ["UPDATE event_chain SET last_seq = 1000000 WHERE number = 2"],
      named: { what: "page", page: 2 },
    },
    {
      done: "a page that ends too early",
      queries: ["UPDATE event_chain SET last_seq = 9 WHERE number = 2"],
      named: { what: "missing", seq: 10, page: 2 },
    },
    ...["prefixes = X'00'", "prefixes = prefixes || 'f'", "prefixes = replace(prefixes, 'a', 'b') || ''"].map(
      (what) => ({
        done: `other links of events in a page: ${what}`,
        queries: [`UPDATE event_chain SET ${what} WHERE number = 2`],
        named: { what: "page", page: 2 },
      }),
    ),
    {
      done: "a checkpoint removed",
      queries: ["DELETE FROM event_checkpoints WHERE number = 1"],
      named: { what: "missing", number: 1 },
    },
    {
      done: "a checkpoint moved",
      queries: ["UPDATE event_checkpoints SET page = 3 WHERE number = 1"],
      named: { what: "signature", number: 1 },
    },
    {
      done: "a checkpoint of another time",
      queries: ["UPDATE event_checkpoints SET at = at - 1 WHERE number = 2"],
      named: { what: "signature", number: 2 },
    },
    {
      done: "a checkpoint of a page to come",
      queries: ["UPDATE event_checkpoints SET page = 4 WHERE number = 2"],
      named: { what: "signature", number: 2 },
    },
    {
      done: "checkpoints changed over",
      queries: [
        "UPDATE event_checkpoints SET number = 9 WHERE number = 1",
        "UPDATE event_checkpoints SET number = 1 WHERE number = 2",
      ],
      named: { what: "signature", number: 1 },
    },
  ])("$done", async ({ queries, named }) => {
    await tampered(...queries);
    expect(await broken()).toMatchObject(named);
  });

  it("a chain made anew does not fit what was signed about it", async () => {
    await tampered(change("kind = 'authn_login_success'"));
    await tampered(...(await relinked()));
    expect(await broken()).toEqual({ what: "signature", number: 1, page: 2 });
  });

  it("and what was not touched is whole", async () => {
    await tampered(...(await relinked()));
    expect(await verified()).toMatchObject({ kind: "chain_whole", events: 15, pages: 3, checkpoints: 2 });
  });
});
