import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseStrictJson } from "../../src/strict-json.ts";
import { quickest } from "./support/timing.ts";

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const withMembers = (count: number) =>
  `{${Array.from({ length: count }, (_, index) => `"m${index}":${index}`).join(",")}}`;

describe("strict JSON", () => {
  it.each([
    ["an object", '{"email":"a@example.com","remember":true}'],
    ["white space of every kind", ' \t\r\n{ "a" \t: \n 1 , "b" : [ ] } '],
    ["the same name in objects side by side", '[{"a":1},{"a":2}]'],
    ["the same name in an object and in its member", '{"a":{"a":{"a":1}}}'],
    ["a value that equals a name", '{"a":"a","b":"a"}'],
    ["quotes, brackets and colons inside strings", '{"a\\"}":"{\\"b\\":[:]","c":"\\\\"}'],
    ["a string that ends in a backslash", '{"a":"\\\\","b":"\\\\\\\\"}'],
    ["names that differ in case or by a space", '{"a":1,"A":2,"a ":3}'],
    ["a bare value", "3"],
    ["a bare string", '"text"'],
  ])("takes %s, as JSON.parse does", (_, text) => {
    expect(parseStrictJson(text)).toEqual({ value: JSON.parse(text) });
  });

  it.each([
    ["side by side", '{"a":1,"a":2}'],
    ["apart", '{"a":1,"b":2,"a":3}'],
    ["with equal values", '{"a":1,"a":1}'],
    ["with one spelling escaped", '{"a":1,"\\u0061":2}'],
    ["with both spellings escaped", '{"\\u0061":1,"\\u0061":2}'],
    ["escaped in two ways", '{"\\/":1,"\\u002f":2}'],
    ["with a space before the colon", '{"a" :1,"a"\n:2}'],
    ["that are empty", '{"":1,"":2}'],
    ["in an inner object", '{"x":[{"a":1,"a":2}]}'],
    ["around an inner object", '{"a":{"b":1},"a":{"c":2}}'],
    ["around an inner list", '{"a":[{"b":1},{"b":2}],"a":0}'],
    ["in surrogate pairs and in escapes of them", '{"🦆":1,"\\ud83e\\udd86":2}'],
    ["named like a method", '{"constructor":1,"constructor":2}'],
    ["named __proto__", '{"__proto__":1,"__proto__":2}'],
  ])("refuses two members of one name %s", (_, text) => {
    expect(() => JSON.parse(text)).not.toThrow();
    expect(parseStrictJson(text)).toBe("duplicate_member");
  });

  it("goes eight levels deep and not nine", () => {
    expect(parseStrictJson(nested(8))).toEqual({ value: JSON.parse(nested(8)) });
    expect(parseStrictJson(nested(9))).toBe("too_deep");
    const objects = (depth: number) => `${'{"a":'.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`;
    expect(parseStrictJson(objects(8))).toEqual({ value: JSON.parse(objects(8)) });
    expect(parseStrictJson(objects(9))).toBe("too_deep");
  });

  it("counts levels and not brackets", () => {
    const wide = `[${Array(50).fill("[[],[]]").join(",")}]`;
    expect(parseStrictJson(wide)).toEqual({ value: JSON.parse(wide) });
    expect(parseStrictJson(`["${"[".repeat(50)}"]`)).toEqual({ value: ["[".repeat(50)] });
  });

  it("takes 64 members and not 65, wherever they stand", () => {
    expect(parseStrictJson(withMembers(64))).toEqual({ value: JSON.parse(withMembers(64)) });
    expect(parseStrictJson(withMembers(65))).toBe("too_many_members");
    expect(parseStrictJson(`[${withMembers(32)},${withMembers(32)}]`)).toHaveProperty("value");
    expect(parseStrictJson(`[${withMembers(32)},${withMembers(33)}]`)).toBe("too_many_members");
  });

  it.each([
    ["200,000 open brackets", "[".repeat(200_000), "too_deep"],
    ["200,000 levels of lists", nested(200_000), "too_deep"],
    ["200,000 levels of objects", `${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`, "too_deep"],
    ["200,000 closed brackets", "]".repeat(200_000), "not_json"],
    ["a string of a megabyte that never ends", `"${"a".repeat(1_000_000)}`, "not_json"],
    ["a megabyte of backslashes", `"${"\\".repeat(1_000_001)}`, "not_json"],
    ["a megabyte of quotes", '"'.repeat(1_000_001), "not_json"],
    ["a megabyte of white space behind strings", `["a"${" ".repeat(1_000_000)},"b"`, "not_json"],
    ["100,000 members", withMembers(100_000), "too_many_members"],
  ])("judges %s in no more time than it takes to read it a few times", (_, text, defect) => {
    expect(parseStrictJson(text)).toBe(defect);
    // A ratio, and not a time: what would be quadratic here takes thousands of times as long.
    expect(quickest(() => parseStrictJson(text))).toBeLessThan(100 * quickest(() => lookAtEach(LONGEST)));
  });

  it.each([
    "",
    " ",
    "{",
    "}",
    "[}",
    "{]",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{"a":1}{"b":2}',
    '["a":1]',
    '"a":1',
    "{'a':1}",
    "{a:1}",
    '{"a":1}//',
    '{"a":NaN}',
    '{"a":01}',
    '{"a":1e}',
    '{"\\x":1}',
    '{"\\u00":1}',
    '{"a\nb":1}',
    '{"a":"\u0000"}',
    '\ufeff{"a":1}',
    "undefined",
    '{"a":"\\"}',
  ])("refuses what is not JSON: %j", (text) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(parseStrictJson(text)).toBe("not_json");
  });

  it("gives a member named __proto__ no power", () => {
    const parsed = parseStrictJson('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}');
    if (typeof parsed === "string") throw new Error(parsed);
    expect(Object.hasOwn(parsed.value as object, "__proto__")).toBe(true);
    expect(Object.getPrototypeOf(parsed.value)).toBe(Object.prototype);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe("laws of strict JSON", () => {
  // Objects have no two members of one name, so nothing but the limits can be in the way.
  const values = fc.jsonValue({ maxDepth: 6, noUnicodeString: false });

  it("equals JSON.parse for any JSON without duplicates and within the limits", () => {
    let within = 0;
    fc.assert(
      fc.property(values, fc.constantFrom(undefined, 1, "\t"), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        const { depth, members } = measure(value);
        if (depth > 8 || members > 64) return;
        within += 1;
        expect(parseStrictJson(text)).toEqual({ value: JSON.parse(text) });
      }),
      { numRuns: 500 },
    );
    expect(within).toBeGreaterThan(300);
  });

  it("takes nothing that JSON.parse does not take", () => {
    const soup = fc.string({ unit: fc.constantFrom(...'{}[]",:\\ae1 \n'), maxLength: 30 });
    fc.assert(
      fc.property(soup, (text) => {
        const parsed = parseStrictJson(text);
        if (typeof parsed !== "string") expect(JSON.parse(text)).toEqual(parsed.value);
      }),
      { numRuns: 2000 },
    );
  });

  it("refuses any object that has a member twice", () => {
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.integer(), { maxKeys: 10 }), (name, others) => {
        const rest = Object.entries({ ...others, [name]: 0 }).map(([key, value]) => `${JSON.stringify(key)}:${value}`);
        expect(parseStrictJson(`{${JSON.stringify(name)}:1,${rest.join(",")}}`)).toBe("duplicate_member");
      }),
    );
  });
});

function measure(value: unknown): { depth: number; members: number } {
  if (typeof value !== "object" || value === null) return { depth: 0, members: 0 };
  const inner = Object.values(value).map(measure);
  const own = Array.isArray(value) ? 0 : inner.length;
  return {
    depth: 1 + Math.max(0, ...inner.map(({ depth }) => depth)),
    members: own + inner.reduce((sum, { members }) => sum + members, 0),
  };
}

/** As long as the longest of the texts above. */
const LONGEST = " ".repeat(1_000_001);

/** What the least that can be done with a text costs. */
function lookAtEach(text: string): number {
  let sum = 0;
  for (let at = 0; at < text.length; at += 1) sum += text.charCodeAt(at);
  return sum;
}
