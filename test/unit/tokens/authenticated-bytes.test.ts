import fc from "fast-check";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { authenticateBytes, readAuthenticatedBytes } from "../../../src/tokens/authenticated-bytes.ts";
import { bitFlipsOf } from "../support/byte-flips.ts";
import { newRing } from "../support/rings.ts";

let ring: KeyRing;

beforeAll(async () => {
  ring = await newRing();
});

describe("authenticated bytes", () => {
  it("read back as what went in, whatever their number, and with no bit flipped", async () => {
    const key = ring.active("assertion");
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.nat(), async (any, pick) => {
        const bytes = new Uint8Array(any);
        const text = await authenticateBytes(key, bytes);
        expect(await readAuthenticatedBytes(text, bytes.length, () => key)).toEqual(bytes);
        const flips = bitFlipsOf(text);
        expect(await readAuthenticatedBytes(flips[pick % flips.length] ?? "", bytes.length, () => key)).toBeUndefined();
      }),
    );
  });

  it("choose their key themselves, and are nothing where there is none", async () => {
    const text = await authenticateBytes(ring.active("assertion"), new Uint8Array([1, 2, 3]));
    const keyOf = vi.fn(([first]: Uint8Array) => (first === 1 ? ring.active("assertion") : undefined));
    expect(await readAuthenticatedBytes(text, 3, keyOf)).toEqual(new Uint8Array([1, 2, 3]));
    expect(keyOf).toHaveBeenCalledExactlyOnceWith(new Uint8Array([1, 2, 3]));
    expect(await readAuthenticatedBytes(text, 3, () => undefined)).toBeUndefined();
    expect(await readAuthenticatedBytes(text, 3, () => ring.active("handle"))).toBeUndefined();
  });

  it.each([0, 1, 2, 4, 5, 6, 100])(
    "of another number than %i are refused before anything is decoded",
    async (length) => {
      const text = await authenticateBytes(ring.active("assertion"), new Uint8Array(3));
      const keyOf = vi.fn(() => ring.active("assertion"));
      expect(await readAuthenticatedBytes(text, length, keyOf)).toBeUndefined();
      expect(keyOf).not.toHaveBeenCalled();
    },
  );
});
