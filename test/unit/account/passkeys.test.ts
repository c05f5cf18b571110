import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { provenBy, takeSignCount } from "../../../src/account/passkeys.ts";
import { NOW, passkey } from "../support/account-samples.ts";
import { storeWith } from "../support/memory-store.ts";

const assertion = (signCount: number) => ({ signCount, userVerified: true });
const guardWith = (counters: Record<string, { signCount: number; at: number }> = {}) => ({
  ...storeWith().guard(),
  counters,
});

describe("the signature counter of a passkey", () => {
  it.each([
    ["rises by one", 7, 8, true],
    ["rises by many", 7, 4_294_967_295, true],
    ["rises from zero", 0, 1, true],
    ["stays zero, as with authenticators that do not count", 0, 0, true],
    ["stays where it was", 7, 7, false],
    ["falls", 7, 6, false],
    ["falls to zero", 7, 0, false],
  ])("%s: from %i to %i is taken or not", (_, last, next, taken) => {
    const guard = guardWith({ p1: { signCount: last, at: NOW - 1 } });
    expect(takeSignCount(guard, passkey(), assertion(next), NOW)).toBe(taken);
    expect(guard.counters).toEqual({ p1: taken ? { signCount: next, at: NOW } : { signCount: last, at: NOW - 1 } });
  });

  it("begins where it stood at the registration, until a sign-in moves it", () => {
    const key = passkey({}, { signCount: 7 });
    const guard = guardWith();
    expect(takeSignCount(guard, key, assertion(7), NOW)).toBe(false);
    expect(guard.counters).toEqual({});
    expect(takeSignCount(guard, key, assertion(9), NOW)).toBe(true);
    // The registration's count is history now, also where it was the lower one.
    expect(takeSignCount(guard, key, assertion(8), NOW)).toBe(false);
  });

  it("is each passkey's own", () => {
    const guard = guardWith({ p2: { signCount: 100, at: NOW } });
    expect(takeSignCount(guard, passkey(), assertion(1), NOW)).toBe(true);
    expect(guard.counters.p2).toEqual({ signCount: 100, at: NOW });
  });

  it("lets one of two assertions with the same count pass", () => {
    const guard = guardWith();
    const both = [1, 2].map(() => takeSignCount(guard, passkey(), assertion(5), NOW));
    expect(both).toEqual([true, false]);
  });

  it("once it has counted never lets the same count pass twice, in whatever order they come", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 20 }), { maxLength: 60 }), (counts) => {
        const guard = guardWith();
        const taken = counts.filter((count) => takeSignCount(guard, passkey(), assertion(count), NOW));
        const counted = taken.filter((count) => count > 0);
        expect(counted).toEqual([...new Set(counted)].sort((a, b) => a - b));
        // Zero is good until the first real count, and never again.
        expect(taken.slice(taken.length - counted.length)).toEqual(counted);
      }),
    );
  });
});

describe("what an assertion has proven", () => {
  it.each([
    ["a software key where it may be copied", true, true, { key: "swk", userVerified: true }],
    ["a software key, its user not verified", true, false, { key: "swk", userVerified: false }],
    ["a hardware key where it cannot leave its device", false, true, { key: "hwk", userVerified: true }],
    ["a hardware key that asked for a touch alone", false, false, { key: "hwk", userVerified: false }],
  ])("is %s", (_, backupEligible, userVerified, proven) => {
    const key = passkey({}, { backupEligible, userVerified: !userVerified });
    expect(provenBy(key, { signCount: 0, userVerified })).toEqual({ method: "passkey", ...proven });
  });
});
