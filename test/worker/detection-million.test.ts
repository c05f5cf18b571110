import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { EVENT_SCAN } from "../../src/event-policy.ts";
import { alertStoreOf } from "../../src/events/alert-store.ts";
import { eventCountsOf, SPANS } from "../../src/events/event-counts.ts";
import { type EventFilter, eventListOf } from "../../src/events/event-list.ts";
import { eventStoreOf } from "../../src/events/event-store.ts";
import { type EventKind, isRoutine, type Occurrence, securityEvent } from "../../src/events/security-event.ts";
import { watchEvents } from "../../src/flows/watch.ts";
import { cronService, cronVisit } from "./support/cron.ts";
import { type Asked, counted, planOf } from "./support/rows-read.ts";

const MILLION = 1_000_000;
const CHUNK = 50_000;
const FRESH = 500;
const NOW = Date.UTC(2026, 9, 1, 12);
/** A month, evenly: one event in 2.6 seconds. */
const MONTH_MS = 30 * 24 * 3_600_000;
const ACCOUNTS = 5_000;
const SOURCES = 500;
const KINDS = [
  ...["authn_login_fail", "authn_token_created", "authn_login_success", "excess_rate_limit_exceeded"],
  ...["authn_token_created", "authn_login_success", "authz_fail", "session_renewed", "authn_login_success"],
] as const satisfies EventKind[];
const RARE: EventKind = "authn_token_reuse";

/** Ids as they are made: time first. One event in 10,000 is of a kind that is rare. */
const FILL = `
  INSERT INTO events (id, at, kind, account, source, routine, detail)
  WITH RECURSIVE
    numbers (i) AS (SELECT CAST(?1 AS INTEGER) UNION ALL SELECT i + 1 FROM numbers WHERE i < ?2),
    timed AS (SELECT i, CAST(?3 + i * ?4 AS INTEGER) AS at, CASE WHEN i % 10000 = 77 THEN ${KINDS.length} ELSE i % ${KINDS.length} END AS k FROM numbers)
  SELECT printf('%08x-%04x-7000-8000-%012x', at >> 16, at & 65535, i), at,
    json_extract(?5, '$[' || k || '].kind'), 'account-' || (i * 7919 % ${ACCOUNTS}),
    'net-' || (i * 31 % ${SOURCES}), json_extract(?5, '$[' || k || '].routine'), '{"factor":"pwd"}'
  FROM timed`;
const COUNT = `
  INSERT INTO counts (span, kind, at, count, first_seq, last_seq)
  SELECT ?1, kind, at - at % CAST(?1 AS INTEGER), count(*), min(seq), max(seq) FROM events GROUP BY kind, at - at % CAST(?1 AS INTEGER)
  UNION ALL SELECT ?1, '', at - at % CAST(?1 AS INTEGER), count(*), min(seq), max(seq) FROM events GROUP BY at - at % CAST(?1 AS INTEGER)`;

beforeAll(async () => {
  const kinds = JSON.stringify([...KINDS, RARE].map((kind) => ({ kind, routine: Number(isRoutine({ kind })) })));
  const begin = NOW - MONTH_MS;
  for (let first = 1; first <= MILLION; first += CHUNK) {
    const values = [first, first + CHUNK - 1, begin, MONTH_MS / MILLION, kinds];
    await env.EVENTS.prepare(FILL)
      .bind(...values)
      .run();
  }
  for (const span of Object.values(SPANS)) await env.EVENTS.prepare(COUNT).bind(span).run();
  await env.EVENTS.prepare("UPDATE detection SET seq = ?").bind(MILLION).run();
}, 180_000);

const rowsOf = (asked: Asked[]) => asked.reduce((sum, { rowsRead }) => sum + rowsRead, 0);

/** No table that grows may be gone through from end to end. */
async function expectIndexes(asked: Asked[]): Promise<void> {
  expect(asked.length).toBeGreaterThan(0);
  for (const statement of asked) {
    const plan = await planOf(env.EVENTS, statement);
    const scans = plan.filter((step) => /^SCAN (events|counts|alerts|deliveries)\b/.test(step));
    expect(scans, statement.query).toEqual([]);
    if (/\b(events|counts|alerts|deliveries)\b/.test(statement.query) && /^\s*SELECT/.test(statement.query))
      expect(plan.join("\n"), statement.query).toMatch(
        /SEARCH \w+ USING (INDEX|COVERING INDEX|INTEGER PRIMARY KEY|PRIMARY KEY)/,
      );
  }
}

it("there are a million events", async () => {
  expect(await env.EVENTS.prepare("SELECT count(*) AS n FROM events").first("n")).toBe(MILLION);
});

