import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { makeRefreshToken, type RefreshTokenParts, readRefreshToken } from "../../../src/tokens/refresh-token.ts";
import { newRing, ringsAcrossEpochs } from "../support/rings.ts";

const PARTS: RefreshTokenParts = {
  accountId: "01234567-89ab-4cde-8f01-23456789abcd",
  sessionId: "fedcba98-7654-4321-8fed-cba987654321",
  generation: 7,
  secret: Uint8Array.from({ length: 16 }, (_, index) => index * 16),
};

let ring: KeyRing;
let token: string;

beforeAll(async () => {
  ring = await newRing();
  token = await makeRefreshToken(ring, PARTS);
});

describe("a refresh token", () => {
  it("reads back as what went in, for any values", async () => {
    const parts = fc.record({
      accountId: fc.uuid(),
      sessionId: fc.uuid(),
      generation: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      secret: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => new Uint8Array(bytes)),
    });
    await fc.assert(
      fc.asyncProperty(parts, async (value) => {
        expect(await readRefreshToken(ring, await makeRefreshToken(ring, value))).toEqual(value);
      }),
      { numRuns: 50 },
    );
  });

  it("is 90 bytes in the order of the design, a multiple of three, so that base64url has one spelling", () => {
    const bytes = bytesOf(token);
    expect(token).toMatch(/^rt_[A-Za-z0-9_-]{120}$/);
    expect(bytes.length).toBe(90);
    const fields = [1, 1, 4, 16, 16, 4, 16, 32].map(
      ((at) => (length: number) => {
        at += length;
        return bytes.subarray(at - length, at).toString("hex");
      })(0),
    );
    expect(fields.slice(0, 7)).toEqual([
      "01",
      "01",
      "00000001",
      PARTS.accountId.replaceAll("-", ""),
      PARTS.sessionId.replaceAll("-", ""),
      "00000007",
      "000102030405060708090a0b0c0d0e0f".replace(/(.)(.)/g, "$2$1"),
    ]);
    expect(fields[7]).toHaveLength(64);
  });

  it("of another generation is another token of the same session", async () => {
    const next = await makeRefreshToken(ring, { ...PARTS, generation: 8 });
    expect(next).not.toBe(token);
    expect(await readRefreshToken(ring, next)).toEqual({ ...PARTS, generation: 8 });
  });
});

describe("a refresh token is refused", () => {
  it("with any single bit of any byte flipped", async () => {
    const accepted: number[] = [];
    for (let bit = 0; bit < 90 * 8; bit += 1) {
      const changed = Buffer.from(bytesOf(token));
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (await readRefreshToken(ring, `rt_${changed.toString("base64url")}`)) accepted.push(bit);
    }
    expect(accepted).toEqual([]);
  });

  it("after an emergency drop, and before one that has not reached this isolate", async () => {
    const [before, after] = await ringsAcrossEpochs();
    const [old, young] = await Promise.all([before, after].map((at) => makeRefreshToken(at, PARTS)));
    expect(await readRefreshToken(before, old ?? "")).toEqual(PARTS);
    expect(await readRefreshToken(after, old ?? "")).toBeUndefined();
    expect(await readRefreshToken(before, young ?? "")).toEqual({ laterEpoch: PARTS });
  });

  it.each([0, 2, 255])("with version %i, though its key is ours", async (version) => {
    const { key } = ring.active("refresh");
    const signed = new Uint8Array(bytesOf(token).subarray(0, 58));
    const resigned = async (first: number) => {
      signed[0] = first;
      const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, signed));
      return `rt_${Buffer.concat([signed, mac]).toString("base64url")}`;
    };
    expect(await resigned(1)).toBe(token);
    expect(await readRefreshToken(ring, await resigned(version))).toBeUndefined();
  });

  it("in another service, and when its key is gone", async () => {
    expect(await readRefreshToken(await newRing(), token)).toBeUndefined();
    const without = { ...ring, byId: () => () => undefined };
    expect(await readRefreshToken(without, token)).toBeUndefined();
  });

  it.each([
    ["padding", (text: string) => `${text}=`],
    ["a line break", (text: string) => `${text}\n`],
    ["a space in front", (text: string) => ` ${text}`],
    ["a space inside", (text: string) => `${text.slice(0, 50)} ${text.slice(50)}`],
    ["a space in place of a character", (text: string) => `${text.slice(0, 50)} ${text.slice(51)}`],
    [
      "plain base64",
      (text: string) =>
        `rt_${bytesOf(text)
          .toString("base64")
          .replace(/[A-Za-z0-9]$/, "+")}`,
    ],
    ["another prefix", (text: string) => text.replace("rt_", "at_")],
    ["a prefix in capitals", (text: string) => text.replace("rt_", "RT_")],
    ["no prefix", (text: string) => text.slice(3)],
    ["three bytes less", (text: string) => text.slice(0, -4)],
    ["three bytes more", (text: string) => `${text}AAAA`],
    ["nothing else", () => "rt_"],
    ["nothing at all", () => ""],
    ["its letters in other cases", (text: string) => `rt_${text.slice(3).toLowerCase()}`],
    ["a megabyte behind it", (text: string) => text + "A".repeat(1_000_000)],
  ])("with %s", async (_, change) => {
    expect(change(token)).not.toBe(token);
    expect(await readRefreshToken(ring, change(token))).toBeUndefined();
  });

  it("whatever text it is, and never by an exception", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 120, maxLength: 120 }), async (text) => {
        expect(await readRefreshToken(ring, `rt_${text}`)).toBeUndefined();
      }),
    );
  });
});

function bytesOf(text: string): Buffer {
  return Buffer.from(text.slice(3), "base64url");
}
