import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRootSecrets } from "../../../src/keys/root-secret.ts";

const fine = () => randomBytes(32).toString("base64url");
const encoded = (bytes: Iterable<number>) => Buffer.from([...bytes]).toString("base64url");

describe("a root secret", () => {
  it("is 32 random bytes as base64url", () => {
    const text = fine();
    expect(parseRootSecrets(text)).toEqual([new Uint8Array(Buffer.from(text, "base64url"))]);
    expect(parseRootSecrets(randomBytes(64).toString("base64url"))).toHaveLength(1);
  });

  it("may be a list while it rotates, the first one first", () => {
    const [first, second] = [fine(), fine()];
    const both = [first, second].map((text) => new Uint8Array(Buffer.from(text, "base64url")));
    expect(parseRootSecrets(`${first},${second}`)).toEqual(both);
    expect(parseRootSecrets(` ${first} , ${second}\n`)).toEqual(both);
  });

  it("is taken whenever it was drawn at random", () => {
    fc.assert(
      fc.property(fc.constant(undefined), () => {
        expect(parseRootSecrets(fine())).toHaveLength(1);
      }),
      { numRuns: 500 },
    );
  });
});

describe("a root secret is refused", () => {
  it.each([undefined, null, "", "   ", 42, {}, ["x"]])("when it is missing: %j", (value) => {
    expect(parseRootSecrets(value)).toMatch(/^ROOT_SECRET is missing/);
  });

  it.each([
    ["16 bytes", randomBytes(16).toString("base64url"), /has 16 bytes and is too short/],
    ["31 bytes", randomBytes(31).toString("base64url"), /has 31 bytes and is too short/],
    ["plain base64 with padding", `${fine()}=`, /is not base64url/],
    ["plain base64 with other letters", `${fine().slice(0, 40)}+/A`, /is not base64url/],
    ["a space inside", `${fine().slice(0, 20)} ${fine().slice(0, 22)}`, /is not base64url/],
    ["a length that no bytes have", "A".repeat(45), /is not base64url/],
    ["zeros", encoded(new Uint8Array(32)), /repeats itself/],
    ["one byte over and over", encoded(new Uint8Array(32).fill(0xa7)), /repeats itself/],
    ["eight bytes four times", encoded(Buffer.concat(Array(4).fill(randomBytes(8)))), /repeats itself/],
    ["the 16 hex digits of a short number", encoded(Buffer.from("0123456789abcdef".repeat(2))), /is text/],
    ["a sentence", encoded(Buffer.from("Quick brown foxes jump over 13 lazy dogs")), /is text/],
    ["the placeholder of many a manual", encoded(Buffer.from("change-me-change-me-change-me-32")), /repeats|is text/],
    ["bytes that count up", encoded(Array.from({ length: 32 }, (_, index) => index)), /counts bytes/],
    [
      "bytes that count down from the end",
      encoded(Array.from({ length: 32 }, (_, index) => 255 - index)),
      /counts bytes/,
    ],
    [
      "bytes that count in sevens",
      encoded(Array.from({ length: 64 }, (_, index) => (index * 7 + 3) & 0xff)),
      /counts bytes/,
    ],
  ])("when it is %s", (_, value, reason) => {
    expect(parseRootSecrets(value)).toMatch(reason);
  });

  it.each([
    // RFC 7515 A.1, RFC 7520 §3.5, and the SHA-256 of nothing.
    [
      "published",
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
      /published/,
    ],
    ["published, too", "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg", /published/],
    ["the digest of nothing", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", /published/],
    ["words with hyphens, which are valid base64url", "this-is-not-a-secret-but-only-a-long-sentence-", /is text/],
    ["the alphabet", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", /counts up/],
  ])("when it is %s, as it stands in the setting", (_, value, reason) => {
    expect(parseRootSecrets(value)).toMatch(reason);
  });

  it.each([
    ["its second part is empty", () => `${fine()},`],
    ["its first part is empty", () => `,${fine()}`],
    ["its second part is weak", () => `${fine()},${encoded(new Uint8Array(32))}`],
    ["its first part is weak", () => `${encoded(new Uint8Array(32))},${fine()}`],
  ])("when it is a list and %s", (_, value) => {
    expect(parseRootSecrets(value())).toMatch(/^ROOT_SECRET .*it needs 32 random bytes/);
  });

  it("with a sentence that never repeats any of it", () => {
    const weak = "c2VjcmV0LXNlY3JldA";
    for (const value of [weak, `${weak}=`, `${fine()},${weak}`]) expect(parseRootSecrets(value)).not.toContain(weak);
  });
});
