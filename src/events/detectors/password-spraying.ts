import { isStuffing } from "./credential-stuffing.ts";
import type { Detector } from "./detector.ts";
import { findingsOf, type Measure, type SourceTries, withSourceTries } from "./source-tries.ts";
import { FAILING_SHARE_OF_GROUP, SPRAYED_ADDRESSES } from "./thresholds.ts";

/** Few passwords on many accounts, fast, from one group of sources. */
export const passwordSpraying: Detector<SourceTries> = {
  pattern: "password_spraying",
  empty: { groups: {} },
  step(before, events, now) {
    const state = withSourceTries(before, events, now);
    const severityOf = ({ addresses }: Measure) => (addresses >= 4 * SPRAYED_ADDRESSES ? "high" : "medium");
    return { state, findings: findingsOf("password_spraying", state, isSpraying, severityOf) };
  },
};

/** Whoever's the addresses are. A list with many strangers in it is `credential_stuffing` from where that speaks. */
function isSpraying(measure: Measure): boolean {
  const isMany = measure.addresses >= Math.max(SPRAYED_ADDRESSES, FAILING_SHARE_OF_GROUP * measure.opened);
  return isMany && !isStuffing(measure);
}
