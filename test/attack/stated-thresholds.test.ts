import { expect, it } from "vitest";
import * as T from "../../src/events/detectors/thresholds.ts";

const [MINUTE, HOUR] = [60_000, 3_600_000];

/** The other tests move with the constants; the numbers that the service states to operators stand here once more. */
it("thresholds are those that docs/detection.md states", () => {
  expect(T).toMatchObject({
    SOURCE_TRIES_WINDOW_MS: 10 * MINUTE,
    SPRAYED_ADDRESSES: 15,
    SPRAYED_TRIES_EACH: 3,
    FAILING_SHARE_OF_GROUP: 0.25,
    STUFFED_PAIRS: 30,
    STUFFED_UNKNOWN_SHARE: 0.3,
    SLOW_WINDOW_MS: 24 * HOUR,
    SLOW_TRIES_EACH: 2,
    SLOW_TIMES_USUAL: 3,
    SLOW_ACCOUNTS_MIN: 50,
    USUAL_DAYS: { most: 7, fewest: 3 },
    SLOW_SHARE_WITHOUT_HISTORY: 0.05,
    BRUTE_FORCE_WINDOW_MS: 10 * MINUTE,
    BRUTE_FORCE_TRIES: 10,
    BRUTE_FORCE_PATIENCE_MS: 10 * MINUTE,
    BRUTE_FORCE_TRIES_AT_ONCE: 20,
    FEW_SOURCES: 4,
    DISTRIBUTED_WINDOW_MS: HOUR,
    DISTRIBUTED_SOURCES: 5,
    DISTRIBUTED_TRIES: 8,
    FACTOR_GUESSES: 8,
    FACTOR_WINDOW_MS: 24 * HOUR,
    RECOVERY_CODE_GUESSES: 8,
    RECOVERY_CODE_WINDOW_MS: HOUR,
    UNPROVEN_CHALLENGES: 6,
    UNPROVEN_WINDOW_MS: 24 * HOUR,
    UNPROVEN_ACCOUNTS: 6,
    UNPROVEN_GROUP_WINDOW_MS: HOUR,
    REUSED_TOKENS: 1,
    RESET_WINDOW_MS: HOUR,
    RESETS_OF_ADDRESS: 8,
    RESETS_FROM_GROUP: 15,
    TRAVEL_KM_PER_HOUR: 1_000,
    RATIO_WINDOW_MS: HOUR,
    RATIO_TIMES_USUAL: 3,
    RATIO_FAILURES_MIN: 100,
    RATIO_WITHOUT_HISTORY: 0.2,
  });
});
