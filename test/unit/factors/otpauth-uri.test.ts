import fc from "fast-check";
import { Secret, TOTP, URI } from "otpauth";
import { describe, expect, it } from "vitest";
import { base32, newTotpSecret, otpauthUri } from "../../../src/factors/totp.ts";

describe("base32", () => {
  it("equals otpauth's for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const { buffer } = new Uint8Array(bytes);
        expect(base32(bytes)).toBe(new Secret({ buffer }).base32);
      }),
    );
  });

  // RFC 4648 §10, without the padding that authenticator apps choke on.
  it.each([
    ["", ""],
    ["f", "MY"],
    ["fo", "MZXQ"],
    ["foo", "MZXW6"],
    ["foob", "MZXW6YQ"],
    ["fooba", "MZXW6YTB"],
    ["foobar", "MZXW6YTBOI"],
  ])("of %j is %j", (text, encoded) => {
    expect(base32(new TextEncoder().encode(text))).toBe(encoded);
  });
});

describe("the otpauth URI", () => {
  const secret = base32(newTotpSecret());

  it("reads back in an authenticator as what went in", () => {
    const parsed = URI.parse(otpauthUri("Sallyport", "ada@example.com", secret));
    if (!(parsed instanceof TOTP)) throw new Error("not a TOTP URI");
    const { issuer, label, algorithm, digits, period } = parsed;
    const expected = { issuer: "Sallyport", label: "ada@example.com", algorithm: "SHA1", digits: 6, period: 30 };
    expect({ issuer, label, algorithm, digits, period }).toEqual(expected);
    expect(parsed.secret.base32).toBe(secret);
  });

  it.each([
    "a&secret=AAAA",
    "a?secret=AAAA",
    "a%26secret%3DAAAA",
    "%0A",
    "line\nbreak",
    'double"quote',
    "single'quote",
    "(brackets)!*",
    "a:b",
    "a/b/../c",
    "a#b",
    "<svg onload=x>",
    "Ада и 李",
    "\u202egnp.exe",
  ])("carries the name %j without letting it add or hide a parameter", (name) => {
    const asIssuer = otpauthUri(name, "ada@example.com", secret);
    const asAccount = otpauthUri("Sallyport", name, secret);
    for (const uri of [asIssuer, asAccount]) {
      const { protocol, hostname, searchParams, hash } = new URL(uri);
      expect({ protocol, hostname, hash }).toEqual({ protocol: "otpauth:", hostname: "totp", hash: "" });
      expect([...searchParams.keys()]).toEqual(["secret", "issuer", "algorithm", "digits", "period"]);
      expect(searchParams.getAll("secret")).toEqual([secret]);
      // Nothing but unreserved and delimiting characters, so that a QR reader has nothing to repair.
      expect(uri).toMatch(/^otpauth:\/\/totp\/[\w.~%-]*:[\w.~%-]*\?[\w.~%=&-]*$/);
    }
    expect(new URL(asIssuer).searchParams.get("issuer")).toBe(name);
    expect(labelOf(asIssuer)).toBe(`${name}:ada@example.com`);
    expect(labelOf(asAccount)).toBe(`Sallyport:${name}`);
  });

  it("has one colon of its own between issuer and account, whatever they hold", () => {
    expect(otpauthUri("a:b", "c:d", secret)).toContain("/a%3Ab:c%3Ad?");
  });
});

function labelOf(uri: string): string {
  return decodeURIComponent(new URL(uri).pathname.replace(/^\/+/, ""));
}
