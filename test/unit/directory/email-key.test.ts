import { domainToASCII, domainToUnicode } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emailKey } from "../../../src/directory/email-key.ts";
import { CONFUSING, MALFORMED, TAKEN } from "../../support/email-addresses.ts";
import { quickest } from "../support/timing.ts";

describe("one account for every spelling of an address", () => {
  it.each(TAKEN)("%s has the key %s", (email, key) => {
    expect(emailKey(email)).toBe(key);
  });

  it("never lets two addresses meet that differ in more than ASCII case", () => {
    expect(emailKey("ada.lovelace@example.com")).not.toBe(emailKey("adalovelace@example.com"));
    expect(emailKey("ada+a@example.com")).not.toBe(emailKey("ada@example.com"));
    // A dotless i is a letter of its own, in a domain too.
    expect(emailKey("ada@gıthub.example")).not.toBe("ada@github.example");
    expect(emailKey("ada@xn--strae-oqa.example")).not.toBe(emailKey("ada@strasse.example"));
  });

  it.each([
    ["paypal.example", "pаypаl.example"],
    ["paypal.example", "раураl.example"],
    ["google.example", "gοοgle.example"],
    ["github.example", "gıthub.example"],
    ["example.com", "exаmple.com"],
    ["kate.example", "ĸate.example"],
    ["bücher.example", "bu̇cher.example"],
    ["rn.example", "m.example"],
    ["a-b.example", "a‐b.example"],
  ])("never lets %s meet its look-alike %s", (domain, lookAlike) => {
    expect(domain).not.toBe(lookAlike);
    expect(emailKey(`ada@${domain}`)).toBeDefined();
    expect(emailKey(`ada@${lookAlike}`)).not.toBe(emailKey(`ada@${domain}`));
  });

  it("knows one way to write each A-label: what it stands for becomes it again", () => {
    const domain = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(domain, (label) => {
        const key = emailKey(`ada@${label}.example`);
        // The key of a Unicode domain is an address that is taken as it is.
        if (key !== undefined) expect(emailKey(key)).toBe(key);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]{1,12}(-[a-z0-9]{1,12})?$/), (encoded) => {
        const unicode = domainToUnicode(`xn--${encoded}.example`);
        const key = emailKey(`ada@xn--${encoded}.example`);
        if (key !== undefined) expect(domainToASCII(unicode)).toBe(`xn--${encoded}.example`);
      }),
      { numRuns: 1_000 },
    );
  });

  it("has a key that is its own key", () => {
    const label = fc.stringMatching(/^[A-Za-z0-9]{1,12}$/);
    const local = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}$/);
    fc.assert(
      fc.property(local, fc.array(label, { minLength: 1, maxLength: 3 }), (name, labels) => {
        const key = emailKey(`${name}@${labels.join(".")}.example`);
        expect(key).toBe(`${name}@${labels.join(".")}.example`.toLowerCase());
        expect(emailKey(key ?? "")).toBe(key);
      }),
    );
  });

  it("gives any text a key of plain ASCII in small letters, or none", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 30 }),
        fc.string({ unit: "grapheme", maxLength: 20 }),
        (a, b) => {
          for (const email of [`${a}@${b}.example`, `ada@${b}.example`, `ada@${a}`, a]) {
            const key = emailKey(email);
            if (key !== undefined) {
              expect(key).toMatch(/^[\x21-\x7e]+@[a-z0-9.-]+$/);
              expect(key).toBe(key.toLowerCase());
              expect(emailKey(key)).toBe(key);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("an address is refused, not repaired,", () => {
  it.each(CONFUSING)("%s", (_, email) => {
    expect(emailKey(email)).toBeUndefined();
  });

  it.each(MALFORMED)("when it is %j", (email) => {
    expect(emailKey(email)).toBeUndefined();
  });

  it("when it is longer than mail can carry (RFC 5321 §4.5.3.1)", () => {
    expect(emailKey(`${"a".repeat(64)}@example.com`)).toBeDefined();
    expect(emailKey(`${"a".repeat(65)}@example.com`)).toBeUndefined();
    const name = "a".repeat(64);
    expect(emailKey(`${name}@${"a".repeat(64)}.example`)).toBeUndefined();
    expect(emailKey(`${name}@${"a".repeat(63)}.example`)).toBeDefined();
    expect(emailKey(`${name}@${`${"a".repeat(60)}.`.repeat(3)}aaaaaa`)?.length).toBe(254);
    expect(emailKey(`${name}@${`${"a".repeat(60)}.`.repeat(3)}aaaaaaa`)).toBeUndefined();
  });

  it.each([
    ["a megabyte of name", `${"a".repeat(1_000_000)}@example.com`],
    ["a megabyte of dots", `${"a.".repeat(500_000)}@example.com`],
    ["a megabyte of domain", `ada@${"a.".repeat(500_000)}com`],
    ["a megabyte of at signs", "@".repeat(1_000_000)],
    ["a name built to make a regular expression slow", `${"a.".repeat(31)}!!${"@".repeat(3)}`],
  ])("in no time: %s", (_, email) => {
    expect(emailKey(email)).toBeUndefined();
    expect(quickest(() => emailKey(email))).toBeLessThan(50);
  });
});
