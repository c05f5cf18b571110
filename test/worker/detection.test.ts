import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ALERT_QUIET_MS, ALERTS_OPENED_PER_STEP, DETECTOR_TRIES } from "../../src/event-policy.ts";
import { NO_MAILS } from "../../src/events/delivery.ts";
import { detectionStoreOf } from "../../src/events/detection-store.ts";
import type { Detector } from "../../src/events/detectors/detector.ts";
import { eventCountsOf } from "../../src/events/event-counts.ts";
import {
  alerts,
  arrive,
  type Collected,
  collector,
  forgetAll,
  HOUR,
  keptBy,
  look,
  MINUTE,
  START,
} from "./support/detection.ts";
import { counted } from "./support/rows-read.ts";

beforeEach(forgetAll);
afterEach(() => vi.restoreAllMocks());

const spraying = collector("password_spraying");
const stuffing = collector("credential_stuffing");
const idsOf = (events: { id: string }[]) => events.map(({ id }) => id);
const countOf = async () =>
  (await eventCountsOf(env.EVENTS).of(START - HOUR, START + 24 * HOUR, "hour")).reduce(
    (sum, { count }) => sum + count,
    0,
  );

/** Bindings whose events fail at a transaction, before or after it was done. */
function failing(when: "before" | "after"): object {
  const batch = async (statements: D1PreparedStatement[]) => {
    // The first one only reads.
    if (statements.length < 3) return env.EVENTS.batch(statements);
    if (when === "after") await env.EVENTS.batch(statements);
    throw new Error("D1_ERROR: cut off");
  };
  return { ...env, EVENTS: { prepare: (query: string) => env.EVENTS.prepare(query), batch } };
}

describe("detectors", () => {
  it("see each event once, in the order of arrival", async () => {
    const first = await arrive(3, START);
    await look([spraying, stuffing], START + MINUTE);
    const second = await arrive(2, START + MINUTE);
    await look([spraying, stuffing], START + 2 * MINUTE);
    for (const detector of [spraying, stuffing]) expect(await keptBy(detector)).toEqual(idsOf([...first, ...second]));
  });

  it("that are new begin where the others are", async () => {
    await arrive(3, START);
    await look([spraying], START + MINUTE);
    const fresh = await arrive(2, START + MINUTE);
    await look([spraying, stuffing], START + 2 * MINUTE);
    expect(await keptBy(spraying)).toHaveLength(5);
    expect(await keptBy(stuffing)).toEqual(idsOf(fresh));
  });

  it("hear that time has passed without any event", async () => {
    const clock = collector("failure_ratio", (_, now) => [
      { pattern: "failure_ratio", subject: "service", lastAt: now },
    ]);
    await look([clock], START);
    expect(await alerts()).toHaveLength(1);
  });

  it("write nothing when nothing has happened", async () => {
    await arrive(3, START);
    await look([spraying, stuffing], START + MINUTE);
    const { db, asked } = counted(env.EVENTS);
    await look([spraying, stuffing], START + 2 * MINUTE, { ...env, EVENTS: db });
    expect(asked.map(({ rowsWritten }) => rowsWritten)).toEqual([0, 0, 0]);
  });

  it("count nothing twice when crons run at once", async () => {
    const events = await arrive(20, START);
    const finding = collector("brute_force", (ids) =>
      ids.length >= 20 ? [{ pattern: "brute_force", tries: ids.length }] : [],
    );
    await Promise.all(Array.from({ length: 6 }, () => look([spraying, finding], START + MINUTE)));
    expect(await keptBy(spraying)).toEqual(idsOf(events));
    expect(await countOf()).toBe(20);
    expect(await alerts()).toMatchObject([{ pattern: "brute_force", tries: 20 }]);
    expect(await env.EVENTS.prepare("SELECT count(*) AS n FROM alerts").first("n")).toBe(1);
  });

  it.each(["before", "after"] as const)(
    "count nothing twice when the runtime dies %s a step is stored",
    async (when) => {
      const events = await arrive(5, START);
      await expect(look([spraying], START + MINUTE, failing(when))).rejects.toThrow("cut off");
      expect(await keptBy(spraying)).toEqual(when === "before" ? [] : idsOf(events));
      await look([spraying], START + 2 * MINUTE);
      expect(await keptBy(spraying)).toEqual(idsOf(events));
      expect(await countOf()).toBe(5);
    },
  );
});

