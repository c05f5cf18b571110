import { afterEach, describe, expect, it } from "vitest";
import { CHECKPOINT_EVERY_MS, RETENTION_SLACK_MS } from "../../src/event-policy.ts";
import { forgetOldEvents } from "../../src/flows/forget-old-events.ts";
import { verifyEvents } from "../../src/flows/verify-events.ts";
import {
  arrive,
  broken,
  checkpointAt,
  forgetAll,
  linkedPages,
  refusalOf,
  serviceOf,
  sql,
  tampered,
  verified,
  visitAt,
} from "./support/chain.ts";
import { DAY, HOUR, pass, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();
afterEach(forgetAll);

const KEPT = 180 * DAY;
/** After {@link threeDays}. */
const FIRST_PAGE_IS_DUE = KEPT - 2 * DAY + RETENTION_SLACK_MS;
const retain = () => forgetOldEvents(serviceOf(), visitAt(Date.now()));
const stubs = () => sql<{ number: number }>("SELECT number, page, last_seq, count FROM event_stubs ORDER BY number");
const kept = async () => (await sql<{ seq: number }>("SELECT seq FROM events ORDER BY seq")).map(({ seq }) => seq);

/** Three pages of two events, a day apart from each other, and a checkpoint after each. */
async function threeDays(): Promise<void> {
  for (let days = 0; days < 3; days += 1) {
    if (days > 0) pass(DAY);
    await linkedPages(2);
    await checkpointAt(Date.now());
  }
}

describe("retention", () => {
  it("removes whole pages that are old enough, and leaves a signed stub from which the check goes on", async () => {
    await threeDays();
    await retain();
    expect(await stubs()).toEqual([]);
    pass(FIRST_PAGE_IS_DUE);
    await retain();
    expect(await stubs()).toEqual([{ number: 1, page: 1, last_seq: 2, count: 2 }]);
    expect(await kept()).toEqual([3, 4, 5, 6]);
    expect(await verified()).toMatchObject({
      ...{ kind: "chain_whole", events: 4, pages: 2, checkpoints: 3, first_seq: 3, last_seq: 6 },
      stub: { number: 1, last_seq: 2, count: 2 },
    });
    pass(DAY);
    await retain();
    expect(await stubs()).toHaveLength(2);
    expect(await kept()).toEqual([5, 6]);
    expect(await verified()).toMatchObject({ kind: "chain_whole", events: 2, checkpoints: 2, first_seq: 5 });
  });

  it("keeps the newest page however old it is, so that no number is given twice", async () => {
    await threeDays();
    pass(10 * KEPT);
    await retain();
    await retain();
    expect(await kept()).toEqual([5, 6]);
    await linkedPages(1);
    expect(await kept()).toEqual([5, 6, 7]);
    expect(await verified()).toMatchObject({ kind: "chain_whole", events: 3 });
  });

  it("is done once by ten crons, at most once an hour where nothing is behind", async () => {
    await threeDays();
    pass(KEPT);
    await Promise.all(Array.from({ length: 10 }, retain));
    expect(await stubs()).toEqual([{ number: 1, page: 2, last_seq: 4, count: 4 }]);
    pass(HOUR);
    await retain();
    expect(await stubs()).toHaveLength(1);
    expect(await verified()).toMatchObject({ kind: "chain_whole" });
  });

  it("opens nothing but what its stub covers", async () => {
    await threeDays();
    pass(FIRST_PAGE_IS_DUE);
    await retain();
    expect(await kept()).toEqual([3, 4, 5, 6]);
    expect(await refusalOf("DELETE FROM events WHERE seq <= 3")).toContain("by retention alone");
    expect(await refusalOf("DELETE FROM event_chain WHERE number <= 2")).toContain("by retention alone");
    expect(await refusalOf("UPDATE event_stubs SET page = 3")).toContain("stubs are never changed");
    expect(await refusalOf("DELETE FROM event_stubs")).toContain("stubs are never removed");
    await sql("INSERT OR REPLACE INTO event_stubs SELECT number, 3, 6, '', 6, 0, 1, '', '' FROM event_stubs");
    expect(await verified()).toMatchObject({ kind: "chain_whole", events: 4 });
  });

  it("signs for nothing that somebody has changed: it stops, and the check names it", async () => {
    await threeDays();
    await tampered("UPDATE event_chain SET made_at = 0");
    pass(DAY);
    await retain();
    expect(await stubs()).toEqual([]);
    expect(await broken()).toMatchObject({ what: "page", page: 1 });
  });
});

describe("a forged stub is named", () => {
  const forged =
    "INSERT INTO event_stubs SELECT 2, 2, 4, (SELECT hash FROM event_chain WHERE number = 2), 2, at, key_id, public_key, signature FROM event_stubs";

  async function oneRemoved(): Promise<void> {
    await threeDays();
    pass(FIRST_PAGE_IS_DUE);
    await retain();
    expect(await stubs()).toHaveLength(1);
  }

  it.each([
    { done: "inserted", queries: [forged], named: { what: "stub", number: 2 } },
    {
      done: "inserted, and what it covers removed",
      queries: [forged, "DELETE FROM events WHERE seq <= 4", "DELETE FROM event_chain WHERE number <= 2"],
      named: { what: "stub", number: 2 },
    },
    { done: "changed", queries: ["UPDATE event_stubs SET count = 1"], named: { what: "stub", number: 1 } },
    { done: "removed", queries: ["DELETE FROM event_stubs"], named: { what: "missing", page: 1 } },
    {
      done: "right, but something stands before it",
      queries: ["INSERT INTO events VALUES (1, 'x', 0, 'x', '', '', 0, '{}')"],
      named: { what: "inserted", seq: 1 },
    },
  ])("$done", async ({ queries, named }) => {
    await oneRemoved();
    await tampered(...queries);
    expect(await broken()).toEqual(named);
  });
});

describe("a check", () => {
  it("that retention overtakes begins again behind what was removed", async () => {
    await threeDays();
    const begun = await verifyEvents(serviceOf(), visitAt(Date.now()), undefined);
    expect(begun).toMatchObject({ kind: "chain_whole", events: 6 });
    pass(FIRST_PAGE_IS_DUE);
    await retain();
    const head = { page: 0, seq: 0, hash: "0".repeat(64) };
    const from = { head, checkpoint: 0, events: 0, pages: 0, checkpoints: 0 };
    expect(await verifyEvents(serviceOf(), visitAt(Date.now()), from)).toMatchObject({
      kind: "chain_whole",
      events: 4,
    });
  });

  it("reads what a key of before has signed after it was rotated", async () => {
    await linkedPages(1);
    await checkpointAt(Date.now());
    const { keyCommands } = serviceOf();
    await keyCommands.rotate("checkpoint", "o1", Date.now());
    pass(HOUR);
    await keyCommands.rotate("checkpoint", "o1", Date.now());
    expect(await keyCommands.rotate("checkpoint", "o2", Date.now())).toMatchObject({ kind: "rotated" });
    pass(CHECKPOINT_EVERY_MS);
    await checkpointAt(Date.now());
    const keys = await sql<{ key_id: number }>("SELECT key_id FROM event_checkpoints ORDER BY number");
    expect(new Set(keys.map(({ key_id }) => key_id)).size).toBe(2);
    await arrive(1);
    expect(await verified()).toMatchObject({ kind: "chain_whole", checkpoints: 2 });
  });
});
