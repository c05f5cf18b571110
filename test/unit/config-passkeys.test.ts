import { describe, expect, it } from "vitest";
import { configOf, LOCAL, PUBLIC, problemsOf } from "./support/settings.ts";

describe("the floor of passwords", () => {
  it.each([
    ["standard", "optional", 12],
    ["nist", "optional", 15],
    ["standard", "required", 8],
    ["nist", "required", 8],
    ["standard", "passkey", 8],
    ["nist", "passkey", 8],
  ])("in the %s profile with a second factor that is %s is %i", (profile, secondFactor, floor) => {
    const env = { ...LOCAL, PROFILE: profile, SECOND_FACTOR: secondFactor };
    expect(configOf(env).passwordMin).toBe(floor);
    expect(configOf({ ...env, PASSWORD_MIN: "20" }).passwordMin).toBe(20);
    const expected = [`PASSWORD_MIN must be a whole number from ${floor} to 64`];
    expect(problemsOf({ ...env, PASSWORD_MIN: String(floor - 1) })).toEqual(expected);
  });
});

describe("RP_ID", () => {
  const problem = "RP_ID must be the issuer's host name or a domain above it, such as example.com; never an IP address";

  it.each([
    ["https://auth.example.com", undefined, "auth.example.com"],
    ["https://auth.example.com", "auth.example.com", "auth.example.com"],
    ["https://auth.example.com", "example.com", "example.com"],
    ["https://auth.eu.example.com:8443", "example.com", "example.com"],
    ["https://intranet", "intranet", "intranet"],
    ["http://localhost:8787", "localhost", "localhost"],
    ["https://auth.localhost:8787", "localhost", "localhost"],
  ])("of %s may be %s", (issuer, id, expected) => {
    expect(configOf({ ...PUBLIC, ISSUER: issuer, RP_ID: id }).relyingParty.id).toBe(expected);
  });

  it.each([
    ["https://auth.example.com", "com"],
    ["https://auth.example.com", "ample.com"],
    ["https://auth.example.com", "other.example"],
    ["https://auth.example.com", "login.auth.example.com"],
    ["https://auth.example.com", "Auth.example.com"],
    ["https://auth.example.com", ".example.com"],
    ["https://auth.example.com", "auth.example.com."],
    ["https://auth.example.com", "https://auth.example.com"],
    ["https://auth.example.com", "auth.example.com:443"],
    ["https://auth.example.com", "localhost"],
    ["https://auth.example.com.", "com."],
    ["https://auth.example.com.", undefined],
    ["http://localhost:8787", "127.0.0.1"],
    ["https://203.0.113.7", undefined],
    ["https://203.0.113.7", "113.7"],
    ["https://[2001:db8::1]", undefined],
  ])("of %s may not be %s", (issuer, id) => {
    expect(problemsOf({ ...PUBLIC, ISSUER: issuer, RP_ID: id })).toEqual([problem]);
  });
});

describe("PASSKEY_ORIGINS", () => {
  const partyOf = (env: object) => {
    const { relyingParty, relatedOrigins } = configOf({ ...PUBLIC, RP_ID: "example.com", ...env });
    return { ...relyingParty, relatedOrigins };
  };

  it("is the issuer where nothing else is said", () => {
    const expected = { id: "example.com", name: "Acme", origins: ["https://auth.example.com"], relatedOrigins: [] };
    expect(partyOf({ APP_NAME: "Acme" })).toEqual(expected);
    expect(partyOf({ APP_NAME: "Acme", PASSKEY_ORIGINS: " , " })).toEqual(expected);
  });

  it("replaces the issuer when it is given, and names each origin once", () => {
    const list = "https://app.example.com, http://localhost:3000,https://app.example.com,";
    expect(partyOf({ PASSKEY_ORIGINS: list }).origins).toEqual(["https://app.example.com", "http://localhost:3000"]);
  });

  it("has related origins once one of them lies outside the relying party, and then all are listed", () => {
    const inside = ["https://example.com", "https://app.example.com:8443"];
    expect(partyOf({ PASSKEY_ORIGINS: inside.join() }).relatedOrigins).toEqual([]);
    for (const outside of ["https://example.org", "https://notexample.com", "https://com", "http://localhost"]) {
      const origins = [...inside, outside];
      expect(partyOf({ PASSKEY_ORIGINS: origins.join() })).toMatchObject({ origins, relatedOrigins: origins });
    }
  });

  it.each([
    "*",
    "null",
    "https://*.example.com",
    "https://app.example.com/",
    "https://APP.example.com",
    "app.example.com",
    "http://app.example.com",
    "http://127.0.0.1:8787",
    "ftp://localhost",
    "android:apk-key-hash:Vbn7mJBkVdgxQmy8DGx3vyFDiFBfgUtoMHGwVTBYQdU",
  ])("may not hold %j", (origin) => {
    const expected = `PASSKEY_ORIGINS must list exact origins separated by commas; "${origin}" is not one`;
    expect(problemsOf({ ...PUBLIC, PASSKEY_ORIGINS: `https://app.example.com,${origin}` })).toEqual([expected]);
  });
});
