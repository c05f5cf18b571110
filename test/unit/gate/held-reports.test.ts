import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { REPORT_LAPSE_MS, REPORT_PAUSE_MS, REPORTS_AT_ONCE } from "../../../src/edge-policy.ts";
import { HeldReports } from "../../../src/gate/held-reports.ts";

let told: [subject: string, count: number][];
let reports: HeldReports;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  reports = new HeldReports();
});

afterEach(() => {
  vi.useRealTimers();
});

const arriving = (subject: string) => async (count: number) => {
  told.push([subject, count]);
  await new Promise((resolve) => setTimeout(resolve, 20));
};
const report = (subject = "a") => reports.report(subject, Date.now(), arriving(subject));

describe("reports of refusals", () => {
  it("are told at once while they come one by one", async () => {
    for (let i = 0; i < 3; i += 1) {
      const done = report();
      await vi.advanceTimersByTimeAsync(50);
      await done;
    }
    expect(told).toEqual([
      ["a", 1],
      ["a", 1],
      ["a", 1],
    ]);
  });

  it("are two calls for a flood: the first, and all the others a second later", async () => {
    const all = Promise.all(Array.from({ length: 500 }, () => report()));
    await vi.advanceTimersByTimeAsync(REPORT_PAUSE_MS);
    expect(told).toEqual([["a", 1]]);
    await vi.advanceTimersByTimeAsync(100);
    await all;
    expect(told).toEqual([
      ["a", 1],
      ["a", 499],
    ]);
  });

  it("lose none of a flood that goes on", async () => {
    const all: Promise<void>[] = [];
    for (let i = 0; i < 1_000; i += 1) {
      all.push(report());
      await vi.advanceTimersByTimeAsync(10);
    }
    await vi.advanceTimersByTimeAsync(2 * REPORT_PAUSE_MS);
    await Promise.all(all);
    expect(told.reduce((sum, [, count]) => sum + count, 0)).toBe(1_000);
    expect(told.length).toBeLessThanOrEqual(2 * 11);
  });

  it("of one subject hold back no other, up to a number of subjects", async () => {
    const all = Promise.all(Array.from({ length: REPORTS_AT_ONCE + 50 }, (_, i) => report(`source ${i}`)));
    await vi.advanceTimersByTimeAsync(100);
    await all;
    expect(told).toHaveLength(REPORTS_AT_ONCE);
    const later = report("source 240");
    await vi.advanceTimersByTimeAsync(100);
    await later;
    expect(told).toHaveLength(REPORTS_AT_ONCE + 1);
  });

  it("go on when a gate has failed, and when a request was cut off", async () => {
    const failing = reports.report("a", Date.now(), () => Promise.reject(new Error("no gate")));
    await expect(failing).rejects.toThrow("no gate");
    const cutOff = reports.report("a", Date.now(), () => new Promise(() => {}));
    await report();
    await vi.advanceTimersByTimeAsync(REPORT_LAPSE_MS);
    const done = report();
    await vi.advanceTimersByTimeAsync(2 * REPORT_PAUSE_MS);
    await done;
    expect(told).toEqual([
      ["a", 1],
      ["a", 1],
    ]);
    expect(cutOff).toBeInstanceOf(Promise);
  });
});
