import type { Detector } from "./detector.ts";
import { findingsOf, type Measure, type SourceTries, withSourceTries } from "./source-tries.ts";
import { FAILING_SHARE_OF_GROUP, STUFFED_PAIRS, STUFFED_SAMPLE, STUFFED_UNKNOWN_SHARE } from "./thresholds.ts";

/** Pairs of another service's leak, tried one after the other from one group of sources: many of them are nobody's here. */
export const credentialStuffing: Detector<SourceTries> = {
  pattern: "credential_stuffing",
  empty: { groups: {} },
  step(before, events, now) {
    const state = withSourceTries(before, events, now);
    const severityOf = ({ addresses }: Measure) => (addresses >= 4 * STUFFED_PAIRS ? "high" : "medium");
    return { state, findings: findingsOf("credential_stuffing", state, isStuffing, severityOf) };
  },
};

/** Whether a group goes through a list of pairs. */
export function isStuffing({ addresses, opened, sample, unknownShare }: Measure): boolean {
  const isMany = addresses >= Math.max(STUFFED_PAIRS, FAILING_SHARE_OF_GROUP * opened);
  return isMany && sample >= STUFFED_SAMPLE && unknownShare >= STUFFED_UNKNOWN_SHARE;
}