describe("a detector that throws", () => {
  const log = () => vi.spyOn(console, "log");
  const linesOf = (spy: ReturnType<typeof log>, event: string) =>
    spy.mock.calls.flat().filter((line) => String(line).includes(`"event":"${event}"`));
  const moody = (isDown: () => boolean): Detector<Collected> => {
    const detector = collector("credential_stuffing");
    return {
      ...detector,
      step(...parameters) {
        if (isDown()) throw new Error("not today");
        return detector.step(...parameters);
      },
    };
  };

  it("stops none of the others, and sees later what it has missed, once", async () => {
    let isDown = true;
    const detector = moody(() => isDown);
    const spy = log();
    const first = await arrive(3, START);
    await look([detector, spraying], START + MINUTE);
    expect(await keptBy(spraying)).toEqual(idsOf(first));
    expect(linesOf(spy, "detector_failed")).toHaveLength(1);
    const second = await arrive(2, START + MINUTE);
    await look([detector, spraying], START + 2 * MINUTE);
    isDown = false;
    const third = await arrive(1, START + 2 * MINUTE);
    await look([detector, spraying], START + 3 * MINUTE);
    const all = idsOf([...first, ...second, ...third]);
    expect([await keptBy(detector), await keptBy(spraying)]).toEqual([all, all]);
    expect(await countOf()).toBe(6);
  });

  it("goes on without the events it fails at after so many tries, and says so", async () => {
    let isDown = true;
    const detector = moody(() => isDown);
    const spy = log();
    await arrive(3, START);
    for (let minute = 1; minute < DETECTOR_TRIES; minute += 1) await look([detector], START + minute * MINUTE);
    expect(linesOf(spy, "detector_skipped")).toHaveLength(0);
    await look([detector], START + DETECTOR_TRIES * MINUTE);
    expect(linesOf(spy, "detector_skipped")).toHaveLength(1);
    isDown = false;
    const fresh = await arrive(2, START + HOUR);
    await look([detector], START + 2 * HOUR);
    expect(await keptBy(detector)).toEqual(idsOf(fresh));
  });

  it("is one whose state has become too large", async () => {
    const greedy = { ...spraying, step: () => ({ state: { ids: ["x".repeat(900_000)] }, findings: [] }) };
    const spy = log();
    await arrive(1, START);
    await look([greedy, stuffing], START + MINUTE);
    expect(await keptBy(greedy)).toEqual([]);
    expect(await keptBy(stuffing)).toHaveLength(1);
    expect(linesOf(spy, "detector_failed").join()).toContain("its state has 9000");
  });
});

describe("an alert", () => {
  it("grows with its pattern, and does not repeat itself", async () => {
    const detector = collector("password_spraying", (ids) => [
      { tries: ids.length, lastAt: START + ids.length * MINUTE, severity: ids.length > 2 ? "high" : "low" },
    ]);
    for (const minute of [1, 2, 3]) {
      await arrive(1, START + minute * MINUTE);
      await look([detector], START + minute * MINUTE);
    }
    const [alert, ...more] = await alerts();
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ tries: 3, severity: "high", openedAt: START + MINUTE, lastAt: START + 3 * MINUTE });
  });

  it("is another one after it has been quiet, and for another subject", async () => {
    let lastAt = START;
    let subject = "account:a";
    const detector = collector("brute_force", () => [{ pattern: "brute_force", subject, lastAt, severity: "low" }]);
    await look([detector], START);
    lastAt += ALERT_QUIET_MS;
    await look([detector], lastAt);
    expect(await alerts()).toHaveLength(1);
    // Only told of for long, with nothing new in it.
    await look([detector], lastAt + 2 * ALERT_QUIET_MS);
    expect(await alerts()).toHaveLength(1);
    lastAt += ALERT_QUIET_MS + 1;
    await look([detector], lastAt);
    expect(await alerts()).toHaveLength(2);
    subject = "account:b";
    await look([detector], lastAt);
    expect(await alerts()).toHaveLength(3);
  });

  it("waits for the next step where too many open at once", async () => {
    const detector = collector("brute_force", () =>
      Array.from({ length: ALERTS_OPENED_PER_STEP + 5 }, (_, index) => ({
        pattern: "brute_force" as const,
        subject: `account:${index}`,
      })),
    );
    const all = () => env.EVENTS.prepare("SELECT count(*) AS n FROM alerts").first("n");
    await look([detector], START);
    expect(await all()).toBe(ALERTS_OPENED_PER_STEP);
    await look([detector], START + MINUTE);
    expect(await all()).toBe(ALERTS_OPENED_PER_STEP + 5);
  });
});

