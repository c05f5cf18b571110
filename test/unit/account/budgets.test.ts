import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  attemptsLeft,
  countingAttempts,
  giveBack,
  retryAfterSeconds,
  takeAttempt,
} from "../../../src/account/budgets.ts";

const HOUR = 3_600_000;
const NOW = 1_800_000_000_000;
const ten = (from: number, apart = 1000) => Array.from({ length: 10 }, (_, index) => from + index * apart);
/** Moments around `NOW`, on both sides of the hour, and of a clock that was set back. */
const moments = fc
  .array(fc.integer({ min: -2 * HOUR, max: HOUR }), { maxLength: 25 })
  .map((offsets) => offsets.map((offset) => NOW + offset));

describe("the second-factor budget", () => {
  it("is ten attempts in a rolling hour", () => {
    expect(attemptsLeft([], NOW)).toBe(10);
    expect(attemptsLeft(ten(NOW).slice(0, 9), NOW)).toBe(1);
    expect(attemptsLeft(ten(NOW), NOW)).toBe(0);
    expect(attemptsLeft([...ten(NOW), NOW], NOW)).toBe(0);
  });

  it("counts an attempt for an hour, to the millisecond", () => {
    expect(countingAttempts([NOW], NOW + HOUR - 1)).toEqual([NOW]);
    expect(countingAttempts([NOW], NOW + HOUR)).toEqual([]);
  });

  it("gives attempts back one by one as they grow old, not all at once", () => {
    const spent = ten(NOW);
    expect(attemptsLeft(spent, NOW + HOUR - 1)).toBe(0);
    expect(attemptsLeft(spent, NOW + HOUR)).toBe(1);
    expect(attemptsLeft(spent, NOW + HOUR + 1000)).toBe(2);
  });

  it("gives nothing away when the clock goes back", () => {
    expect(attemptsLeft(ten(NOW), NOW - 24 * HOUR)).toBe(0);
    expect(retryAfterSeconds(ten(NOW), NOW - HOUR)).toBe(2 * 3600);
  });

  it("says in whole seconds when one attempt is free again", () => {
    expect(retryAfterSeconds([], NOW)).toBe(0);
    expect(retryAfterSeconds(ten(NOW).slice(0, 9), NOW)).toBe(0);
    expect(retryAfterSeconds(ten(NOW), NOW + 9000)).toBe(3600 - 9);
    expect(retryAfterSeconds(ten(NOW), NOW + HOUR - 1)).toBe(1);
    expect(retryAfterSeconds(ten(NOW), NOW + HOUR)).toBe(0);
    // Twelve were taken: three have to grow old before one is free.
    expect(retryAfterSeconds([NOW - 2, NOW - 1, ...ten(NOW)], NOW)).toBe(3600);
  });

  it("tells the truth: before that moment nothing is free, and then something is", () => {
    fc.assert(
      fc.property(moments, (spent) => {
        const wait = retryAfterSeconds(spent, NOW);
        expect(wait === 0).toBe(attemptsLeft(spent, NOW) > 0);
        expect(attemptsLeft(spent, NOW + wait * 1000)).toBeGreaterThan(0);
        if (wait > 1) expect(attemptsLeft(spent, NOW + (wait - 1) * 1000)).toBe(0);
      }),
    );
  });
});

describe("an attempt that is taken", () => {
  it("is spent at once, and what no longer counts is cleared away", () => {
    expect(takeAttempt([], NOW)).toEqual([NOW]);
    expect(takeAttempt([NOW - HOUR, NOW - HOUR + 1], NOW)).toEqual([NOW - HOUR + 1, NOW]);
  });

  it("twice in one millisecond is two attempts", () => {
    expect(takeAttempt(takeAttempt([], NOW), NOW)).toEqual([NOW, NOW]);
  });

  it("from an empty pot changes nothing: what may still be tried then neither fills nor drains it", () => {
    expect(takeAttempt(ten(NOW), NOW + 60_000)).toEqual(ten(NOW));
    expect(takeAttempt(ten(NOW), NOW - HOUR)).toEqual(ten(NOW));
  });

  it("is one less of those that are left, and what is kept stays small", () => {
    fc.assert(
      fc.property(moments, (spent) => {
        const after = takeAttempt(spent, NOW);
        const left = attemptsLeft(spent, NOW);
        expect(attemptsLeft(after, NOW)).toBe(Math.max(0, left - 1));
        expect(after).toEqual([...countingAttempts(spent, NOW), ...(left > 0 ? [NOW] : [])]);
      }),
    );
  });

  it("leaves what it was given untouched", () => {
    const spent = [NOW + 1, NOW];
    takeAttempt(spent, NOW);
    expect(spent).toEqual([NOW + 1, NOW]);
  });
});

describe("a right answer", () => {
  it("gives back its own attempt and forgives no other", () => {
    expect(giveBack([1, 2, 3], 2)).toEqual([1, 3]);
    expect(giveBack([1, 3], 2)).toEqual([1, 3]);
    expect(giveBack([], 2)).toEqual([]);
  });

  it("gives back one of two attempts that were taken in the same millisecond", () => {
    expect(giveBack([2, 2, 3], 2)).toEqual([2, 3]);
  });

  it("leaves the pot as it was before it, wherever an attempt was left", () => {
    fc.assert(
      fc.property(moments, (spent) => {
        fc.pre(attemptsLeft(spent, NOW) > 0);
        const after = giveBack(takeAttempt(spent, NOW), NOW);
        expect(attemptsLeft(after, NOW)).toBe(attemptsLeft(spent, NOW));
        expect(after).toHaveLength(countingAttempts(spent, NOW).length);
      }),
    );
  });

  it("leaves what it was given untouched", () => {
    const spent = [1, 2, 3];
    giveBack(spent, 2);
    expect(spent).toEqual([1, 2, 3]);
  });
});
