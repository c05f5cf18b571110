import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addressForgettableAt,
  addressRefusal,
  askingForProof,
  beganWith,
  holdsBack,
  isClearedBySession,
  withAddressFailure,
} from "../../../src/gate/address.ts";
import type { FailureWindow } from "../../../src/gate/windows.ts";

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
const EMPTY: FailureWindow = { failures: [], inARow: 0 };
const NONE_OPEN = { all: 0, unproven: 0 };
const STRANGER = {};
const SPOKEN_FOR = { capOnly: true } as const;

/** The window after so many failures that nothing spoke for, and so many that something did. */
function failed(unproven: number, spokenFor = 0, window = EMPTY): FailureWindow {
  let failing = window;
  for (let i = 0; i < unproven; i += 1) failing = withAddressFailure(failing, STRANGER, NOW);
  for (let i = 0; i < spokenFor; i += 1) failing = withAddressFailure(failing, SPOKEN_FOR, NOW);
  return failing;
}

const stranger = (window: FailureWindow, open = NONE_OPEN) => addressRefusal(window, open, STRANGER);
const spokenFor = (window: FailureWindow, open = NONE_OPEN) => addressRefusal(window, open, SPOKEN_FOR);

describe("an address over all browsers that nobody recognises", () => {
  it("has twenty failures, and then asks for a proof", () => {
    expect(stranger(EMPTY)).toBeUndefined();
    expect(stranger(failed(19))).toBeUndefined();
    expect(stranger(failed(20))).toBe("address_unproven");
    expect(spokenFor(failed(20))).toBeUndefined();
  });

  it("counts open tries as failures", () => {
    expect(stranger(EMPTY, { all: 19, unproven: 19 })).toBeUndefined();
    expect(stranger(EMPTY, { all: 20, unproven: 20 })).toBe("address_unproven");
    expect(stranger(failed(12), { all: 8, unproven: 8 })).toBe("address_unproven");
    // Those that something speaks for use up nothing of the twenty.
    expect(stranger(failed(12), { all: 60, unproven: 7 })).toBeUndefined();
  });

  it("is closed to nobody by open tries that would not count if they failed", () => {
    expect(spokenFor(EMPTY, { all: 300, unproven: 300 })).toBeUndefined();
    expect(spokenFor(failed(20, 79), { all: 300, unproven: 300 })).toBeUndefined();
    expect(spokenFor(failed(20, 70), { all: 310, unproven: 300 })).toBe("address_closed");
    expect(spokenFor(failed(0, 80), { all: 20, unproven: 20 })).toBe("address_closed");
  });

  it("counts no more than twenty that nothing speaks for, however many more have failed", () => {
    const window = failed(60);
    expect(window).toEqual(failed(20));
    expect(withAddressFailure(window, STRANGER, NOW + DAY)).toBe(window);
  });

  it("is closed by a hundred in a row, proofs or not", () => {
    for (const window of [failed(20, 80), failed(0, 100)]) {
      expect(stranger(window)).toBe("address_closed");
      expect(spokenFor(window)).toBe("address_closed");
      expect(isClearedBySession(window)).toBe(false);
    }
    expect(spokenFor(failed(20, 79))).toBeUndefined();
    expect(spokenFor(failed(20, 70), { all: 10, unproven: 0 })).toBe("address_closed");
    expect(isClearedBySession(failed(20, 79))).toBe(true);
  });

  it("refuses nobody at a door where it only counts", () => {
    expect(addressRefusal(failed(20, 80), NONE_OPEN, { onlyCounted: true })).toBeUndefined();
  });

  it("asks for a proof without any failure when an alert wants it, once", () => {
    const asked = askingForProof(EMPTY, NOW);
    expect(stranger(asked)).toBe("address_unproven");
    expect(spokenFor(asked)).toBeUndefined();
    expect(askingForProof(asked, NOW + DAY)).toBe(asked);
    expect(stranger(failed(0, 1, asked))).toBe("address_unproven");
    expect(isClearedBySession(asked)).toBe(true);
  });

  it("tells when it begins to ask, and for what", () => {
    expect(beganWith(failed(18), failed(19))).toBeUndefined();
    expect(beganWith(failed(19), failed(20))).toBe("address_unproven");
    expect(beganWith(failed(20), failed(20, 1))).toBeUndefined();
    expect(beganWith(failed(20, 79), failed(20, 80))).toBe("address_closed");
    expect(beganWith(failed(20, 80), failed(20, 81))).toBeUndefined();
  });

  it("is forgotten a year after its last failure", () => {
    expect(addressForgettableAt(failed(20))).toBe(NOW + 365 * DAY);
  });
});

describe("whatever is tried at an address", () => {
  const tries = fc.array(fc.boolean(), { maxLength: 150 });
  const failedAll = (seen: boolean[]) =>
    seen.reduce((window, isSpokenFor) => withAddressFailure(window, isSpokenFor ? SPOKEN_FOR : STRANGER, NOW), EMPTY);

  it("no more than twenty unproven failures count, and strangers alone never reach the cap", () => {
    fc.assert(
      fc.property(tries, (seen) => {
        const window = failedAll(seen);
        const unproven = seen.filter((isSpokenFor) => !isSpokenFor).length;
        expect(window.unproven ?? 0).toBe(Math.min(20, unproven));
        expect(window.inARow).toBe(Math.min(20, unproven) + seen.length - unproven);
        if (seen.every((isSpokenFor) => !isSpokenFor)) expect(spokenFor(window)).toBeUndefined();
      }),
    );
  });

  it("nothing that is refused is let through by one more failure or one more open try", () => {
    fc.assert(
      fc.property(tries, fc.boolean(), fc.nat({ max: 110 }), (seen, isSpokenFor, open) => {
        const window = failedAll(seen);
        const standing = isSpokenFor ? SPOKEN_FOR : STRANGER;
        const opened = { all: open, unproven: open };
        if (!addressRefusal(window, opened, standing)) return;
        expect(addressRefusal(window, { all: open + 1, unproven: open + 1 }, standing)).toBeDefined();
        expect(addressRefusal(withAddressFailure(window, standing, NOW), opened, standing)).toBeDefined();
        expect(addressRefusal(askingForProof(window, NOW), opened, standing)).toBeDefined();
      }),
    );
  });

  it("its row is kept while it holds somebody back", () => {
    fc.assert(
      fc.property(tries, (seen) => {
        const window = failedAll(seen);
        expect(holdsBack(window)).toBe(stranger(window) !== undefined);
      }),
    );
  });
});
