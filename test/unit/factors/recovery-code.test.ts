import { createHmac } from "node:crypto";
import fc from "fast-check";
import { base64url } from "jose";
import { describe, expect, it, vi } from "vitest";
import { digestRecoveryCode, newRecoveryCodes, normalizeRecoveryCode } from "../../../src/factors/recovery-code.ts";
import { openKeyRing } from "../../../src/keys/key-ring.ts";
import { createKeyRingRecord } from "../../../src/keys/new-keys.ts";
import { NOW } from "../support/rings.ts";
import { quickest } from "../support/timing.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SHOWN = /^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/;
const SEPARATORS = [..." \t\u00A0-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"];

describe("new recovery codes", () => {
  it("are ten, in six groups of four of Crockford's alphabet", () => {
    const codes = newRecoveryCodes();
    expect(codes).toHaveLength(10);
    for (const code of codes) expect(code).toMatch(SHOWN);
  });

  it("are other ones each time, every character of them", () => {
    const codes = Array.from({ length: 50 }, newRecoveryCodes).flat();
    expect(new Set(codes).size).toBe(500);
    for (const at of [0, 1, 2, 3, 27, 28].map((index) => codes.map((code) => code[index]))) {
      // 500 draws leave one of 32 characters out with odds of 4 in a million: a few are allowed to be missing.
      expect(new Set(at).size).toBeGreaterThan(28);
    }
  });

  it("are what the random bytes say, five bits a character, none of them lost", () => {
    const bytes = Array.from({ length: 15 }, (_, index) => (index * 37 + 11) & 0xff);
    const random = vi.spyOn(crypto, "getRandomValues").mockImplementation((array) => {
      (array as unknown as Uint8Array).set(bytes);
      return array;
    });
    const [code = ""] = newRecoveryCodes();
    random.mockRestore();
    const value = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
    const digits = [...code.replaceAll("-", "")].map((symbol) => BigInt(ALPHABET.indexOf(symbol)));
    expect(digits.reduce((sum, digit) => sum * 32n + digit, 0n)).toBe(value);
  });
});

