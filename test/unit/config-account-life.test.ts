import { describe, expect, it } from "vitest";
import { configOf, LOCAL, PUBLIC, problemsOf } from "./support/settings.ts";

const HOUR = 3_600_000;

describe("RECOVERY_DELAY_HOURS", () => {
  const delay = (env: object) => configOf({ ...LOCAL, ...env }).recoveryDelayMs / HOUR;

  it("is three days where a second factor is a choice, and no way around one that is required", () => {
    expect(delay({})).toBe(72);
    expect(delay({ SECOND_FACTOR: "required" })).toBe(0);
    expect(delay({ SECOND_FACTOR: "passkey" })).toBe(0);
    expect(delay({ SECOND_FACTOR: "required", RECOVERY_DELAY_HOURS: "48" })).toBe(48);
  });

  it("is 0, or from 24 to 336", () => {
    for (const hours of [0, 24, 25, 336]) expect(delay({ RECOVERY_DELAY_HOURS: String(hours) })).toBe(hours);
    const problem = "RECOVERY_DELAY_HOURS must be a whole number from 24 to 336, or 0";
    for (const value of ["1", "23", "337", "-1", "24.5", "1e2", " 24", "off", "00000000000"]) {
      expect(problemsOf({ ...LOCAL, RECOVERY_DELAY_HOURS: value }), value).toEqual([problem]);
    }
    expect(problemsOf({ ...LOCAL, RECOVERY_DELAY_HOURS: 72 })).toEqual(["RECOVERY_DELAY_HOURS must be text"]);
  });
});

describe("BREACH_CHECK_URL", () => {
  const url = (env: object) => configOf(env).breachCheckUrl;

  it.each([
    ["https://api.pwnedpasswords.com/range", "https://api.pwnedpasswords.com/range/"],
    ["https://api.pwnedpasswords.com/range/", "https://api.pwnedpasswords.com/range/"],
    ["https://ranges.example:8443", "https://ranges.example:8443/"],
  ])("%s is asked as %s", (value, expected) => {
    expect(url({ ...PUBLIC, BREACH_CHECK_URL: value })).toBe(expected);
  });

  it.each([
    // On its way in the clear it would show who chooses a password, and let anybody call it clean.
    "http://ranges.example/range/",
    "ftp://ranges.example/range/",
    "javascript:alert(1)",
    "ranges.example/range/",
    "https://",
    "on",
    // What is put behind these would never arrive as a path.
    "https://ranges.example/range?mode=ntlm",
    "https://ranges.example/range#",
    "https://user:secret@ranges.example/range",
  ])("may not be %j", (value) => {
    const problem = "BREACH_CHECK_URL must be an https address such as https://api.pwnedpasswords.com/range/";
    expect(problemsOf({ ...PUBLIC, BREACH_CHECK_URL: value })).toEqual([problem]);
  });

  it("may be in the clear for a local service, and only as HTTP", () => {
    expect(url({ ...LOCAL, BREACH_CHECK_URL: "http://localhost:9000/range/" })).toBe("http://localhost:9000/range/");
    expect(problemsOf({ ...LOCAL, BREACH_CHECK_URL: "ftp://localhost/range/" })).toHaveLength(1);
    expect(problemsOf({ ...LOCAL, BREACH_CHECK_URL: "javascript:alert(1)" })).toHaveLength(1);
  });
});
