import { describe, expect, it } from "vitest";
import { DETECTORS } from "../../src/events/detectors/all.ts";
import type { Detector, Pattern } from "../../src/events/detectors/detector.ts";
import * as T from "../../src/events/detectors/thresholds.ts";
import type { StoredEvent } from "../../src/events/event-store.ts";
import * as s from "./support.ts";

const { HOUR, MINUTE, NOON, SECOND } = s;
const detectorOf = (pattern: Pattern) => DETECTORS.find((each) => each.pattern === pattern) as Detector;
const finds = (pattern: Pattern, events: StoredEvent[], now = NOON) =>
  s.seen(detectorOf(pattern), events, now).length > 0;
const at = (n: number) => NOON - 9 * MINUTE + n * SECOND;
const group = (n: number) => `10.${n >> 8}.${n & 255}.0/24`;

describe("a source group", () => {
  it("is measured over ten minutes", () => {
    const early = s.times(8, (i) => s.wrongPassword(at(i) - 11 * MINUTE, i));
    const late = s.times(8, (i) => s.wrongPassword(at(i), 20 + i));
    expect(finds("password_spraying", [...early, ...late])).toBe(false);
    expect(finds("password_spraying", [...early.map((each) => ({ ...each, at: at(0) })), ...late])).toBe(true);
  });

  it("has at least as many addresses as its largest tally", () => {
    const minutes = s.times(3, (i) => s.unknownEmail(at(i * 60), 1));
    const tally = s.unknownEmail(at(59), 1, { address: "", count: 60, addresses: 40 });
    expect(finds("credential_stuffing", [...minutes, tally])).toBe(true);
  });

  it("has at least as many addresses as its largest minute, also where that was told in parts", () => {
    const minutes = s.times(3, (i) => s.unknownEmail(at(i * 60), 1));
    const part = (n: number, addresses: number, ofMinute: number) =>
      s.unknownEmail(at(n), 1, { address: "", count: addresses, addresses, about: { addresses_of_minute: ofMinute } });
    const parts = [part(10, 14, 14), part(20, 15, 29), part(59, 11, 40)];
    expect(finds("credential_stuffing", [...minutes, ...parts])).toBe(true);
    expect(finds("credential_stuffing", [...minutes, ...parts.slice(0, 1)])).toBe(false);
  });

  it("tries a leaked list only if many of its addresses are nobody's, and that is known of some", () => {
    const known = s.times(26, (i) => s.wrongPassword(at(i), i));
    const unknown = (count: number) => s.times(count, (i) => s.unknownEmail(at(i), 100 + i));
    expect(finds("credential_stuffing", [...known, ...unknown(9)])).toBe(false);
    expect(finds("credential_stuffing", [...known, ...unknown(14)])).toBe(true);
    const throttled = s.throttled(at(59), "source_throttled", { count: 40, addresses: 40 });
    expect(finds("credential_stuffing", [...unknown(T.STUFFED_SAMPLE - 1), throttled])).toBe(false);
    expect(finds("credential_stuffing", [...unknown(T.STUFFED_SAMPLE), throttled])).toBe(true);
  });

  it.each([
    ["credential_stuffing", 40, (i: number) => s.unknownEmail(at(i), i)],
    ["second_factor_unproven", 10, (i: number) => s.challenge(at(i) - 20 * MINUTE, i)],
    ["reset_flooding", 20, (i: number) => s.resetLink(at(i), i)],
  ] as const)("with many who sign in has many who do not (%s)", (pattern, count, make) => {
    const own = s.times(count, make);
    const others = s.times(4 * count + 4, (i) => s.signedIn(at(60 + i), 1_000 + i));
    const step = (events: StoredEvent[]) => {
      const first = detectorOf(pattern).step(detectorOf(pattern).empty, own, NOON - MINUTE);
      return detectorOf(pattern).step(first.state, events, NOON).findings.length > 0;
    };
    expect(step(others)).toBe(false);
    expect(step(others.slice(0, 4 * count))).toBe(true);
  });
});

