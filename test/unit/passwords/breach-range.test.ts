import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { breachPlaceOf, lookUp } from "../../../src/passwords/breach-range.ts";

const SUFFIX = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";
const OTHER = "0018A45C4D1DEF81644B54AB7F969B88D65";

describe("the place of a password among breached ones", () => {
  it("is its SHA-1, cut after five digits", async () => {
    expect(await breachPlaceOf("password")).toEqual({ prefix: "5BAA6", suffix: SUFFIX });
  });

  it.each(["Ångström café naïve", "正確的馬電池訂書釘", "🐴🔋📎", "before\u0000after", " spaces ", "long ".repeat(20)])(
    "is made of all of its UTF-8: %j",
    async (password) => {
      const expected = createHash("sha1").update(password, "utf8").digest("hex").toUpperCase();
      const { prefix, suffix } = await breachPlaceOf(password);
      expect([prefix.length, prefix + suffix]).toEqual([5, expected]);
    },
  );
});

describe("a range", () => {
  it.each([
    ["alone", `${SUFFIX}:1`],
    ["between others", `${OTHER}:3\r\n${SUFFIX}:37359195\r\n${OTHER.replace("0", "F")}:1`],
    ["at its end, with a line break behind it", `${OTHER}:3\n${SUFFIX}:2\n`],
    ["in small letters", `${SUFFIX.toLowerCase()}:9`],
    ["before a line that cannot be read", `${SUFFIX}:9\r\n<html>`],
    ["beside padding of the same name", `${SUFFIX}:0\r\n${SUFFIX}:1`],
  ])("says breached where the password stands in it: %s", (_, range) => {
    expect(lookUp(SUFFIX, range)).toBe("breached");
  });

  it.each([
    ["it is not there", `${OTHER}:3\r\n${OTHER.replace("0", "F")}:1`],
    ["it is padding", `${OTHER}:3\r\n${SUFFIX}:0`],
    ["it is padding, written at length", `${SUFFIX}:000`],
    ["there is nothing", ""],
    ["there is nothing but a line break", "\r\n"],
  ])("says clean where %s", (_, range) => {
    expect(lookUp(SUFFIX, range)).toBe("clean");
  });

  it.each([
    ["a page", "<!doctype html><html><body>Sign in to this network</body></html>"],
    ["JSON", `{"breached":false}`],
    ["suffixes without counts", OTHER],
    ["whole hashes", `5BAA6${OTHER}:1`],
    ["hashes of another kind", `${OTHER.slice(8)}:1`],
    ["a count that is no number", `${OTHER}:-1`],
    ["a count below nothing", `${OTHER}:`],
    ["a range that was cut", `${OTHER}:3\r\n${OTHER.slice(0, 20)}`],
  ])("says nothing when it is %s", (_, range) => {
    expect(lookUp(SUFFIX, range)).toBe("unreadable");
  });
});
