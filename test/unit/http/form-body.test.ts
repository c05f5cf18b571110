import { describe, expect, it } from "vitest";
import { formDecode, parseForm } from "../../../src/http/form-body.ts";

describe("a form", () => {
  it.each<[string, Record<string, string>]>([
    ["token=abc", { token: "abc" }],
    ["token=abc&token_type_hint=access_token", { token: "abc", token_type_hint: "access_token" }],
    ["a=1+2%2B3%26&b=%C3%A9", { a: "1 2+3&", b: "é" }],
    ["a=x=y", { a: "x=y" }],
    ["%61=1", { a: "1" }],
    ["&a=1&&", { a: "1" }],
    ["__proto__=1&constructor=2", { ["__proto__"]: "1", constructor: "2" }],
    ["", {}],
  ])("%j has its parameters", (text, expected) => {
    expect([...(parseForm(text) ?? [])]).toEqual(Object.entries(expected));
  });

  it("has no parameter where one has no value (RFC 6749 §3.2)", () => {
    expect([...(parseForm("a=&b&c=1") ?? [])]).toEqual([["c", "1"]]);
  });

  it.each(["a=1&a=2", "a=1&%61=2", "a=&a=1", "a&a", "a=%", "a=%2", "a=%zz", "a=%c3", "a=%ff", "a=é", "a=1\n", "a b=1"])(
    "is not %j: a parameter twice, or a broken encoding",
    (text) => {
      expect(parseForm(text)).toBeUndefined();
    },
  );
});

it("a form-encoded text is taken back as it was", () => {
  const text = 'a+b c%/&="é€😀';
  expect(formDecode(new URLSearchParams({ text }).toString().slice("text=".length))).toBe(text);
});
