import { describe, expect, it } from "vitest";
import { type Considered, refusalOf } from "../../../src/gate/refusing.ts";
import type { Subject } from "../../../src/gate/subjects.ts";
import { type FailureWindow, usedUpProof } from "../../../src/gate/windows.ts";

const NOW = 1_800_000_000_000;
const OPEN = { all: 0, unproven: 0 };
const EMPTY: FailureWindow = { failures: [], inARow: 0 };
const FULL: FailureWindow = { failures: [NOW], inARow: 6 };
const ASKING: FailureWindow = { failures: [NOW], inARow: 20, unproven: 20 };
const CLOSED: FailureWindow = { failures: [NOW], inARow: 100, unproven: 20 };

const of = (kind: Subject["kind"], window: FailureWindow, standing: Partial<Subject> = {}): Considered => ({
  subject: { kind, key: kind, ...standing },
  window,
  open: OPEN,
});
const refused = (...considered: Considered[]) => refusalOf(considered, NOW);

describe("of several reasons to refuse", () => {
  it("there is none when nothing stands in the way", () => {
    expect(refused()).toBeUndefined();
    expect(refused(of("pair", EMPTY), of("address", EMPTY))).toBeUndefined();
    expect(refused(of("pair", FULL, { onlyCounted: true }), of("address", ASKING, { capOnly: true }))).toBeUndefined();
  });

  it("a proof is asked for rather than patience, which would not help", () => {
    expect(refused(of("pair", FULL), of("address", ASKING))).toEqual({ refused: "address_unproven" });
    expect(refused(of("pair", FULL), of("address", EMPTY))).toEqual({
      refused: "pair_throttled",
      retryAfterSeconds: 60,
    });
  });

  it("the cap comes before all, and no proof helps", () => {
    const closed = { refused: "address_closed", retryAfterSeconds: 3600 };
    expect(refused(of("pair", FULL), of("address", CLOSED))).toEqual(closed);
    expect(refused(of("proof", usedUpProof(NOW)), of("address", CLOSED, { capOnly: true }))).toEqual(closed);
  });

  it("a proof that is used up is said to be so, whatever else waits", () => {
    const waiting = of("network", { ...EMPTY, refusedUntil: NOW + 86_400_000 });
    expect(refused(waiting, of("proof", usedUpProof(NOW)))).toEqual({ refused: "proof_used" });
  });

  it("the longest wait counts", () => {
    const network = of("network", { ...EMPTY, refusedUntil: NOW + 3_600_000 });
    expect(refused(of("pair", FULL), network)).toEqual({ refused: "network_throttled", retryAfterSeconds: 3600 });
  });
});
