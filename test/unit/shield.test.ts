import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { SHIELD } from "../../src/edge-policy.ts";
import { passesShield } from "../../src/gate/shield.ts";

it("the platform is told of the shield what the policy says", () => {
  const settings = readFileSync("wrangler.toml", "utf8");
  expect(settings).toContain(`simple = { limit = ${SHIELD.limit}, period = ${SHIELD.periodSeconds} }`);
});

it("a thousand people behind one address do not notice it, even while all of them sign in", () => {
  const people = 1_000;
  const refreshesAMinute = people / 5;
  // Options, password, second factor and the page's own refresh, within ten minutes of a morning.
  const signInsAMinute = (people * 4) / 10;
  expect(SHIELD.limit / SHIELD.periodSeconds).toBeGreaterThan((3 * (refreshesAMinute + signInsAMinute)) / 60);
  // After an outage: everybody refreshes and is asked for both doors within the same minute.
  expect(SHIELD.limit).toBeGreaterThanOrEqual(3 * people);
});

it("a service that is run without a shield lets everybody come to its gates", async () => {
  expect(await passesShield(undefined, "192.0.2.1")).toBe(true);
});
