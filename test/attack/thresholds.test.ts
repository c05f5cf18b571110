import { describe, expect, it } from "vitest";
import { DETECTORS } from "../../src/events/detectors/all.ts";
import type { Detector, Pattern } from "../../src/events/detectors/detector.ts";
import * as T from "../../src/events/detectors/thresholds.ts";
import type { StoredEvent } from "../../src/events/event-store.ts";
import * as s from "./support.ts";

const { DAY, HOUR, MINUTE, NOON, SECOND } = s;

const detectorOf = (pattern: Pattern) => DETECTORS.find((each) => each.pattern === pattern) as Detector;

/** Whether a pattern is found at `now`. */
const finds = (pattern: Pattern, events: StoredEvent[], now = NOON) =>
  s.seen(detectorOf(pattern), events, now).length > 0;
const at = (n: number) => NOON - 9 * MINUTE + n * SECOND;
const group = (n: number) => `10.${n >> 8}.${n & 255}.0/24`;

/** The same with one more: just below the threshold nothing is said, at it there is a finding. */
const STEPS: [Pattern, string, number, (count: number) => { events: StoredEvent[]; now?: number }][] = [
  [
    "password_spraying",
    "accounts",
    T.SPRAYED_ADDRESSES,
    (n) => ({ events: s.times(n, (i) => s.wrongPassword(at(i), i)) }),
  ],
  [
    "password_spraying",
    "accounts of which a throttle has only told the number",
    T.SPRAYED_ADDRESSES,
    (n) => ({
      events: [
        s.throttled(at(0), "source_throttled", { address: s.address(0) }),
        s.throttled(at(60), "source_throttled", { count: n, addresses: n - 1 }),
      ],
    }),
  ],
  [
    "credential_stuffing",
    "pairs",
    T.STUFFED_PAIRS,
    (n) => ({ events: s.times(n, (i) => (i % 3 === 0 ? s.unknownEmail(at(i), i) : s.wrongPassword(at(i), i))) }),
  ],
  [
    "brute_force",
    "tries at once",
    T.BRUTE_FORCE_TRIES_AT_ONCE,
    (n) => ({ events: s.times(n, (i) => s.wrongPassword(at(i), 1)) }),
  ],
  [
    "distributed_brute_force",
    "sources",
    T.DISTRIBUTED_SOURCES,
    (n) => ({ events: s.times(2 * n, (i) => s.wrongPassword(at(i), 1, { source: group(i % n) })) }),
  ],
  [
    "distributed_brute_force",
    "tries",
    T.DISTRIBUTED_TRIES,
    (n) => ({ events: s.times(n, (i) => s.wrongPassword(at(i), 1, { source: group(i % 6) })) }),
  ],
  [
    "second_factor_guessing",
    "codes",
    T.FACTOR_GUESSES,
    (n) => ({ events: s.times(n, (i) => s.wrongFactor(at(i), 1, "totp")) }),
  ],
  [
    "recovery_code_guessing",
    "codes",
    T.RECOVERY_CODE_GUESSES,
    (n) => ({ events: s.times(n, (i) => s.wrongFactor(at(i), 1, "recovery_code")) }),
  ],
  [
    "second_factor_unproven",
    "challenges of one account",
    T.UNPROVEN_CHALLENGES,
    (n) => ({ events: s.times(n, (i) => s.challenge(at(i) - HOUR, 1)) }),
  ],
  [
    "second_factor_unproven",
    "accounts of one source",
    T.UNPROVEN_ACCOUNTS,
    (n) => ({ events: s.times(n, (i) => s.challenge(at(i) - HOUR, i)) }),
  ],
  [
    "reset_flooding",
    "mails to one",
    T.RESETS_OF_ADDRESS,
    (n) => ({ events: s.times(n, (i) => s.resetLink(at(i), 1, { source: group(i) })) }),
  ],
  [
    "reset_flooding",
    "accounts from one source",
    T.RESETS_FROM_GROUP,
    (n) => ({ events: s.times(n, (i) => s.resetLink(at(i), i)) }),
  ],
  [
    "failure_ratio",
    "failures",
    T.RATIO_FAILURES_MIN,
    (n) => ({ events: s.times(n, (i) => s.wrongPassword(at(i), i, { source: group(i) })) }),
  ],
  [
    "slow_password_spraying",
    "accounts",
    T.SLOW_ACCOUNTS_MIN,
    (n) => ({
      events: s.times(n, (i) => s.wrongPassword(NOON - 20 * HOUR + i * 20 * MINUTE, i, { source: group(i % 12) })),
    }),
  ],
];

