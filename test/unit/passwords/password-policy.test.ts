import { describe, expect, it } from "vitest";
import {
  contextWords,
  normalizePassword,
  type PasswordRules,
  weaknessOf,
} from "../../../src/passwords/password-policy.ts";
import { PASSWORD_MAX, PASSWORD_MAX_BYTES, PASSWORD_MIN } from "../../../src/policy.ts";
import { quickest } from "../support/timing.ts";

const RULES: PasswordRules = { min: PASSWORD_MIN.standard, contextWords: [], isListed: () => false };

describe("the length of a password", () => {
  it("has the floors of the two profiles and a ceiling above what SP 800-63B-4 asks to permit", () => {
    expect(PASSWORD_MIN).toEqual({ standard: 12, nist: 15 });
    expect(PASSWORD_MAX).toBe(128);
  });

  it.each([
    ["ASCII", "!"],
    ["Cyrillic", "а"],
    ["CJK", "語"],
    ["emoji outside the basic plane", "🦀"],
  ])("is counted in code points: %s", (_, first) => {
    for (const min of Object.values(PASSWORD_MIN)) {
      expect(weaknessOf(sequence(first, min - 1), { ...RULES, min })).toBe("too_short");
      expect(weaknessOf(sequence(first, min), { ...RULES, min })).toBeUndefined();
    }
    expect(normalizePassword(sequence(first, PASSWORD_MAX))).toBe(sequence(first, PASSWORD_MAX));
    expect(normalizePassword(sequence(first, PASSWORD_MAX + 1))).toBe("too_long");
  });

  it("counts the joined parts of one emoji each", () => {
    // Four people and three joiners: seven code points that look like one character.
    const family = "👩‍👩‍👧‍👦";
    expect(weaknessOf(`${family}утка1`, { ...RULES, min: 12 })).toBeUndefined();
    expect(weaknessOf(`${family}утка1`, { ...RULES, min: 13 })).toBe("too_short");
  });

  it("is counted after normalising, in both directions", () => {
    // One ligature becomes eighteen letters; a letter and its accent become one.
    expect(weaknessOf(normalized("\ufdfa"), RULES)).toBeUndefined();
    const accented = "e\u0301u\u0308 o\u0308a\u0301 i\u0308E\u0301 O\u0308";
    expect(weaknessOf(normalized(`${accented}x`), RULES)).toBe("too_short");
    expect(weaknessOf(normalized(`${accented}xy`), RULES)).toBeUndefined();
    expect(normalizePassword("\ufdfa".repeat(8))).toBe("too_long");
  });

  it("is at most 1024 bytes before anything is normalised", () => {
    const accents = `e${"\u0301".repeat((PASSWORD_MAX_BYTES - 2) / 2)}`;
    expect(normalizePassword(`${accents}x`)).toBe("too_long");
    expect(normalizePassword(`${accents}xy`)).toBe("too_long");
    expect(normalizePassword("🦆".repeat(128))).toBe("🦆".repeat(128));
  });

  it.each([
    ["letters", "a".repeat(1_000_000)],
    ["combining marks", "\u0301".repeat(500_000)],
    ["ligatures", "\ufdfa".repeat(333_333)],
    ["lone surrogates at the end", `${"a".repeat(1_000_000)}\ud800`],
  ])("is judged fast for a megabyte of %s", (_, typed) => {
    expect(["too_long", "ill_formed"]).toContain(normalizePassword(typed));
    expect(quickest(() => normalizePassword(typed))).toBeLessThan(50);
  });
});

