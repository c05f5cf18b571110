import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatPhc, parsePhc } from "../../../src/passwords/phc.ts";
import { ARGON2ID } from "../../../src/policy.ts";

const STORED = {
  parameters: ARGON2ID,
  pepperId: 1,
  salt: Uint8Array.from({ length: 16 }, (_, index) => 255 - index),
  tag: Uint8Array.from({ length: 32 }, (_, index) => index * 8),
};

const PHC = formatPhc(STORED);

describe("a stored hash", () => {
  it("is a PHC string in plain base64 that names cost and pepper", () => {
    expect(PHC).toBe(
      "$argon2id$v=19$m=19456,t=2,p=1,keyid=AQ$//79/Pv6+fj39vX08/Lx8A$AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pg",
    );
  });

  it("reads back as what was written, for any values", () => {
    const bytes = (minLength: number) => fc.uint8Array({ minLength, maxLength: 64 });
    const stored = fc.record({
      parameters: fc.record({
        memory: fc.integer({ min: 8, max: 9_999_999 }),
        passes: fc.integer({ min: 1, max: 999 }),
        lanes: fc.integer({ min: 1, max: 99 }),
      }),
      pepperId: fc.integer({ min: 0, max: 255 }),
      salt: bytes(8),
      tag: bytes(4),
    });
    fc.assert(
      fc.property(stored, (value) => {
        const read = parsePhc(formatPhc(value));
        expect(read && { ...read, salt: [...read.salt], tag: [...read.tag] }).toEqual({
          ...value,
          salt: [...value.salt],
          tag: [...value.tag],
        });
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["another algorithm", PHC.replace("argon2id", "argon2i")],
    ["another version", PHC.replace("v=19", "v=16")],
    ["no version", PHC.replace("v=19$", "")],
    ["no pepper", PHC.replace(",keyid=AQ", "")],
    ["an empty pepper", PHC.replace("keyid=AQ", "keyid=")],
    ["parameters in another order", PHC.replace("m=19456,t=2", "t=2,m=19456")],
    ["a negative cost", PHC.replace("t=2", "t=-2")],
    ["a fractional cost", PHC.replace("t=2", "t=2.5")],
    ["a cost in hex", PHC.replace("t=2", "t=0x2")],
    ["a cost of eight digits", PHC.replace("m=19456", "m=19456000")],
    ["padding", `${PHC}=`],
    ["base64url", PHC.replaceAll("/", "_").replaceAll("+", "-")],
    ["no tag", PHC.slice(0, PHC.lastIndexOf("$"))],
    ["an empty tag", PHC.slice(0, PHC.lastIndexOf("$") + 1)],
    ["no salt", PHC.replace(/\$[^$]+(\$[^$]+)$/, "$1")],
    ["one more part", `${PHC}$AAAA`],
    ["a line break at the end", `${PHC}\n`],
    ["a space in front", ` ${PHC}`],
    ["two of them", PHC + PHC],
  ])("is not read with %s", (_, text) => {
    expect(parsePhc(text)).toBeUndefined();
  });

  // The rule of the module: whatever formatPhc did not write is not read, and nothing throws.
  it.each([
    ["a salt that is no whole number of bytes", PHC.replace(/\$[^$]+(\$[^$]+)$/, "$AAAAA$1")],
    ["a tag that is no whole number of bytes", PHC.replace(/[^$]+$/, "AAAAA")],
    ["a pepper that is no whole number of bytes", PHC.replace("keyid=AQ", "keyid=A")],
    ["a pepper of two bytes", PHC.replace("keyid=AQ", "keyid=AQI")],
    ["stray bits behind the pepper", PHC.replace("keyid=AQ", "keyid=AR")],
    ["stray bits behind the tag", `${PHC.slice(0, -1)}h`],
    ["leading zeros in a cost", PHC.replace("m=19456", "m=019456")],
  ])("is not read with %s, so that every hash has one spelling", (_, text) => {
    expect(parsePhc(text)).toBeUndefined();
  });
});