describe("a typed recovery code", () => {
  const CODE = "0123456789ABCDEFGHJKMNPQ";

  it.each([
    ["as it is shown", "0123-4567-89AB-CDEF-GHJK-MNPQ"],
    ["without hyphens", CODE],
    ["in lower case", "0123-4567-89ab-cdef-ghjk-mnpq"],
    ["with spaces and a tab", " 0123 4567 89AB\tCDEF GHJK MNPQ "],
    ["with no-break spaces, as pages have them", "0123\u00A04567\u00A089AB\u00A0CDEF\u00A0GHJK\u00A0MNPQ"],
    ["with dashes, as word processors have them", "0123\u20134567\u201489AB\u2011CDEF\u2212GHJK\u2015MNPQ"],
    ["with the letter O for zero, and I or L for one", "OI23-4567-89AB-CDEF-GHJK-MNPQ"],
    ["with small ones of them", "ol23-4567-89AB-CDEF-GHJK-MNPQ"],
    ["with hyphens in odd places", "--01-2345678-9ABCDEFGHJKMNPQ--"],
  ])("is understood %s", (_, typed) => {
    expect(normalizeRecoveryCode(typed)).toBe(CODE);
  });

  it.each([
    ["nothing", ""],
    ["separators alone", " -".repeat(20)],
    ["23 characters", CODE.slice(1)],
    ["25 characters", `${CODE}0`],
    ["the letter U, which is not in the alphabet", `${CODE.slice(1)}U`],
    ["a small u", `${CODE.slice(1)}u`],
    ["a line break behind it", `${CODE}\n`],
    ["a line break inside", `${CODE.slice(0, 12)}\n${CODE.slice(12)}`],
    ["an underscore", `${CODE.slice(0, 12)}_${CODE.slice(12)}`],
    ["a full stop", `${CODE}.`],
    ["an invisible character", `${CODE}\u200B`],
    ["a byte order mark", `\uFEFF${CODE}`],
    ["another kind of space", `${CODE.slice(0, 12)}\u2003${CODE.slice(12)}`],
    ["a figure that is not ASCII", `${CODE.slice(1)}\u0660`],
    ["full-width letters", `${CODE.slice(1)}\uFF21`],
    ["a dotless i, whose capital is I", `${CODE.slice(1)}\u0131`],
    ["a long s, whose capital is S", `${CODE.slice(1)}\u017F`],
    ["a sharp s, whose capital is two letters", `${CODE.slice(2)}\u00DF`],
    ["a Kelvin sign, whose small letter is k", `${CODE.slice(1)}\u212A`],
    ["a Cyrillic letter that looks like A", `${CODE.slice(1)}\u0410`],
    ["a six-digit code", "123456"],
  ])("is not taken with %s", (_, typed) => {
    expect(normalizeRecoveryCode(typed)).toBeUndefined();
  });

  it("is at most 256 characters, decided before anything is looked at", () => {
    expect(normalizeRecoveryCode(CODE + "-".repeat(256 - CODE.length))).toBe(CODE);
    expect(normalizeRecoveryCode(CODE + "-".repeat(257 - CODE.length))).toBeUndefined();
    const huge = "-".repeat(20_000_000);
    expect(quickest(() => normalizeRecoveryCode(huge))).toBeLessThan(10);
  });

  const characters = fc.nat(0xffff).map((unit) => String.fromCharCode(unit));
  // Every way to write a code that is forgiven: any case, O, I and L for their figures, separators anywhere.
  const symbols = fc.array(fc.constantFrom(...ALPHABET), { minLength: 24, maxLength: 24 });
  const gap = fc.array(fc.constantFrom(...SEPARATORS), { maxLength: 3 }).map((separators) => separators.join(""));
  const spellings = (symbol: string) => {
    const forgiven = symbol === "0" ? "0Oo" : symbol === "1" ? "1IiLl" : symbol + symbol.toLowerCase();
    return fc.tuple(gap, fc.constantFrom(...forgiven)).map((parts) => parts.join(""));
  };
  const typedCodes = symbols.chain((code) =>
    fc.record({
      code: fc.constant(code.join("")),
      typed: fc.tuple(...code.map(spellings), gap).map((parts) => parts.join("")),
    }),
  );

  it("is itself in any forgiven spelling, and normalising twice changes nothing", () => {
    fc.assert(
      fc.property(typedCodes, ({ code, typed }) => {
        expect(normalizeRecoveryCode(typed)).toBe(code);
        expect(normalizeRecoveryCode(code)).toBe(code);
      }),
      { numRuns: 500 },
    );
  });

  it("is not taken with any character put into it that is not forgiven", () => {
    const stranger = characters.filter((character) => !SEPARATORS.includes(character));
    fc.assert(
      fc.property(typedCodes, stranger, fc.nat(), ({ typed }, foreign, place) => {
        const at = place % (typed.length + 1);
        expect(normalizeRecoveryCode(typed.slice(0, at) + foreign + typed.slice(at))).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it("is 24 of the alphabet or nothing, whatever text it is", () => {
    const near = fc.string({
      unit: fc.constantFrom(...ALPHABET, ..."OILUoilu", ...SEPARATORS, "ı", "ſ", "\n"),
      minLength: 20,
      maxLength: 40,
    });
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: characters }), near), (text) => {
        const kept = [...text].filter((character) => !SEPARATORS.includes(character)).join("");
        const isCode = /^[0-9A-TV-Za-tv-z]{24}$/.test(kept) && !kept.includes("\n");
        const normalized = normalizeRecoveryCode(text);
        expect(normalized !== undefined).toBe(isCode);
        if (normalized !== undefined) expect([...normalized].every((symbol) => ALPHABET.includes(symbol))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("is every code of a new set", () => {
    for (const code of newRecoveryCodes()) expect(normalizeRecoveryCode(code)).toBe(code.replaceAll("-", ""));
  });
});

describe("what is kept of a recovery code", () => {
  const [ada, bob] = ["1d9a2f0e-0000-4000-8000-000000000001", "1d9a2f0e-0000-4000-8000-000000000002"];
  const [code, other] = ["0123456789ABCDEFGHJKMNPQ", "0123456789ABCDEFGHJKMNPR"];

  async function newKey() {
    const record = await createKeyRingRecord(NOW);
    const secret = record.data.find(({ purpose }) => purpose === "recovery")?.secret ?? "";
    return { key: (await openKeyRing(record, NOW)).active("recovery"), secret: base64url.decode(secret) };
  }

  it("is an HMAC over a label, the account and the code, and nothing of the code", async () => {
    const { key, secret } = await newKey();
    const digest = await digestRecoveryCode(key, ada, code);
    expect(digest).toBe(createHmac("sha256", secret).update(`recovery-code:${ada}:${code}`).digest("hex"));
    expect(digest).not.toContain(code.slice(0, 6).toLowerCase());
  });

  it("is another value for another code, another account and another key", async () => {
    const [{ key }, { key: next }] = await Promise.all([newKey(), newKey()]);
    const digests = await Promise.all([
      digestRecoveryCode(key, ada, code),
      digestRecoveryCode(key, ada, other),
      digestRecoveryCode(key, bob, code),
      digestRecoveryCode(next, ada, code),
    ]);
    expect(new Set(digests).size).toBe(4);
    expect(await digestRecoveryCode(key, ada, code)).toBe(digests[0]);
  });
});
