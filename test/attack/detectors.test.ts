import { describe, expect, it } from "vitest";
import { DETECTORS } from "../../src/events/detectors/all.ts";
import { PATTERNS } from "../../src/events/detectors/detector.ts";
import {
  alertsIn,
  attacksOf,
  BOUNDS,
  newFortnight,
  precisionOf,
  recallOf,
  SEEDS,
  scoreOf,
} from "./traffic/evaluate.ts";
import { MINUTE } from "./traffic/world.ts";

/** Events come to the detectors in pages, as they do after a cron that was late: `npm run detect` has one every minute. */
const STEP_MS = 5 * MINUTE;
/** `npm run detect` reports all of them. */
const fortnight = newFortnight(SEEDS.report[0]);

it("there is one detector a pattern", () => {
  expect(DETECTORS.map(({ pattern }) => pattern)).toEqual(PATTERNS);
});

describe("generated traffic", () => {
  it("raises no alert in a fortnight without attacks", { timeout: 300_000 }, () => {
    expect(alertsIn(fortnight, [], STEP_MS)).toEqual([]);
  });

  it.each([
    ["medium", "subjects"],
    ["high", "subjects"],
    ["medium", "service"],
    ["high", "service"],
  ] as const)("of %s strength on %s is found, and nothing else", { timeout: 300_000 }, (strength, on) => {
    const attacks = attacksOf(fortnight, strength, on);
    const alerts = alertsIn(fortnight, attacks, STEP_MS);
    const missed = PATTERNS.map((pattern) => ({ pattern, ...scoreOf(pattern, alerts, attacks) })).filter(
      (score) => precisionOf(score) < BOUNDS.precision || (score.attacks > 0 && recallOf(score) < BOUNDS.recall),
    );
    expect(attacks.length).toBeGreaterThan(8);
    expect(missed).toEqual([]);
  });
});
