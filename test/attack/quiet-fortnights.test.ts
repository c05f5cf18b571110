import { expect, it } from "vitest";
import { alertsIn, newFortnight, SEEDS } from "./traffic/evaluate.ts";

it.each(SEEDS.report)("a fortnight without attacks raises no alert (%s)", { timeout: 300_000 }, (seed) => {
  expect(alertsIn(newFortnight(seed), [])).toEqual([]);
});