describe("normalising", () => {
  it("makes two keyboards agree", () => {
    const composed = "déjà vu déjà vu";
    expect(normalizePassword(composed.normalize("NFD"))).toBe(normalizePassword(composed.normalize("NFC")));
    expect(normalizePassword("ｐａｓｓｗｏｒｄ")).toBe("password");
  });

  it.each([
    ["case", "Correct Horse Battery", "correct horse battery"],
    ["a space at the end", "correct horse battery ", "correct horse battery"],
    ["a space in front", " correct horse battery", "correct horse battery"],
    ["two spaces", "correct  horse battery", "correct horse battery"],
    ["a NUL", "correct horse\u0000battery", "correct horsebattery"],
    ["a zero-width joiner", "correct\u200dhorse", "correcthorse"],
    ["a dotless i", "ıııııııııııı", "iiiiiiiiiiii"],
  ])("leaves %s significant", (_, one, other) => {
    expect(normalizePassword(one)).not.toBe(normalizePassword(other));
    expect(normalizePassword(one)).toBe(one);
  });

  it("changes nothing the second time", () => {
    for (const typed of ["\ufdfa", "ﬁﬂ", "e\u0301", "Å", "👩‍👩‍👧‍👦", "①②③"]) {
      expect(normalizePassword(normalized(typed))).toBe(normalized(typed));
    }
  });

  it.each(["\ud800", "abc\udfff", "\ude00\ud83d", "x".repeat(12).concat("\ud83d")])(
    "refuses ill-formed text %j",
    (typed) => {
      expect(normalizePassword(typed)).toBe("ill_formed");
    },
  );
});

describe("what a password may be", () => {
  it.each([
    "aaaaaaaaaaaaaaaa",
    "1234567890123456789",
    "               a",
    "только кириллица",
    "nouppercasenodigits",
    "🦆🌊🦆🌊🦆🌊🦆🌊🦆🌊🦆🌊",
  ])("has no composition rules: %j is fine when it is not on the list", (password) => {
    expect(weaknessOf(password, RULES)).toBeUndefined();
  });

  it("is refused when it stands on the list, after its length", () => {
    const isListed = (password: string) => password.startsWith("letmein");
    expect(weaknessOf("letmeinletmein", { ...RULES, isListed })).toBe("too_common");
    expect(weaknessOf("letmein", { ...RULES, isListed })).toBe("too_short");
  });
});

describe("the words an attacker tries first", () => {
  const words = contextWords("Acme Login", "ada.lovelace@mathematics.example");
  const rules = { ...RULES, contextWords: words };

  it("are the address, its parts, the application and the product", () => {
    const expected = ["ada.lovelace@mathematics.example", "mathematics.example", "ada.lovelace", "mathematics"];
    expect(words).toEqual([...expected, "acme login", "sallyport"]);
  });

  it.each([
    "ada.lovelace@mathematics.example",
    "ADA.LOVELACE@MATHEMATICS.EXAMPLE",
    "ada.lovelace2026",
    "mathematics.example!",
    "xMathematicsx1",
    "Acme Login 2026",
    "sallyportsallyport",
    "sallyport123",
  ])("do not make a password: %s", (password) => {
    expect(weaknessOf(password, rules)).toBe("contains_context");
  });

  it.each(["sallyport and a duck", "ada.lovelace eats pears", "correct horse battery"])(
    "may be part of one that has enough besides: %s",
    (password) => {
      expect(weaknessOf(password, rules)).toBeUndefined();
    },
  );

  it("need eight more code points, not seven", () => {
    expect(weaknessOf("sallyport1234567", rules)).toBe("contains_context");
    expect(weaknessOf("sallyport12345678", rules)).toBeUndefined();
  });

  it("do not count when they are too short to mean anything", () => {
    expect(contextWords("It", "a@io.example")).toEqual(["a@io.example", "io.example", "sallyport"]);
  });
});

/** So many code points from this one on, so that nothing in it repeats. ASCII starts over at its end. */
function sequence(first: string, length: number): string {
  const start = first.codePointAt(0) ?? 0;
  const at = (index: number) => (start < 0x80 ? 0x21 + (index % 93) : start + index);
  return Array.from({ length }, (_, index) => String.fromCodePoint(at(index))).join("");
}

function normalized(typed: string): string {
  return normalizePassword(typed);
}
