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

/** `npm run detect` reports all of them, and quiet-fortnights.test.ts those without attacks. */
const fortnight = newFortnight(SEEDS.report[0]);

it("there is one detector a pattern", () => {
  expect(DETECTORS.map(({ pattern }) => pattern)).toEqual(PATTERNS);
});

describe("generated traffic", () => {
  it.each([
    ["medium", "subjects"],
    ["high", "subjects"],
    ["medium", "service"],
    ["high", "service"],
  ] as const)("of %s strength on %s is found, and nothing else", { timeout: 300_000 }, (strength, on) => {
    const attacks = attacksOf(fortnight, strength, on);
    const alerts = alertsIn(fortnight, attacks);
    const attacked = new Set(attacks.map(({ pattern }) => pattern));
    const missed = PATTERNS.map((pattern) => ({ pattern, ...scoreOf(pattern, alerts, attacks) })).filter(
      (score) =>
        precisionOf(score) < BOUNDS.precision || (attacked.has(score.pattern) && recallOf(score) < BOUNDS.recall),
    );
    expect(attacked.size).toBe(on === "service" ? 2 : PATTERNS.length - 2);
    expect(missed).toEqual([]);
  });
});
