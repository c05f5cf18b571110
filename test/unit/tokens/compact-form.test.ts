import { describe, expect, it } from "vitest";
import { verifyChallengeToken } from "../../../src/tokens/challenge-token.ts";
import { isCompactJws } from "../../../src/tokens/compact-form.ts";
import { NOW, newRing } from "../support/rings.ts";
import { quickest } from "../support/timing.ts";
import { readVectors } from "../support/vectors.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const HEADER_AND_CLAIMS = "eyJhbGciOiJIUzI1NiJ9.e30";
/** A signature in its only canonical spelling. */
const ZEROS = "A".repeat(43);

describe("the form of a compact JWS with HS256", () => {
  const good = `${HEADER_AND_CLAIMS}.${ZEROS}`;

  it("is three parts of base64url, the last as long as the signature", () => {
    expect(isCompactJws(good)).toBe(true);
    expect(isCompactJws(`${HEADER_AND_CLAIMS}.${"A".repeat(86)}`)).toBe(false);
  });

  it.each([
    ["nothing", ""],
    ["two parts", HEADER_AND_CLAIMS],
    ["four parts", `${good}.AAAA`],
    ["five parts, as encrypted tokens have", `${good}.AAAA.AAAA`],
    ["an empty first part", `.e30.${ZEROS}`],
    ["an empty second part", `eyJ.${ZEROS.replace("A", ".")}`],
    ["an empty signature", `${HEADER_AND_CLAIMS}.`],
    ["padding at its end", `${good}=`],
    ["padding inside", good.replace(".", "==.")],
    ["a space in its header", good.replace(".", "    .")],
    ["a space in its claims", good.replace("e30", " e30")],
    ["a space in its signature", good.replace(".AA", ". AA")],
    ["a line break at its end", `${good}\n`],
    ["a line break in front", `\n${good}`],
    ["letters of plain base64", good.replace("e30", "e+/")],
    ["a NUL", good.replace("e30", "e\u00000")],
    ["a letter that looks like another", good.replace("e30", "е30")],
    ["one character too many", `${good}A`],
    ["one character too few", good.slice(0, -1)],
  ])("has not %s", (_, text) => {
    expect(isCompactJws(text)).toBe(false);
  });

  it("has one spelling of the last character for each that the bytes can end in", () => {
    const taken = [...ALPHABET].filter((last) => isCompactJws(good.slice(0, -1) + last));
    const decoded = taken.map((last) => Buffer.from(ZEROS.slice(0, -1) + last, "base64url").toString("hex"));
    expect(new Set(decoded).size).toBe(taken.length);
    expect(taken.join("")).toBe("AEIMQUYcgkosw048");
  });

  it("is at most 4 KiB, decided before anything is looked at", () => {
    const padded = (length: number) => `${"e".repeat(length - good.length)}${good}`;
    expect(isCompactJws(padded(4096))).toBe(true);
    expect(isCompactJws(padded(4097))).toBe(false);
    const huge = "a.".repeat(3_000_000);
    expect(isCompactJws(huge)).toBe(false);
    expect(quickest(() => isCompactJws(huge))).toBeLessThan(20);
  });
});

describe("lenient base64 (Wycheproof, json_web_signature_test.json)", () => {
  const file = readVectors<Wycheproof>("json_web_signature_test.json");
  const vectors = file?.testGroups.filter(({ comment }) => comment === "base64") ?? [];
  const jwsOf = (id: number) => vectors.flatMap(({ tests }) => tests).find(({ tcId }) => tcId === id)?.jws ?? "";

  if (!file) {
    it.skip("NOT RUN: the file json_web_signature_test.json is not beside this checkout", () => {});
    return;
  }

  it.each([360, 365, 368])("case %i, which jose takes, does not have the form", (id) => {
    expect(jwsOf(id)).toContain(" ");
    expect(isCompactJws(jwsOf(id))).toBe(false);
    // It is the space and nothing else: without it the text has the form.
    expect(isCompactJws(jwsOf(id).replaceAll(" ", ""))).toBe(true);
  });

  it("cases 367 and 370 have lost what was wrong with them: they are case 357, which is valid, letter for letter", () => {
    expect(jwsOf(357)).not.toBe("");
    expect([jwsOf(367), jwsOf(370)]).toEqual([jwsOf(357), jwsOf(357)]);
    // What they were about, padding, does not have the form.
    expect(isCompactJws(jwsOf(367).replace(".VGVzdA.", ".VGVzdA==."))).toBe(false);
  });

  it.each([360, 365, 367, 368, 370, 375])("case %i is refused under its own key", async (id) => {
    const { k } = vectors.find(({ tests }) => tests.some(({ tcId }) => tcId === id))?.private ?? {};
    const key = await crypto.subtle.importKey(
      "raw",
      Buffer.from(k ?? "", "base64url"),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign", "verify"],
    );
    // A ring that takes any key id for this key: what refuses is neither the name of the key nor its value.
    const ring = { ...(await newRing()), byId: () => () => ({ id: 1, key }) };
    expect(jwsOf(id)).not.toBe("");
    expect(await verifyChallengeToken(ring, "https://auth.example.com", jwsOf(id), NOW)).toBeUndefined();
  });
});

interface Wycheproof {
  testGroups: { comment: string; private?: { k?: string }; tests: { tcId: number; jws: string }[] }[];
}
