import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { DataKeyPurpose } from "../../../src/keys/key-purposes.ts";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { PASSKEY_CHALLENGE_TTL_MS } from "../../../src/policy.ts";
import { makePasskeyChallenge, readPasskeyChallenge } from "../../../src/tokens/passkey-challenge.ts";
import { bitFlipsOf, MISSPELLINGS } from "../support/byte-flips.ts";
import { NOW, newRing, ringsAcrossEpochs } from "../support/rings.ts";

let ring: KeyRing;
let challenge: string;

beforeAll(async () => {
  ring = await newRing();
  challenge = await makePasskeyChallenge(ring, NOW);
});

const read = (text: string, now = NOW) => readPasskeyChallenge(ring, text, now);

describe("the challenge of a passkey sign-in without a name", () => {
  it("is good for five minutes, to the millisecond, from a whole second", async () => {
    const expiresAt = NOW + 300_000;
    expect(await read(challenge)).toEqual({ id: expect.any(String), expiresAt });
    expect(await read(challenge, expiresAt - 1)).toBeDefined();
    expect(await read(challenge, expiresAt)).toBeUndefined();
  });

  it("never lives longer than its time, whatever the moment it was made", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 4_000_000_000_000 }), async (now) => {
        const { expiresAt = 0 } = (await read(await makePasskeyChallenge(ring, now), now)) ?? {};
        expect(expiresAt).toBeLessThanOrEqual(now + PASSKEY_CHALLENGE_TTL_MS);
        expect(expiresAt).toBeGreaterThan(now + PASSKEY_CHALLENGE_TTL_MS - 1000);
      }),
      { numRuns: 50 },
    );
  });

  it("is 57 bytes in the order of the design, a multiple of three, so that base64url has one spelling", async () => {
    const bytes = Buffer.from(challenge, "base64url");
    expect(challenge).toMatch(/^[A-Za-z0-9_-]{76}$/);
    expect(bytes.length).toBe(57);
    expect(bytes.subarray(0, 5).toString("hex")).toBe("0100000001");
    expect(bytes.readUInt32BE(5)).toBe(NOW / 1000 + 300);
    expect((await read(challenge))?.id).toBe(bytes.subarray(9, 25).toString("base64url"));
  });

  it("has a random part of its own each time", async () => {
    const many = await Promise.all(Array.from({ length: 50 }, () => makePasskeyChallenge(ring, NOW)));
    const ids = await Promise.all(many.map(async (text) => (await read(text))?.id));
    expect(new Set(ids).size).toBe(50);
    expect(new Set(ids.map((id) => id?.slice(0, 6))).size).toBe(50);
    expect(new Set(ids.map((id) => id?.slice(-6))).size).toBe(50);
  });
});

describe("a challenge is refused", () => {
  it("with any single bit of any byte flipped", async () => {
    const flips = bitFlipsOf(challenge);
    expect(flips).toHaveLength(57 * 8);
    const accepted = await Promise.all(flips.map((text) => read(text)));
    expect(accepted.flatMap((taken, bit) => (taken ? [bit] : []))).toEqual([]);
  });

  it.each(MISSPELLINGS)("with %s", async (_, change) => {
    expect(change(challenge)).not.toBe(challenge);
    expect(await read(change(challenge))).toBeUndefined();
  });

  it("after an emergency drop, and before one that has not reached this isolate", async () => {
    const [before, after] = await ringsAcrossEpochs();
    const [old, young] = await Promise.all([makePasskeyChallenge(before, NOW), makePasskeyChallenge(after, NOW)]);
    expect(await readPasskeyChallenge(before, old, NOW)).toBeDefined();
    expect(await readPasskeyChallenge(after, old, NOW)).toBeUndefined();
    expect(await readPasskeyChallenge(before, young, NOW)).toBeUndefined();
  });

  it("in another service, and when its key is gone", async () => {
    expect(await readPasskeyChallenge(await newRing(), challenge, NOW)).toBeUndefined();
    expect(await readPasskeyChallenge({ ...ring, byId: () => () => undefined }, challenge, NOW)).toBeUndefined();
  });

  it("when another key of the ring authenticates the same bytes", async () => {
    const bytes = Buffer.from(challenge, "base64url").subarray(0, 25);
    const signedBy = async (purpose: DataKeyPurpose) => {
      const mac = await crypto.subtle.sign("HMAC", ring.active(purpose).key, bytes);
      return Buffer.concat([bytes, new Uint8Array(mac)]).toString("base64url");
    };
    expect(await signedBy("assertion")).toBe(challenge);
    for (const purpose of ["challenge", "refresh", "handle", "recovery", "digest", "pepper"] as const) {
      expect(await read(await signedBy(purpose))).toBeUndefined();
    }
  });

  it("whatever text it is, and never by an exception", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 76, maxLength: 76 }), async (text) => {
        expect(await read(text)).toBeUndefined();
      }),
    );
  });
});