describe("counts", () => {
  it("go by the events' own time, however late they come, and by the tries an event stands for", async () => {
    const kind = "excess_rate_limit_exceeded";
    await arrive(2, START);
    await arrive(1, START + HOUR, { kind, count: 40 });
    await look([spraying], START + HOUR + MINUTE);
    await arrive(1, START + 5_000);
    await look([spraying], START + HOUR + 2 * MINUTE);
    const counts = eventCountsOf(env.EVENTS);
    expect(await counts.of(START, START + 2 * HOUR, "minute")).toEqual([
      { at: START, kind: "authn_login_fail", count: 3 },
      { at: START + HOUR, kind, count: 40 },
    ]);
    const hour = START - (START % HOUR);
    expect(await counts.of(hour, hour + HOUR, "hour")).toEqual([{ at: hour, kind: "authn_login_fail", count: 3 }]);
    expect(await counts.of(hour + 2 * HOUR, hour + 3 * HOUR, "hour")).toEqual([]);
    await counts.forget(START + MINUTE);
    expect(await counts.of(START, START + 2 * HOUR, "minute")).toEqual([{ at: START + HOUR, kind, count: 40 }]);
  });

  it("are complete after a day on which every third transaction failed", async () => {
    let turn = 0;
    const batch = async (statements: D1PreparedStatement[]) => {
      turn += 1;
      if (turn % 3 === 0) throw new Error("D1_ERROR: overloaded");
      const results = await env.EVENTS.batch(statements);
      if (turn % 5 === 0) throw new Error("D1_ERROR: answer lost");
      return results;
    };
    const bindings = { ...env, EVENTS: { prepare: (query: string) => env.EVENTS.prepare(query), batch } };
    const all: string[] = [];
    for (let minute = 0; minute < 40; minute += 1) {
      all.push(...idsOf(await arrive(7, START + minute * MINUTE)));
      await look([spraying], START + minute * MINUTE, bindings).catch(() => undefined);
    }
    await look([spraying], START + HOUR);
    expect(await keptBy(spraying)).toEqual(all);
    expect(await countOf()).toBe(280);
  });

  it("of a backlog that is weeks old go into the database in several parts", async () => {
    const sizes: number[] = [];
    const db = {
      prepare: () => ({ bind: (...values: unknown[]) => sizes.push(...values.map((value) => String(value).length)) }),
      batch: async () => [],
    };
    const counts = Array.from({ length: 40_000 }, (_, index) => ({
      ...{ span: MINUTE, kind: "authn_login_successafterfail" as const, at: START + index * MINUTE, count: 1 },
      ...{ firstSeq: 1_000_000 + index, lastSeq: 1_000_000 + index },
    }));
    const changes = { from: 1, seq: 2, mail: NO_MAILS, detectors: [], counts, alerts: [], deliveries: [] };
    expect(await detectionStoreOf(db as unknown as D1Database).commit(changes)).toBe(true);
    expect(sizes.reduce((sum, size) => sum + size)).toBeGreaterThan(4_000_000);
    expect(Math.max(...sizes)).toBeLessThan(2_000_000);
  });
});