describe("an account", () => {
  const tries = (source: (i: number) => string, count = T.BRUTE_FORCE_TRIES_AT_ONCE) =>
    s.times(count, (i) => s.wrongPassword(at(i), 1, { source: source(i) }));

  it("that is attacked from everywhere is not attacked from a few places", () => {
    expect(
      finds(
        "brute_force",
        tries((i) => group(i % T.FEW_SOURCES)),
      ),
    ).toBe(true);
    expect(
      finds(
        "brute_force",
        tries((i) => group(i % (T.FEW_SOURCES + 1))),
      ),
    ).toBe(false);
  });

  it("whose owner asks for a link has been tried by the owner, from there and not from elsewhere", () => {
    const link = (source: string) => s.resetLink(at(100), 1, { source });
    expect(finds("brute_force", [...tries(() => s.GROUP), link(s.GROUP)])).toBe(false);
    expect(finds("brute_force", [...tries(() => s.GROUP), link(group(9))])).toBe(true);
    expect(finds("brute_force", [...tries(() => s.GROUP), ...tries(() => group(9), 2), link(group(9))])).toBe(true);
  });

  it("whose budget of codes is spent is guessed at, however few are left to see", () => {
    const spent = s.event({
      kind: "authn_login_fail_max",
      reason: "second_factor_budget_spent",
      factor: "totp",
      at: at(5),
      account: s.account(1),
    });
    expect(finds("second_factor_guessing", [s.wrongFactor(at(0), 1, "totp"), spent])).toBe(true);
  });

  it("whose owner comes back with the same program on another network has left its challenges itself", () => {
    const left = s.times(T.UNPROVEN_CHALLENGES, (i) => s.challenge(at(i) - HOUR, 1, { agent: "laptop" }));
    const owner = (agent: string) => s.signedIn(at(0), 1, { source: group(1), agent });
    expect(finds("second_factor_unproven", [...left, owner("laptop")])).toBe(false);
    expect(finds("second_factor_unproven", [...left, owner("tablet")])).toBe(true);
  });

  it("may still meet a challenge for ten minutes; in proof mode there is none to meet", () => {
    const open = s.times(T.UNPROVEN_CHALLENGES, (i) => s.challenge(NOON - T.CHALLENGE_LEFT_MS + MINUTE + i, 1));
    expect(finds("second_factor_unproven", open)).toBe(false);
    expect(finds("second_factor_unproven", open, NOON + 2 * MINUTE)).toBe(true);
    const unproven = { kind: "authn_login_fail", reason: "mailbox_unproven" } as const;
    expect(
      finds(
        "second_factor_unproven",
        open.map((each) => ({ ...each, ...unproven })),
      ),
    ).toBe(true);
  });

  it("whose mailbox is flooded from everywhere stays flooded when its owner signs in", () => {
    const mails = s.times(T.RESETS_OF_ADDRESS, (i) => s.resetLink(at(i), 1, { source: group(i % 4) }));
    expect(finds("reset_flooding", [...mails, s.signedIn(at(60), 1, { source: group(0) })])).toBe(true);
    const own = mails.map((each) => ({ ...each, source: group(0) }));
    expect(finds("reset_flooding", [...own, s.signedIn(at(60), 1, { source: group(0) })])).toBe(false);
  });
});

describe("the service", () => {
  const slow = (each: number) =>
    s.times(T.SLOW_ACCOUNTS_MIN * each, (i) =>
      s.wrongPassword(NOON - 20 * HOUR + i * MINUTE, i % T.SLOW_ACCOUNTS_MIN, { source: group(i) }),
    );

  it("is sprayed slowly with one try or two an account", () => {
    expect(finds("slow_password_spraying", slow(T.SLOW_TRIES_EACH))).toBe(true);
    expect(finds("slow_password_spraying", slow(T.SLOW_TRIES_EACH + 1))).toBe(false);
  });

  it("is not sprayed by somebody who fails and soon gets in on another network", () => {
    const tried = slow(1);
    const owner = (afterMs: number) => s.signedIn((tried[0]?.at ?? 0) + afterMs, 0, { source: group(900) });
    expect(finds("slow_password_spraying", [...tried, owner(T.SLOW_REDEEMED_MS)])).toBe(false);
    expect(finds("slow_password_spraying", [...tried, owner(T.SLOW_REDEEMED_MS + MINUTE)])).toBe(true);
  });

  it("is not sprayed slowly by three times nothing, and on a busy day only by much", () => {
    const crowd = s.times(1_200, (i) => s.signedIn(NOON - 20 * HOUR + i * SECOND, 5_000 + i));
    expect(finds("slow_password_spraying", [...slow(1), ...crowd])).toBe(false);
  });

  it("does not take yesterday's attack for usual", () => {
    const day = (before: number, failed: number) => [
      ...s.times(failed, (i) =>
        s.wrongPassword(NOON - before * s.DAY - 30 * MINUTE + i * 500, i, { source: group(i) }),
      ),
      ...s.times(300, (i) => s.signedIn(NOON - before * s.DAY - 30 * MINUTE + i * SECOND, i)),
    ];
    const failures = [
      [4, 30],
      [3, 30],
      [2, 30],
      [1, 2_000],
      [0, 300],
    ] as const;
    const events = failures.flatMap(([before, failed]) => day(before, failed)).sort((a, b) => a.at - b.at);
    const { findings } = s.walk(detectorOf("failure_ratio"), events, NOON);
    expect(findings.some(({ lastAt }) => lastAt > NOON - HOUR)).toBe(true);
  });
});
