import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { DataKeyPurpose } from "../../../src/keys/key-purposes.ts";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { makeUserHandle, readUserHandle } from "../../../src/tokens/user-handle.ts";
import { bitFlipsOf, MISSPELLINGS } from "../support/byte-flips.ts";
import { respelt } from "../support/jwt-parts.ts";
import { newRing, ringsAcrossEpochs } from "../support/rings.ts";

const ACCOUNT = "01234567-89ab-4cde-8f01-23456789abcd";

let ring: KeyRing;
let handle: string;

beforeAll(async () => {
  ring = await newRing();
  handle = await makeUserHandle(ring, ACCOUNT);
});

describe("a user handle", () => {
  it("reads back as the account it was made for", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uuid(), async (accountId) => {
        expect(await readUserHandle(ring, await makeUserHandle(ring, accountId))).toBe(accountId);
      }),
      { numRuns: 50 },
    );
  });

  it("fits the 64 bytes of WebAuthn §5.4.3, and holds the account and a whole MAC", () => {
    const bytes = Buffer.from(handle, "base64url");
    expect(bytes.length).toBe(1 + 16 + 32);
    expect(bytes.length).toBeLessThanOrEqual(64);
    expect(bytes.subarray(0, 17).toString("hex")).toBe(`01${ACCOUNT.replaceAll("-", "")}`);
    expect(handle).toMatch(/^[A-Za-z0-9_-]{66}$/);
  });

  it("is the same each time, after an emergency drop too: authenticators keep it for years", async () => {
    const [before, after] = await ringsAcrossEpochs();
    const old = await makeUserHandle(before, ACCOUNT);
    expect(await makeUserHandle(before, ACCOUNT)).toBe(old);
    expect(await makeUserHandle(after, ACCOUNT)).toBe(old);
    expect(await readUserHandle(after, old)).toBe(ACCOUNT);
  });
});

describe("a user handle is refused", () => {
  it("with any single bit of any byte flipped: no other account is reached by changing one", async () => {
    const flips = bitFlipsOf(handle);
    expect(flips).toHaveLength(49 * 8);
    const accepted = await Promise.all(flips.map((text) => readUserHandle(ring, text)));
    expect(accepted.flatMap((taken, bit) => (taken ? [bit] : []))).toEqual([]);
  });

  it.each(MISSPELLINGS)("with %s", async (_, change) => {
    expect(change(handle)).not.toBe(handle);
    expect(await readUserHandle(ring, change(handle))).toBeUndefined();
  });

  it("with stray bits at its end, which decode to the same bytes", async () => {
    const other = respelt(handle);
    expect(Buffer.from(other, "base64url")).toEqual(Buffer.from(handle, "base64url"));
    expect(other).not.toBe(handle);
    expect(await readUserHandle(ring, other)).toBeUndefined();
  });

  it("in another service, and when its key is gone", async () => {
    expect(await readUserHandle(await newRing(), handle)).toBeUndefined();
    expect(await readUserHandle({ ...ring, byId: () => () => undefined }, handle)).toBeUndefined();
  });

  it("when another key of the ring authenticates the same bytes", async () => {
    const bytes = Buffer.from(handle, "base64url").subarray(0, 17);
    const signedBy = async (purpose: DataKeyPurpose) => {
      const mac = await crypto.subtle.sign("HMAC", ring.active(purpose).key, bytes);
      return Buffer.concat([bytes, new Uint8Array(mac)]).toString("base64url");
    };
    expect(await signedBy("handle")).toBe(handle);
    for (const purpose of ["assertion", "challenge", "refresh", "recovery", "digest", "pepper"] as const) {
      expect(await readUserHandle(ring, await signedBy(purpose))).toBeUndefined();
    }
  });

  it("when it is the bare account, as services without a MAC have it", async () => {
    const bare = Buffer.from(ACCOUNT.replaceAll("-", ""), "hex").toString("base64url");
    expect(await readUserHandle(ring, bare)).toBeUndefined();
    expect(await readUserHandle(ring, Buffer.from(ACCOUNT).toString("base64url"))).toBeUndefined();
  });

  it("whatever text it is, and never by an exception", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.string({ minLength: 66, maxLength: 66 })), async (text) => {
        expect(await readUserHandle(ring, text)).toBeUndefined();
      }),
    );
  });
});
