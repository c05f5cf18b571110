import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addressesTouched,
  type CountedKind,
  type FailureWindow,
  forgettableAt,
  isUsedUp,
  refusedUntil,
  usedUpProof,
  waitMs,
  withFailure,
} from "../../../src/gate/windows.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = 1_800_000_000_000;
const EMPTY: FailureWindow = { failures: [], inARow: 0 };

/** The window after failures at these moments. */
function windowOf(kind: CountedKind, moments: number[]): FailureWindow {
  return moments.reduce((window, at) => withFailure(kind, window, at), EMPTY);
}

const times = (count: number, at = NOW, apart = 0) => Array.from({ length: count }, (_, index) => at + index * apart);

describe.each([
  ["source", 20, 10 * MINUTE],
  ["network", 100, 10 * MINUTE],
  ["assertions_from_source", 20, 10 * MINUTE],
  ["assertions_from_network", 100, 10 * MINUTE],
  // A link lives fifteen minutes, so its five tries never come back while it opens.
  ["proof", 5, 16 * MINUTE],
  ["mails_from_source", 10, HOUR],
  ["mails_from_network", 50, HOUR],
  ["mails_to_address", 3, HOUR],
  ["proofs_to_address", 3, 10 * MINUTE],
] as const)("the window of %s", (kind, limit, length) => {
  it(`lets ${limit - 1} failures pass and stops at ${limit}`, () => {
    expect(waitMs(kind, EMPTY, 0, NOW)).toBe(0);
    expect(waitMs(kind, windowOf(kind, times(limit - 1)), 0, NOW)).toBe(0);
    expect(waitMs(kind, windowOf(kind, times(limit)), 0, NOW)).toBe(length);
  });

  it("rolls: each failure counts for the length of the window, to the millisecond", () => {
    const window = windowOf(kind, times(limit, NOW, SECOND));
    expect(waitMs(kind, window, 0, NOW + length - 1)).toBe(1);
    expect(waitMs(kind, window, 0, NOW + length)).toBe(0);
    // One failure has rolled out, one more fills the window again, and the second of the old ones now blocks.
    const refilled = withFailure(kind, window, NOW + length);
    expect(waitMs(kind, refilled, 0, NOW + length)).toBe(SECOND);
  });

  it("counts open tries as failures, so that many at once do not slip through together", () => {
    expect(waitMs(kind, EMPTY, limit - 1, NOW)).toBe(0);
    expect(waitMs(kind, EMPTY, limit, NOW)).toBe(SECOND);
    expect(waitMs(kind, windowOf(kind, times(limit - 3)), 2, NOW)).toBe(0);
    expect(waitMs(kind, windowOf(kind, times(limit - 3)), 3, NOW)).toBe(SECOND);
  });

  it("gives nothing away when the clock goes back", () => {
    expect(waitMs(kind, windowOf(kind, times(limit)), 0, NOW - HOUR)).toBe(HOUR + length);
  });

  it("keeps no more moments than it needs, whatever is thrown at it", () => {
    const window = windowOf(kind, times(limit * 5, NOW, 10));
    expect(window.failures).toHaveLength(limit);
    expect(window.failures.at(-1)).toBe(NOW + (limit * 5 - 1) * 10);
  });

  it("forgets nothing that still counts", () => {
    const window = windowOf(kind, times(limit));
    expect(forgettableAt(kind, window)).toBe(NOW + length);
  });
});

describe("one email key from one source", () => {
  // Five are free, then 30 seconds that double with each failure up to an hour (SP 800-63B-4 §3.2.2).
  it.each([
    [0, 0],
    [1, 0],
    [4, 0],
    [5, 30 * SECOND],
    [6, 60 * SECOND],
    [7, 2 * MINUTE],
    [8, 4 * MINUTE],
    [9, 8 * MINUTE],
    [10, 16 * MINUTE],
    [11, 32 * MINUTE],
    [12, HOUR],
    [13, HOUR],
    [100, HOUR],
    [2000, HOUR],
  ])("after %i failures waits %i ms", (failures, wait) => {
    expect(waitMs("pair", windowOf("pair", times(failures)), 0, NOW)).toBe(wait);
  });

  it("may try again when the wait is over, not a millisecond before", () => {
    const window = windowOf("pair", times(5));
    expect(waitMs("pair", window, 0, NOW + 30 * SECOND - 1)).toBe(1);
    expect(waitMs("pair", window, 0, NOW + 30 * SECOND)).toBe(0);
  });

  it("waits from the last failure on", () => {
    const window = windowOf("pair", [...times(5), NOW + HOUR]);
    expect(waitMs("pair", window, 0, NOW + HOUR)).toBe(MINUTE);
  });

  it("has five tries open at once at most, and after those one at a time", () => {
    expect(waitMs("pair", EMPTY, 4, NOW)).toBe(0);
    expect(waitMs("pair", EMPTY, 5, NOW)).toBe(SECOND);
    expect(waitMs("pair", windowOf("pair", times(3)), 1, NOW)).toBe(0);
    expect(waitMs("pair", windowOf("pair", times(3)), 2, NOW)).toBe(SECOND);
    expect(waitMs("pair", windowOf("pair", times(7)), 0, NOW + HOUR)).toBe(0);
    expect(waitMs("pair", windowOf("pair", times(7)), 1, NOW + HOUR)).toBe(SECOND);
  });

  it("starts afresh after a day of quiet, not a millisecond before", () => {
    const window = windowOf("pair", times(12));
    expect(withFailure("pair", window, NOW + DAY).inARow).toBe(13);
    expect(withFailure("pair", window, NOW + DAY + 1).inARow).toBe(1);
    expect(waitMs("pair", window, 4, NOW + DAY + 1)).toBe(0);
    expect(forgettableAt("pair", window)).toBe(NOW + DAY);
  });

  it("gives nothing away when the clock goes back", () => {
    const window = windowOf("pair", times(5));
    expect(waitMs("pair", window, 0, NOW - HOUR)).toBe(HOUR + 30 * SECOND);
    const again = withFailure("pair", window, NOW - HOUR);
    expect(again.inARow).toBe(6);
    expect(waitMs("pair", again, 0, NOW)).toBe(MINUTE);
  });

  it("keeps one moment and a count", () => {
    expect(windowOf("pair", times(50, NOW, SECOND))).toEqual({ failures: [NOW + 49 * SECOND], inARow: 50 });
  });
});

