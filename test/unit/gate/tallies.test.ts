import { describe, expect, it } from "vitest";
import { TALLIES_AT_ONCE, TALLY_TOLD_AT } from "../../../src/event-policy.ts";
import type { Occurrence } from "../../../src/events/security-event.ts";
import { Tallies } from "../../../src/gate/tallies.ts";

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const HOME = { source: "192.0.2.0/24", country: "DE", asn: 64_500, request: "r1", agent: "a1" };
const ELSEWHERE = { source: "198.51.100.0/24" };
const unknown = (address: string): Occurrence => ({
  kind: "authn_login_fail",
  reason: "unknown_email",
  factor: "pwd",
  address,
});

/** a0, a0, a1, a1 … */
const twiceEach = (addresses: number) => Array.from({ length: 2 * addresses }, (_, i) => `a${i >> 1}`);

describe("what happens again and again", () => {
  it("is told at once the first time, and as a number when its minute is over", () => {
    const tallies = new Tallies();
    expect(tallies.note(unknown("a"), HOME, NOW)).toEqual([{ occurrence: unknown("a"), from: HOME }]);
    for (const address of ["a", "b", "c", "c"]) expect(tallies.note(unknown(address), HOME, NOW + 1)).toEqual([]);
    expect(tallies.close(NOW + MINUTE - 1)).toEqual([]);
    expect(tallies.closesAt()).toBe(NOW + MINUTE);
    expect(tallies.close(NOW + MINUTE)).toEqual([
      {
        occurrence: { kind: "authn_login_fail", reason: "unknown_email", factor: "pwd", count: 4, addresses: 3 },
        from: { source: "192.0.2.0/24", country: "DE", asn: 64_500 },
      },
    ]);
    expect(tallies.close(NOW + 2 * MINUTE)).toEqual([]);
  });

  it("is told before its minute is over when it has named as many addresses as a pattern has, each address once", () => {
    const tallies = new Tallies();
    const told = twiceEach(50).flatMap((name, i) =>
      tallies.note(unknown(name), HOME, NOW + i).map(({ occurrence }) => occurrence),
    );
    const counts = told.map(({ count = 1, addresses = 1 }) => [count, addresses]);
    // a0 | a0 a1 a1 … a13 | … a28 | the rest
    expect(counts).toEqual([
      [1, 1],
      [26, 14],
      [30, 15],
    ]);
    expect(told.slice(1).every(({ address }) => address === undefined)).toBe(true);
    const [rest] = tallies.close(NOW + MINUTE);
    expect(rest?.occurrence.about).toEqual({ addresses_of_minute: 50 });
    expect([rest].map((one) => [one?.occurrence.count, one?.occurrence.addresses])).toEqual([[43, 21]]);
  });

  it.each([
    ["nobody new", ["a3"], { addresses: 0 }],
    ["nobody new, twice", ["a3", "a3"], { count: 2, addresses: 0 }],
    ["somebody new", ["new"], { address: "new" }],
    ["somebody new, among others", ["new", "a3"], { count: 2, addresses: 1 }],
  ])("says after that who is new in the minute: %s", (_, names, said) => {
    const tallies = new Tallies();
    const [first = 0] = TALLY_TOLD_AT;
    for (let i = 0; i <= first; i += 1) tallies.note(unknown(`a${i}`), HOME, NOW);
    for (const name of names) expect(tallies.note(unknown(name), HOME, NOW)).toEqual([]);
    const { address: __, ...nobody } = unknown("");
    expect(tallies.close(NOW + MINUTE).map(({ occurrence }) => occurrence)).toMatchObject([{ ...nobody, ...said }]);
  });

  it("is told no second time when it did not happen again", () => {
    const tallies = new Tallies();
    tallies.note(unknown("a"), HOME, NOW);
    expect(tallies.closesAt()).toBeUndefined();
    expect(tallies.close(NOW + MINUTE)).toEqual([]);
    expect(tallies.note(unknown("a"), HOME, NOW + MINUTE)).toHaveLength(1);
  });

  it("names the address when all that follows is about one, and has no number when it is one", () => {
    const tallies = new Tallies();
    tallies.note(unknown("a"), HOME, NOW);
    tallies.note(unknown("b"), HOME, NOW);
    const [one] = tallies.close(NOW + MINUTE);
    expect(one?.occurrence).toEqual(unknown("b"));
    tallies.note(unknown("a"), HOME, NOW + MINUTE);
    for (let i = 0; i < 3; i += 1) tallies.note(unknown("a"), HOME, NOW + MINUTE);
    const [three] = tallies.close(NOW + 2 * MINUTE);
    expect(three?.occurrence).toEqual({ ...unknown("a"), count: 3, addresses: 1 });
  });

  it("is counted apart by factor: what was refused of one is not told as another's", () => {
    const tallies = new Tallies();
    const throttled = (factor: "pwd" | "passkey"): Occurrence => ({
      kind: "excess_rate_limit_exceeded",
      reason: "source_throttled",
      factor,
    });
    expect(tallies.note(throttled("passkey"), HOME, NOW)).toHaveLength(1);
    expect(tallies.note(throttled("pwd"), HOME, NOW)).toHaveLength(1);
    for (let i = 0; i < 3; i += 1) tallies.note(throttled("pwd"), HOME, NOW);
    expect(tallies.close(NOW + MINUTE).map(({ occurrence }) => occurrence)).toEqual([
      { ...throttled("pwd"), count: 3 },
    ]);
  });

  it("is counted apart by kind, reason and source", () => {
    const tallies = new Tallies();
    const throttled = (reason: string): Occurrence => ({ kind: "excess_rate_limit_exceeded", reason });
    expect(tallies.note(unknown("a"), HOME, NOW)).toHaveLength(1);
    expect(tallies.note(unknown("a"), ELSEWHERE, NOW)).toHaveLength(1);
    expect(tallies.note(throttled("pair_throttled"), HOME, NOW)).toHaveLength(1);
    expect(tallies.note(throttled("source_throttled"), HOME, NOW)).toHaveLength(1);
    expect(tallies.note(throttled("source_throttled"), HOME, NOW)).toHaveLength(0);
  });

  it("ends its minute with the next one, when nobody has ended it before", () => {
    const tallies = new Tallies();
    tallies.note(unknown("a"), HOME, NOW);
    for (let i = 0; i < 2; i += 1) tallies.note(unknown("b"), HOME, NOW);
    const told = tallies.note(unknown("c"), HOME, NOW + MINUTE);
    expect(told.map(({ occurrence }) => occurrence.count ?? 1)).toEqual([2, 1]);
  });

  it("keeps what was said last of the surroundings", () => {
    const tallies = new Tallies();
    for (let i = 0; i < 3; i += 1) tallies.note({ ...unknown("a"), about: { addresses_touched: i } }, HOME, NOW);
    expect(tallies.close(NOW + MINUTE)[0]?.occurrence.about).toEqual({ addresses_touched: 2 });
  });

  it("is one number without a source once there are too many sources to tell apart, and no source is forgotten", () => {
    const tallies = new Tallies();
    const from = (i: number) => ({ source: `network ${i}` });
    for (let i = 0; i < TALLIES_AT_ONCE; i += 1) expect(tallies.note(unknown("a"), from(i), NOW)).toHaveLength(1);
    expect(tallies.note(unknown("a"), from(TALLIES_AT_ONCE), NOW)).toHaveLength(1);
    for (let i = 1; i < 500; i += 1) expect(tallies.note(unknown("a"), from(TALLIES_AT_ONCE + i), NOW)).toEqual([]);
    expect(tallies.note(unknown("a"), from(7), NOW)).toEqual([]);
    const closed = tallies.close(NOW + MINUTE);
    expect(closed.map(({ from }) => from?.source)).toEqual(["network 7", undefined]);
    expect(closed[1]?.occurrence.count).toBe(499);
  });

  it("makes room for new sources when those of before have nothing more to tell", () => {
    const tallies = new Tallies();
    for (let i = 0; i < TALLIES_AT_ONCE; i += 1) tallies.note(unknown("a"), { source: `network ${i}` }, NOW);
    tallies.note(unknown("a"), HOME, NOW + MINUTE);
    tallies.note(unknown("a"), HOME, NOW + MINUTE);
    expect(tallies.close(NOW + 2 * MINUTE)[0]?.from?.source).toBe(HOME.source);
  });
});
