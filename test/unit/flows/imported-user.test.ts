import { describe, expect, it } from "vitest";
import { readImportedUser } from "../../../src/flows/imported-user.ts";
import { IMPORTED_ROLES_MAX } from "../../../src/policy.ts";
import { NOW } from "../support/rings.ts";

const HASH = "$2b$04$abcdefghijklmnopqrstuu/Gz6vEbQ/NT7ZScNn1HJLL8OSgSUDIu";
const SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const read = (line: unknown, emailsVerified = false) => readImportedUser(line, { emailsVerified, now: NOW });
const lineWith = (changes: object) => ({ email: "Ada@Example.com", password_hash: HASH, ...changes });

describe("a line of an import", () => {
  it("needs an address and nothing else", () => {
    expect(read({ email: "Ada@Example.com" })).toEqual({
      email: "Ada@Example.com",
      emailKey: "ada@example.com",
      emailVerified: false,
      isDisabled: false,
      password: { resetNeeded: "no password hash" },
      totpSecrets: [],
      roles: [],
      createdAt: NOW,
    });
  });

  it("may hold null for what it does not know", () => {
    const nothing = { password_hash: null, email_verified: null, totp_secrets: null, roles: null, created_at: null };
    expect(read({ email: "ada@example.com", ...nothing })).toEqual(read({ email: "ada@example.com" }));
  });

  it("may hold everything", () => {
    const line = lineWith({
      email_verified: true,
      totp_secrets: ["jbswy3dp ehpk3pxp", SECRET],
      roles: ["editor", "billing:read", "editor"],
      created_at: "2020-02-29T12:00:00.5+01:00",
    });
    expect(read(line)).toMatchObject({
      emailVerified: true,
      password: { made: { scheme: "bcrypt", cost: 4 } },
      totpSecrets: [{ length: 10 }, { length: 20 }],
      roles: ["editor", "billing:read"],
      createdAt: Date.UTC(2020, 1, 29, 11, 0, 0, 500),
    });
  });

  it("is verified when it says so, or when the operator says so of all", () => {
    const verified = (line: unknown, all: boolean) => (read(line, all) as { emailVerified: boolean }).emailVerified;
    expect([true, false].map((all) => verified(lineWith({}), all))).toEqual([true, false]);
    expect(verified(lineWith({ email_verified: true }), false)).toBe(true);
  });

  it("has no password where the hash is null or costs too much", () => {
    expect(read(lineWith({ password_hash: null }))).toMatchObject({ password: { resetNeeded: "no password hash" } });
    expect(read(lineWith({ password_hash: HASH.replace("$04", "$13") }))).toMatchObject({
      password: { resetNeeded: "bcrypt with a cost above 11" },
    });
  });
});

describe("a line is refused", () => {
  it.each([
    ["no object", [], "is not a JSON object"],
    ["null", null, "is not a JSON object"],
    ["text", "ada@example.com", "is not a JSON object"],
    ["an unknown member", lineWith({ passwordHash: HASH }), 'has the unknown member "passwordHash"'],
    ["no address", { password_hash: HASH }, "email"],
    ["an address that is none", lineWith({ email: "ada" }), "email"],
    ["a look-alike", lineWith({ email: "ad\u0430@example.com" }), "email"],
    ["several addresses", lineWith({ email: ["ada@example.com"] }), "email"],
    ["a word for verified", lineWith({ email_verified: "yes" }), "email_verified"],
    ["a hash that is none", lineWith({ password_hash: "hunter2" }), "password_hash"],
    ["an empty hash", lineWith({ password_hash: "" }), "password_hash"],
    ["one secret outside a list", lineWith({ totp_secrets: SECRET }), "totp_secrets"],
    ["four secrets", lineWith({ totp_secrets: [SECRET, SECRET, SECRET, SECRET] }), "totp_secrets"],
    ["a short secret", lineWith({ totp_secrets: ["JBSWY3DPEHPK3PU"] }), "totp_secrets"],
    ["a long secret", lineWith({ totp_secrets: ["A".repeat(104)] }), "totp_secrets"],
    ["a secret that is no base32", lineWith({ totp_secrets: [`${SECRET.slice(0, -1)}1`] }), "totp_secrets"],
    ["an otpauth URI", lineWith({ totp_secrets: [`otpauth://totp/x?secret=${SECRET}`] }), "totp_secrets"],
    ["one role outside a list", lineWith({ roles: "editor" }), "roles"],
    ["a role that is none", lineWith({ roles: ["edi tor"] }), "roles"],
    ["too many roles", lineWith({ roles: Array.from({ length: IMPORTED_ROLES_MAX + 1 }, (_, n) => `r${n}`) }), "roles"],
    ["an administrator", lineWith({ roles: ["editor", "admin"] }), '"admin"'],
    ["an administrator in capitals", lineWith({ roles: ["ADMIN"] }), '"admin"'],
    ["a date of the future", lineWith({ created_at: new Date(NOW + 1).toISOString() }), "created_at"],
    ["a date without a time", lineWith({ created_at: "2020-02-29" }), "created_at"],
    ["a number for a date", lineWith({ created_at: 1_582_977_600 }), "created_at"],
  ])("with %s", (_, line, reason) => {
    expect(read(line)).toEqual({ reason: expect.stringContaining(reason) });
  });

  it.each([{ password_hash: "hunter2hunter2" }, { totp_secrets: ["hunter2hunter2"] }, { roles: ["hunter2 hunter2"] }])(
    "without repeating %j",
    (secret) => {
      expect(JSON.stringify(read(lineWith(secret)))).not.toContain("hunter2");
    },
  );
});

describe("what nobody has vouched for", () => {
  it("is not overruled where the file says it", () => {
    expect(read(lineWith({ email_verified: false }), true)).toMatchObject({ emailVerified: false });
    expect(read(lineWith({}), true)).toMatchObject({ emailVerified: true });
  });

  it("brings no factor, which would lock the reader of the mailbox out", () => {
    const reason = expect.stringContaining("totp_secrets need email_verified");
    for (const email_verified of [false, undefined]) {
      expect(read(lineWith({ totp_secrets: [SECRET], email_verified }))).toEqual({ reason });
    }
    expect(read(lineWith({ totp_secrets: [SECRET], email_verified: true }))).toHaveProperty("totpSecrets.length", 1);
  });
});

it("a secret that stands twice is one factor, or its codes would be good twice", () => {
  const given = lineWith({
    totp_secrets: [SECRET, SECRET.toLowerCase(), "KRSXG5CTMVRXEZLUKRSXG5CT"],
    email_verified: true,
  });
  expect(read(given)).toHaveProperty("totpSecrets.length", 2);
});

it("a line may say that its account is disabled, and nothing else by that name", () => {
  expect(read(lineWith({ disabled: true }))).toMatchObject({ isDisabled: true });
  expect(read(lineWith({ disabled: "yes" }))).toEqual({ reason: "disabled is neither true nor false" });
});