describe("a minute of detection over a million events", () => {
  const fresh = (index: number): Occurrence => ({
    kind: "authn_login_fail",
    reason: "unknown_email",
    factor: "pwd",
    address: index.toString(16).padStart(32, "0"),
  });

  it("reads what is new and little else, whatever detectors and alerts make of it", async () => {
    const events = Array.from({ length: FRESH }, (_, index) =>
      securityEvent(fresh(index), { source: "203.0.113.0/24" }, NOW + index),
    );
    await eventStoreOf(env.EVENTS).add(events);
    const { db, asked } = counted(env.EVENTS);
    await watchEvents(cronService({ ...env, EVENTS: db }), cronVisit(NOW + 60_000));
    expect(await env.EVENTS.prepare("SELECT seq FROM detection").first("seq")).toBe(MILLION + FRESH);
    expect((await alertStoreOf(env.EVENTS).list({ limit: 10 })).alerts).not.toEqual([]);
    expect(rowsOf(asked)).toBeGreaterThanOrEqual(FRESH);
    expect(rowsOf(asked)).toBeLessThanOrEqual(FRESH + 100);
    await expectIndexes(asked);
  });

  it("reads next to nothing when nothing is new, and writes nothing", async () => {
    const quiet = counted(env.EVENTS);
    await watchEvents(cronService({ ...env, EVENTS: quiet.db }), cronVisit(NOW + 120_000));
    expect(rowsOf(quiet.asked)).toBeLessThanOrEqual(50);
    await expectIndexes(quiet.asked);
  });
});

describe("a question of the dashboard over a million events", () => {
  const HOUR = 3_600_000;
  const LIMIT = 50;
  const scanned = LIMIT + 1 + (EVENT_SCAN.turns - 1) * EVENT_SCAN.rows;

  async function page(filter: Omit<EventFilter, "limit">) {
    const { db, asked } = counted(env.EVENTS);
    const answer = await eventListOf(db, eventCountsOf(db)).page({ ...filter, limit: LIMIT });
    if (!answer) throw new Error("no page");
    return { ...answer, asked };
  }

  const noon = NOW - 10 * 24 * HOUR;
  it.each<[string, Omit<EventFilter, "limit">, number]>([
    ["all events", {}, LIMIT + 1],
    ["a kind", { kind: "authn_login_fail" }, 2 * (LIMIT + 1)],
    ["a rare kind", { kind: RARE }, 2 * (LIMIT + 1)],
    ["a kind of every sign-in", { kind: "authn_login_success" }, scanned],
    ["an account", { account: "account-77" }, 2 * (LIMIT + 1)],
    ["a source", { source: "net-7" }, 2 * (LIMIT + 1)],
    ["an hour", { from: noon, to: noon + HOUR }, 2 * LIMIT + 10],
    ["ten minutes", { from: noon, to: noon + HOUR / 6 }, 2 * LIMIT + 40],
    ["a week", { from: noon - 7 * 24 * HOUR, to: noon }, LIMIT + 8 * 24 + 10],
    ["all since a time", { from: noon }, LIMIT + 11 * 24 + 20],
    ["all before a time", { to: noon }, LIMIT + 30 * 24 + 20],
    ["an account in a day", { account: "account-77", from: noon - 24 * HOUR, to: noon }, 2 * (LIMIT + 1)],
    ["a kind in an hour", { kind: "authn_login_fail", from: noon, to: noon + HOUR }, 2 * LIMIT + 20],
    ["a source in a day", { source: "net-7", from: noon - 24 * HOUR, to: noon }, 2 * LIMIT + 40],
    ["a kind of a source", { kind: "authz_fail", source: "net-7" }, 2 * scanned],
    ["a kind of an account", { kind: RARE, account: "account-77" }, 2 * scanned],
  ])("%s stays on an index and reads what it shows", async (_, filter, rows) => {
    const { events, asked } = await page(filter);
    expect(rowsOf(asked)).toBeLessThanOrEqual(rows);
    await expectIndexes(asked);
    const { kind, account, source, from = 0, to = Number.MAX_SAFE_INTEGER } = filter;
    for (const event of events) {
      if (kind) expect(event.kind).toBe(kind);
      if (account) expect(event.account).toBe(account);
      if (source) expect(event.source).toBe(source);
      expect(event.at >= from && event.at < to).toBe(true);
    }
  });

  it("all pages of a day of one kind have each event once", async () => {
    const filter = { kind: "authz_fail", from: noon - 24 * HOUR, to: noon } as const;
    const seen: number[] = [];
    let before: string | undefined;
    do {
      const { events, next } = await page({ ...filter, ...(before === undefined ? {} : { before }) });
      seen.push(...events.map(({ seq }) => seq));
      before = next;
    } while (before !== undefined);
    const expected = await env.EVENTS.prepare(
      "SELECT seq FROM events WHERE kind = ? AND at >= ? AND at < ? ORDER BY seq DESC",
    )
      .bind(filter.kind, filter.from, filter.to)
      .all<{ seq: number }>();
    expect(expected.results.length).toBeGreaterThan(3_000);
    expect(seen).toEqual(expected.results.map(({ seq }) => seq));
  });

  it.each([
    ["minute", 24 * HOUR],
    ["hour", 30 * 24 * HOUR],
  ] as const)("the counts per %s are the rows they show", async (per, stretch) => {
    const { db, asked } = counted(env.EVENTS);
    const counts = await eventCountsOf(db).of(NOW - stretch, NOW, per);
    expect(counts.length).toBeGreaterThan(4_000);
    expect(rowsOf(asked)).toBeLessThanOrEqual(counts.length + 100);
    await expectIndexes(asked);
  });

  it("the alerts, and the newest events of an account", async () => {
    const { db, asked } = counted(env.EVENTS);
    await alertStoreOf(db).list({ limit: LIMIT });
    await eventStoreOf(db).ofAccount("account-77", LIMIT);
    expect(rowsOf(asked)).toBeLessThanOrEqual(3 * LIMIT);
    await expectIndexes(asked);
  });
});
