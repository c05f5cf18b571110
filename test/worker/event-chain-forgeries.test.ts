import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CHECKPOINT_EVERY_MS, RETENTION_SLACK_MS } from "../../src/event-policy.ts";
import { forgetOldEvents } from "../../src/flows/forget-old-events.ts";
import {
  broken,
  checkpointAt,
  forgetAll,
  linkedPages,
  relinked,
  serviceOf,
  sql,
  tampered,
  visitAt,
} from "./support/chain.ts";
import { DAY, pass, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();
afterEach(forgetAll);

const addCheckpoint = (number: number, page: number) =>
  sql(`INSERT INTO event_checkpoints VALUES (${number}, ${page}, 0, 'x', 0, 1, 'x', 'x')`);

describe("a checkpoint that nobody has signed leads past none of those that are", () => {
  beforeEach(async () => {
    await linkedPages(3, 3);
    await checkpointAt(Date.now());
    pass(DAY);
    await linkedPages(2);
    await checkpointAt(Date.now());
  });

  it.each([
    ["before all pages", 100, -1],
    ["of a page that is signed", 100, 1],
    ["behind all pages", 3, 99],
    ["numbered before all others", -1, 1],
  ])("%s", async (_, number, page) => {
    await tampered("UPDATE events SET kind = 'authn_login_success' WHERE seq = 2");
    await tampered(...(await relinked()));
    await addCheckpoint(number, page);
    expect(await broken()).toMatchObject({ what: "signature" });
    // What is signed after that does not make it whole.
    pass(CHECKPOINT_EVERY_MS);
    await checkpointAt(Date.now());
    expect(await broken()).toMatchObject({ what: "signature" });
  });

  it("of what retention has removed", async () => {
    pass(180 * DAY - DAY + RETENTION_SLACK_MS);
    await forgetOldEvents(serviceOf(), visitAt(Date.now()));
    expect(await sql("SELECT page FROM event_stubs")).toEqual([{ page: 2 }]);
    await linkedPages(1);
    expect(await broken()).toEqual({});
    await addCheckpoint(100, 1);
    expect(await broken()).toEqual({ what: "signature", number: 100 });
  });
});
