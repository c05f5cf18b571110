import fc from "fast-check";
import { Secret } from "otpauth";
import { describe, expect, it } from "vitest";
import { base32, bytesOfBase32 } from "../../../src/factors/totp.ts";

const text = (encoded: string) => {
  const bytes = bytesOfBase32(encoded);
  return bytes && new TextDecoder().decode(bytes);
};

describe("base32", () => {
  // RFC 4648 §10.
  it.each([
    ["MY======", "f"],
    ["MZXQ====", "fo"],
    ["MZXW6===", "foo"],
    ["MZXW6YQ=", "foob"],
    ["MZXW6YTB", "fooba"],
    ["MZXW6YTBOI======", "foobar"],
  ])("%s is %j", (encoded, decoded) => {
    expect(text(encoded)).toBe(decoded);
    expect(text(encoded.replace(/=+/, ""))).toBe(decoded);
  });

  it.each(["mzxw6ytboi", "MZXW 6YTB OI", "mzxw-6ytb-oi", " MZXW6YTBOI "])(
    "is forgiven as people write it: %j",
    (encoded) => {
      expect(text(encoded)).toBe("foobar");
    },
  );

  it.each(["M", "MZ1", "MZ0", "MZXW8", "MZ=X", "MZXW6YTBO", "", "ſZXW6YTBOI", "MZXW6YTBOI\n", "МZXW6YTBOI"])(
    "is nothing else: %j",
    (encoded) => {
      expect(bytesOfBase32(encoded)).toBeUndefined();
    },
  );

  it("ignores bits beyond the last byte", () => {
    expect(text("MZXW6YTBOJ")).toBe("foobar");
    expect(text("MZ")).toBe("f");
  });

  it("comes back as it was, and as otpauth has it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
        expect(bytesOfBase32(base32(bytes))).toEqual(bytes);
        expect(bytesOfBase32(base32(bytes))).toEqual(Secret.fromBase32(base32(bytes)).bytes);
      }),
    );
  });
});
