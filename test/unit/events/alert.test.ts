import { describe, expect, it } from "vitest";
import { ALERT_QUIET_MS } from "../../../src/event-policy.ts";
import { type Alert, alertOf } from "../../../src/events/alert.ts";
import { merged } from "../../../src/events/detection.ts";
import type { Finding } from "../../../src/events/detectors/detector.ts";

const HOUR = 3_600_000;
const AT = Date.UTC(2026, 0, 5, 10);
const finding = (members: Partial<Finding> = {}): Finding => ({
  ...{ pattern: "brute_force", subject: "account:a", severity: "medium" },
  ...{ firstAt: AT, lastAt: AT + 1_000, tries: 10, addresses: 1, sources: 2 },
  ...members,
});
const known: Alert = { ...finding(), id: "one", openedAt: AT + 2_000 };
const changeOf = (members: Partial<Finding>, now = AT + 60_000) => alertOf(known, finding(members), "two", now);

describe("the alert of a finding", () => {
  it("is opened where there is none", () => {
    const opened = alertOf(undefined, finding(), "two", AT + 5_000);
    expect(opened).toEqual({ change: "opened", alert: { ...finding(), id: "two", openedAt: AT + 5_000 } });
  });

  it("stays as it is when nothing is new, or less is in the window than there was", () => {
    for (const members of [{}, { tries: 3, sources: 1, firstAt: AT + 500, severity: "low" as const }])
      expect(changeOf(members)).toEqual({ change: "same", alert: known });
  });

  it("grows to the most that was seen, and keeps its id and its beginning", () => {
    expect(changeOf({ tries: 30, sources: 1, firstAt: AT - 5, lastAt: AT + 9_000 })).toEqual({
      change: "grown",
      alert: { ...known, tries: 30, firstAt: AT - 5, lastAt: AT + 9_000 },
    });
  });

  it("is raised by a higher severity alone", () => {
    expect(changeOf({ severity: "high" })).toEqual({ change: "raised", alert: { ...known, severity: "high" } });
    expect(changeOf({ severity: "low", tries: 11 }).change).toBe("grown");
  });

  it("is another one once events have been missing for long, whatever the clock of the cron says", () => {
    const last = known.lastAt + ALERT_QUIET_MS;
    expect(changeOf({ lastAt: last }).change).toBe("grown");
    expect(changeOf({ lastAt: last + 1 })).toMatchObject({ change: "opened", alert: { id: "two" } });
    expect(changeOf({}, AT + 10 * ALERT_QUIET_MS).change).toBe("same");
  });

  it("says each time that it has gone on for as long as it takes to go quiet", () => {
    let alert = known;
    const goesOn: number[] = [];
    for (let hour = 1; hour <= 24; hour += 1) {
      const lastAt = known.openedAt + hour * HOUR;
      const changed = alertOf(alert, finding({ lastAt }), "two", lastAt);
      if (changed.goesOn) goesOn.push(hour);
      alert = changed.alert;
    }
    expect([alert.id, goesOn]).toEqual(["one", [6, 12, 18, 24]]);
  });
});

it("findings of one pattern and subject are one, with the most of each", () => {
  const other = finding({ subject: "account:b" });
  const [first, second, ...more] = merged([
    finding({ severity: "high", tries: 5, lastAt: AT + 9_000 }),
    other,
    finding({ severity: "low", tries: 20, firstAt: AT - 9, sources: 7 }),
  ]);
  expect(more).toEqual([]);
  expect(first).toEqual(finding({ severity: "high", tries: 20, firstAt: AT - 9, lastAt: AT + 9_000, sources: 7 }));
  expect(second).toEqual(other);
});
