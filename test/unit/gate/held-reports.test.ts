import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { REPORT_WINDOW_MS, REPORTED_SUBJECTS_MAX, REPORTS_IN_WINDOW } from "../../../src/edge-policy.ts";
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

const report = (subject = "a") =>
  reports.report(subject, Date.now(), async (count) => {
    told.push([subject, count]);
  });
const sum = () => told.reduce((total, [, count]) => total + count, 0);

describe("reports of refusals", () => {
  it("are told at once while they are few, and keep nobody waiting", async () => {
    for (let i = 0; i < REPORTS_IN_WINDOW; i += 1) await report();
    await vi.advanceTimersByTimeAsync(REPORT_WINDOW_MS);
    await report();
    expect(told).toEqual(Array(REPORTS_IN_WINDOW + 1).fill(["a", 1]));
  });

  it("are a few calls for a flood: the first ones, and all others when the second is over", async () => {
    const all = Promise.all(Array.from({ length: 500 }, () => report()));
    await vi.advanceTimersByTimeAsync(REPORT_WINDOW_MS - 1);
    expect(told).toEqual(Array(REPORTS_IN_WINDOW).fill(["a", 1]));
    await vi.advanceTimersByTimeAsync(1);
    await all;
    expect(told.at(-1)).toEqual(["a", 500 - REPORTS_IN_WINDOW]);
    expect(told).toHaveLength(REPORTS_IN_WINDOW + 1);
  });

  it("lose none of a flood that goes on", async () => {
    const all: Promise<void>[] = [];
    for (let i = 0; i < 1_000; i += 1) {
      all.push(report());
      await vi.advanceTimersByTimeAsync(10);
    }
    await vi.advanceTimersByTimeAsync(2 * REPORT_WINDOW_MS);
    await Promise.all(all);
    expect(sum()).toBe(1_000);
    expect(told.length).toBeLessThanOrEqual(11 * (REPORTS_IN_WINDOW + 1));
  });

  it("of one subject hold back no other, up to a number of subjects that is free again in a second", async () => {
    for (let i = 0; i < REPORTED_SUBJECTS_MAX + 50; i += 1) await report(`source ${i}`);
    expect(told).toHaveLength(REPORTED_SUBJECTS_MAX);
    await vi.advanceTimersByTimeAsync(REPORT_WINDOW_MS);
    await report("another");
    expect(told.at(-1)).toEqual(["another", 1]);
  });

  it("go on when a gate has failed, and when a request was cut off", async () => {
    const failing = () => reports.report("a", Date.now(), () => Promise.reject(new Error("no gate")));
    for (let i = 0; i < REPORTS_IN_WINDOW; i += 1) await expect(failing()).rejects.toThrow("no gate");
    const heldBack = failing();
    heldBack.catch(() => {});
    vi.clearAllTimers();
    vi.setSystemTime(Date.now() + REPORT_WINDOW_MS);
    await report();
    expect(told).toEqual([["a", 1]]);
  });
});
