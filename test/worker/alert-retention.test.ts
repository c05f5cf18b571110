import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { eventCountsOf } from "../../src/events/event-counts.ts";
import { watchEvents } from "../../src/flows/watch.ts";
import { cronService, cronVisit } from "./support/cron.ts";
import { alerts, arrive, collector, HOUR, look, MINUTE } from "./support/detection.ts";
import { counted, planOf } from "./support/rows-read.ts";

const DAY = 24 * HOUR;
/** A whole hour, at which the cron drops what is old. */
const BEGIN = Date.UTC(2026, 2, 2, 8);

it("counts and alerts go with the events, once an hour, but for an alert that still grows", async () => {
  const found = (subject: string, lastAt: number) =>
    look([collector("brute_force", () => [{ pattern: "brute_force", subject, lastAt }])], lastAt);
  await arrive(2, BEGIN);
  await found("account:old", BEGIN);
  await found("account:grows", BEGIN + MINUTE);
  for (let at = BEGIN + MINUTE; at < BEGIN + 8 * DAY; at += 5 * HOUR) await found("account:grows", at);
  await arrive(1, BEGIN + 6 * DAY);
  await look([collector("brute_force")], BEGIN + 6 * DAY);
  const { db, asked } = counted(env.EVENTS);
  const watch = (at: number) =>
    watchEvents(cronService({ ...env, EVENTS: db, EVENT_RETENTION_DAYS: "7" }), cronVisit(at));
  await watch(BEGIN + 7 * DAY + HOUR + 5 * MINUTE);
  expect(await alerts()).toHaveLength(2);
  await watch(BEGIN + 7 * DAY + 2 * HOUR);
  expect((await alerts()).map(({ subject }) => subject)).toEqual(["account:grows"]);
  const counts = await eventCountsOf(env.EVENTS).of(BEGIN, BEGIN + 30 * DAY, "minute");
  expect(counts).toEqual([{ at: BEGIN + 6 * DAY, kind: "authn_login_fail", count: 1 }]);
  for (const statement of asked.filter(({ query }) => query.includes("DELETE"))) {
    const plan = (await planOf(env.EVENTS, statement)).join("\n");
    expect(plan).toMatch(/SEARCH (alerts|counts) USING PRIMARY KEY/);
    expect(plan).not.toMatch(/SCAN (alerts|counts)/);
  }
});
