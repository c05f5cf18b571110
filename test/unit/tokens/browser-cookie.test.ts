import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { seal } from "../../../src/keys/seal.ts";
import { DEVICE_COOKIE_ACCOUNTS } from "../../../src/policy.ts";
import {
  type BrowserEntry,
  entryFor,
  readBrowserCookie,
  sealBrowserCookie,
  withEntry,
} from "../../../src/tokens/browser-cookie.ts";
import { bitFlipsOf, MISSPELLINGS } from "../support/byte-flips.ts";
import { NOW, newRing, ringsAcrossEpochs } from "../support/rings.ts";

const DAY = 86_400_000;
const KINDS = ["recognised", "trusted"] as const;

const entry = (person: number, expiresAt = NOW + DAY, browserId: string = crypto.randomUUID()): BrowserEntry => ({
  emailDigest: String(person).padStart(32, "0"),
  browserId,
  expiresAt,
});

/** A full list, newest first. */
const FIVE = [5, 4, 3, 2, 1].map((person) => entry(person));

let ring: KeyRing;

beforeAll(async () => {
  ring = await newRing();
});

describe.each(KINDS)("the cookie of a %s browser", (kind) => {
  const read = (value: string, now = NOW) => readBrowserCookie(ring, kind, value, now);

  it("reads back as what was sealed, in its order", async () => {
    expect(await read(await sealBrowserCookie(ring, kind, FIVE))).toEqual(FIVE);
    expect(await read(await sealBrowserCookie(ring, kind, []))).toEqual([]);
  });

  it("needs no escaping and stays far below what a cookie holds", async () => {
    const full = FIVE.map((one) => ({ ...one, expiresAt: Number.MAX_SAFE_INTEGER }));
    const value = await sealBrowserCookie(ring, kind, full);
    expect(value).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(value.length).toBeLessThan(1500);
  });

  it("shows nobody whose it is", async () => {
    const bytes = Buffer.from(await sealBrowserCookie(ring, kind, FIVE), "base64url");
    for (const { emailDigest, browserId } of FIVE) {
      expect(bytes.includes(emailDigest)).toBe(false);
      expect(bytes.includes(browserId)).toBe(false);
    }
  });

  it("leaves out what has expired, to the millisecond, and keeps the rest", async () => {
    const value = await sealBrowserCookie(ring, kind, [entry(2, NOW + DAY, "b2"), entry(1, NOW, "b1")]);
    const idsAt = async (now: number) => (await read(value, now)).map(({ browserId }) => browserId);
    expect(await idsAt(NOW - 1)).toEqual(["b2", "b1"]);
    expect(await idsAt(NOW)).toEqual(["b2"]);
    expect(await idsAt(NOW + DAY)).toEqual([]);
  });

  it("outlives an emergency drop of other keys: what a browser may do is the account's to say", async () => {
    const [before, after] = await ringsAcrossEpochs();
    const value = await sealBrowserCookie(before, kind, FIVE);
    expect(await readBrowserCookie(after, kind, value, NOW)).toEqual(FIVE);
  });

  it("is not the other cookie, though one key seals both", async () => {
    const [other] = KINDS.filter((one) => one !== kind);
    const value = await sealBrowserCookie(ring, other ?? kind, FIVE);
    expect(await readBrowserCookie(ring, other ?? kind, value, NOW)).toEqual(FIVE);
    expect(await read(value)).toEqual([]);
  });

  it("says nothing when the same key sealed it for something else", async () => {
    const plaintext = new TextEncoder().encode(JSON.stringify(FIVE));
    for (const context of ["", kind, "browser-cookie:", "totp:account:factor", "link:register"]) {
      expect(await read(await seal(ring.active("seal"), plaintext, context))).toEqual([]);
    }
  });

  it("says nothing in another service, and when its key is gone", async () => {
    const value = await sealBrowserCookie(ring, kind, FIVE);
    expect(await readBrowserCookie(await newRing(), kind, value, NOW)).toEqual([]);
    expect(await readBrowserCookie({ ...ring, byId: () => () => undefined }, kind, value, NOW)).toEqual([]);
  });

  it("says nothing with any single bit of any byte flipped", async () => {
    const flips = bitFlipsOf(await sealBrowserCookie(ring, kind, [entry(1)]));
    const accepted = await Promise.all(flips.map((value) => read(value)));
    expect(accepted.flatMap(({ length }, bit) => (length > 0 ? [bit] : []))).toEqual([]);
  });

  it.each(MISSPELLINGS)("says nothing with %s", async (_, change) => {
    const value = await sealBrowserCookie(ring, kind, FIVE);
    expect(await read(change(value))).toEqual([]);
  });

  it("says nothing when it is longer than any cookie, though we sealed it", async () => {
    const many = Array.from({ length: 40 }, (_, person) => entry(person));
    expect(await read(await sealBrowserCookie(ring, kind, many))).toEqual([]);
  });
});

describe("the list in a cookie", () => {
  it("has the newest first, and each address once", () => {
    const renewed = entry(3);
    expect(withEntry(FIVE, renewed)).toEqual([renewed, ...FIVE.filter((one) => one !== FIVE[2])]);
    expect(withEntry([], renewed)).toEqual([renewed]);
  });

  it("loses the oldest one when a sixth comes", () => {
    const sixth = entry(6);
    expect(withEntry(FIVE, sixth)).toEqual([sixth, ...FIVE.slice(0, 4)]);
  });

  it("keeps these laws for any entries in any order", () => {
    const people = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 30 });
    fc.assert(
      fc.property(people, (arrivals) => {
        const list = arrivals.reduce<BrowserEntry[]>((entries, person) => withEntry(entries, entry(person)), []);
        const newestFirst = [...new Set(arrivals.toReversed())].map((person) => entry(person).emailDigest);
        expect(list.map(({ emailDigest }) => emailDigest)).toEqual(newestFirst.slice(0, DEVICE_COOKIE_ACCOUNTS));
      }),
    );
  });

  it("is left as it was", () => {
    const before = structuredClone(FIVE);
    withEntry(FIVE, entry(6));
    expect(FIVE).toEqual(before);
  });

  it("is searched by the digest of the address", () => {
    expect(entryFor(FIVE, entry(2).emailDigest)).toBe(FIVE[3]);
    expect(entryFor(FIVE, entry(9).emailDigest)).toBeUndefined();
    expect(entryFor([], entry(2).emailDigest)).toBeUndefined();
  });
});