describe("thresholds", () => {
  it.each(STEPS)("%s: %s from %i on", (pattern, _, threshold, make) => {
    const [below, reached] = [make(threshold - 1), make(threshold)];
    expect(finds(pattern, below.events, below.now)).toBe(false);
    expect(finds(pattern, reached.events, reached.now)).toBe(true);
  });

  it("brute_force waits for an owner, unless it is too much for one", () => {
    const tries = s.times(T.BRUTE_FORCE_TRIES, (i) => s.wrongPassword(at(i * 10), 1));
    const detector = detectorOf("brute_force");
    const first = detector.step(detector.empty, tries, NOON);
    expect(first.findings).toEqual([]);
    expect(detector.step(first.state, [], NOON + T.BRUTE_FORCE_PATIENCE_MS).findings).toHaveLength(1);
    const owner = detector.step(first.state, [s.signedIn(NOON, 1)], NOON + MINUTE);
    expect(detector.step(owner.state, [], NOON + T.BRUTE_FORCE_PATIENCE_MS).findings).toEqual([]);
  });

  it("refresh_token_reuse: one", () => {
    const reuse = s.event({
      kind: "authn_token_reuse",
      reason: "refresh_token_reused",
      at: NOON,
      account: s.account(1),
    });
    expect(s.seen(detectorOf("refresh_token_reuse"), [reuse], NOON)).toMatchObject([
      { subject: `account:${s.account(1)}` },
    ]);
  });

  it("failure_ratio: three times the usual of the same hour", () => {
    const day = (before: number, failed: number) => [
      ...s.times(failed, (i) =>
        s.wrongPassword(NOON - before * DAY - 30 * MINUTE + i * SECOND, i, { source: group(i) }),
      ),
      ...s.times(300, (i) => s.signedIn(NOON - before * DAY - 30 * MINUTE + i * SECOND, i)),
    ];
    const week = [4, 3, 2, 1].flatMap((before) => day(before, 60));
    const ratio = (failed: number) => {
      const events = [...week, ...day(0, failed)].sort((a, b) => a.at - b.at);
      return s.walk(detectorOf("failure_ratio"), events, NOON).findings.length > 0;
    };
    // A sixth is usual, so that half of them must fail.
    expect(ratio(290)).toBe(false);
    expect(ratio(310)).toBe(true);
  });
});

describe("what tells attackers from people", () => {
  const spray = s.times(20, (i) => s.wrongPassword(at(i), i));

  it("an account that fails and then gets in from there is no victim", () => {
    expect(finds("password_spraying", [...spray, ...s.times(10, (i) => s.signedIn(at(60 + i), i))])).toBe(false);
    expect(
      finds("password_spraying", [...spray, ...s.times(10, (i) => s.signedIn(at(60 + i), i, { source: group(1) }))]),
    ).toBe(true);
  });

  it("a group from which many get in has many slips", () => {
    const others = s.times(81, (i) => s.signedIn(at(30 + i), 1000 + i));
    expect(finds("password_spraying", [...spray, ...others])).toBe(false);
    expect(finds("password_spraying", [...spray, ...others.slice(1)])).toBe(true);
  });

  it("somebody who tries again and again is no sprayer", () => {
    const stubborn = s.times(80, (i) => s.wrongPassword(at(i), i % 20));
    expect(finds("password_spraying", stubborn)).toBe(false);
  });

  it("a program that asks for an account that is gone is one address, however often a minute tells of it", () => {
    const minutes = s.times(10, (i) => s.unknownEmail(at(i * 55), 1));
    const tallies = s.times(10, (i) => s.unknownEmail(at(i * 55 + 50), 1, { address: "", count: 30, addresses: 12 }));
    expect(finds("credential_stuffing", [...minutes, ...tallies])).toBe(false);
    const different = s.times(10, (i) => s.unknownEmail(at(i * 55), i));
    expect(finds("credential_stuffing", [...different, ...tallies])).toBe(true);
  });

  it("a complete sign-in from elsewhere takes nothing back", () => {
    const codes = s.times(T.FACTOR_GUESSES, (i) => s.wrongFactor(at(i), 1, "totp", { agent: "tool" }));
    const owner = (source: string) => s.signedIn(at(100), 1, { source, agent: "laptop" });
    expect(finds("second_factor_guessing", [...codes, owner(group(1))])).toBe(true);
    expect(finds("second_factor_guessing", [...codes, owner(s.GROUP)])).toBe(false);
  });

  it("a challenge that is met is none that was left", () => {
    const left = s.times(T.UNPROVEN_CHALLENGES, (i) => s.challenge(at(i) - HOUR, 1));
    expect(finds("second_factor_unproven", [...left, s.signedIn(at(0), 1)])).toBe(false);
  });

  it("mails that are used were wanted", () => {
    const asked = s.times(T.RESETS_FROM_GROUP, (i) => s.resetLink(at(i), i));
    expect(finds("reset_flooding", [...asked, s.signedIn(at(60), 1)])).toBe(false);
  });

  it("slow spraying: whoever gets in from there was the owner", () => {
    const tries = s.times(T.SLOW_ACCOUNTS_MIN, (i) => s.wrongPassword(NOON - 20 * HOUR + i * MINUTE, i));
    const later = (source: string) => s.signedIn(NOON - 2 * HOUR, 1, { source });
    expect(finds("slow_password_spraying", [...tries, later(s.GROUP)])).toBe(false);
    expect(finds("slow_password_spraying", [...tries, later(group(1))])).toBe(true);
  });

  it("failure_ratio leaves tries that one person's throttle refused to the detectors of accounts", () => {
    const storm = (reason: string) => [s.throttled(at(0), reason, { address: s.address(1), count: 5_000 })];
    expect(finds("failure_ratio", storm("pair_throttled"))).toBe(false);
    expect(finds("failure_ratio", storm("source_throttled"))).toBe(true);
  });
});
