import type { Detector } from "./detector.ts";
import { findingsOf, type Measure, type SourceTries, withSourceTries } from "./source-tries.ts";
import { FAILING_SHARE_OF_GROUP, SPRAYED_ADDRESSES, STUFFED_SAMPLE, STUFFED_UNKNOWN_SHARE } from "./thresholds.ts";

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

/** A list with many strangers in it is `credential_stuffing`, and says so once it is long enough. */
function isSpraying({ addresses, opened, sample, unknownShare }: Measure): boolean {
  const isKnown = sample < STUFFED_SAMPLE || unknownShare < STUFFED_UNKNOWN_SHARE;
  return addresses >= Math.max(SPRAYED_ADDRESSES, FAILING_SHARE_OF_GROUP * opened) && isKnown;
}