describe("a network", () => {
  it("knows how many different addresses its failures have tried in its window", () => {
    const marks = ["a", "b", "a", undefined, "c"];
    const window = marks.reduce((seen, mark, i) => withFailure("network", seen, NOW + i * SECOND, mark), EMPTY);
    expect(addressesTouched(window, NOW + 4 * SECOND)).toBe(3);
    // The first "a" and the "b" have left the window, the other "a" has not.
    expect(addressesTouched(window, NOW + 10 * MINUTE + SECOND)).toBe(2);
    expect(addressesTouched(window, NOW + 11 * MINUTE)).toBe(0);
    expect(addressesTouched(EMPTY, NOW)).toBe(0);
  });

  it("keeps a mark for each moment, in the same order, and no more than those", () => {
    const failures = fc.array(fc.tuple(fc.integer({ min: -HOUR, max: HOUR }), fc.constantFrom("a", "b", undefined)), {
      maxLength: 130,
    });
    fc.assert(
      fc.property(failures, (seen) => {
        const window = seen.reduce((one, [offset, mark]) => withFailure("network", one, NOW + offset, mark), EMPTY);
        if (seen.every(([, mark]) => mark === undefined)) expect(window.marks).toBeUndefined();
        else expect(window.marks).toHaveLength(window.failures.length);
      }),
    );
  });

  it("that an alert has closed is refused until then, failures or not, and is not opened sooner by another", () => {
    const closed = refusedUntil(EMPTY, NOW + HOUR);
    expect(waitMs("network", closed, 0, NOW)).toBe(HOUR);
    expect(waitMs("network", withFailure("network", closed, NOW), 0, NOW)).toBe(HOUR);
    expect(waitMs("network", closed, 0, NOW + HOUR)).toBe(0);
    expect(forgettableAt("network", closed)).toBe(NOW + HOUR);
    expect(refusedUntil(closed, NOW + MINUTE)).toBe(closed);
    expect(waitMs("network", refusedUntil(closed, NOW + DAY), 0, NOW)).toBe(DAY);
  });
});

describe("a proof that has done its work", () => {
  it("is refused for as long as its link could live, and then forgotten", () => {
    const window = usedUpProof(NOW);
    expect(waitMs("proof", window, 0, NOW)).toBeGreaterThan(0);
    expect(waitMs("proof", window, 0, NOW + 15 * MINUTE)).toBeGreaterThan(0);
    expect(waitMs("proof", window, 0, forgettableAt("proof", window))).toBe(0);
  });

  it("is told from one that was tried too often", () => {
    expect(isUsedUp(usedUpProof(NOW))).toBe(true);
    for (let tried = 0; tried <= 5; tried += 1) expect(isUsedUp(windowOf("proof", times(tried)))).toBe(false);
  });
});

describe("any window", () => {
  const kinds = fc.constantFrom<CountedKind[]>(
    "source",
    "network",
    "pair",
    "assertions_from_source",
    "proof",
    "mails_from_network",
    "mails_to_address",
  );
  const offsets = fc.array(fc.integer({ min: -HOUR, max: HOUR }), { maxLength: 130 });

  it("tells how long to wait: then, with nothing open, a try is free, and before it none is", () => {
    fc.assert(
      fc.property(kinds, offsets, (kind, moments) => {
        const window = windowOf(
          kind,
          moments.map((offset) => NOW + offset),
        );
        const wait = waitMs(kind, window, 0, NOW);
        expect(waitMs(kind, window, 0, NOW + wait)).toBe(0);
        if (wait > 0) expect(waitMs(kind, window, 0, NOW + wait - 1)).toBe(1);
      }),
    );
  });

  it("never gets shorter by a failure or by an open try", () => {
    fc.assert(
      fc.property(kinds, offsets, fc.nat({ max: 120 }), (kind, moments, open) => {
        const window = windowOf(
          kind,
          moments.map((offset) => NOW + offset),
        );
        const failed = withFailure(kind, window, NOW);
        expect(waitMs(kind, window, open + 1, NOW)).toBeGreaterThanOrEqual(waitMs(kind, window, open, NOW));
        expect(waitMs(kind, failed, 0, NOW)).toBeGreaterThanOrEqual(waitMs(kind, window, 0, NOW));
        // The second that open tries cost is a guess, so a failure may put a truer number in its place, but not free it.
        if (waitMs(kind, window, open, NOW) > 0) expect(waitMs(kind, failed, open, NOW)).toBeGreaterThan(0);
      }),
    );
  });

  it("holds nobody back once it may be forgotten", () => {
    fc.assert(
      fc.property(kinds, offsets, (kind, moments) => {
        const window = windowOf(
          kind,
          moments.map((offset) => NOW + offset),
        );
        expect(waitMs(kind, window, 0, forgettableAt(kind, window))).toBe(0);
      }),
    );
  });
});
