import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { DELIVERIES_PER_MINUTE } from "../../src/event-policy.ts";
import { deliveryStoreOf } from "../../src/events/delivery-store.ts";
import { carryOut } from "../../src/flows/carry-out.ts";
import { newSource } from "../support/in-worker.ts";
import { cronService, cronVisit } from "./support/cron.ts";
import { forgetAll, START } from "./support/detection.ts";
import { counted } from "./support/rows-read.ts";

beforeEach(forgetAll);
afterEach(() => vi.restoreAllMocks());

const bindings = {
  ...env,
  ALERT_WEBHOOK_URL: "https://alerts.example/hook",
  ALERT_WEBHOOK_SECRET: "q83vEjRWeJq83vEiM0RVZneImaq7zN3u_xAgMEBQYHA",
  REACTIONS: "throttle_source",
};

const wait = (channel: string, count: number, dueAt: number, target = "") =>
  env.EVENTS.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
     INSERT INTO deliveries SELECT ?2 || i, ?2, ?3, ?4 + i, 0, '{"alert":{"id":"a1","pattern":"password_spraying"}}' FROM n`,
  )
    .bind(count, channel, target, dueAt)
    .run();
const left = async () => {
  const { results } = await env.EVENTS.prepare(
    "SELECT channel, count(*) AS n FROM deliveries WHERE tries = 0 GROUP BY channel ORDER BY channel",
  ).all<{ channel: string; n: number }>();
  return Object.fromEntries(results.map(({ channel, n }) => [channel, n]));
};

it("a receiver that does not answer keeps no reaction waiting, however many posts have waited for longer", async () => {
  vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response(null, { status: 503 }));
  await wait("webhook", 1_000, START);
  await wait("throttle_source", 3, START + 5_000, `source:${newSource().replace(/\.\d+$/, ".0/24")}`);
  await carryOut(cronService(bindings), cronVisit(START + 60_000));
  expect(await left()).toEqual({ webhook: 1_000 - DELIVERIES_PER_MINUTE + 3 });
});

it("no channel takes the place of another, nor leaves it empty, and what is not due is not read", async () => {
  await wait("webhook", 200, START);
  await wait("throttle_source", 200, START);
  await wait("mail", 200, START + 3_600_000);
  const { db, asked } = counted(env.EVENTS);
  const due = await deliveryStoreOf(db).due(START + 60_000, DELIVERIES_PER_MINUTE);
  const half = DELIVERIES_PER_MINUTE / 2;
  for (const channel of ["webhook", "throttle_source"])
    expect(due.filter((one) => one.channel === channel).map(({ id }) => id)).toEqual(
      Array.from({ length: half }, (_, index) => `${channel}${index + 1}`),
    );
  expect(asked[0]?.rowsRead).toBeLessThanOrEqual(4 * DELIVERIES_PER_MINUTE + 4);
});
