import { describe, expect, it } from "vitest";
import {
  browserMembers,
  exportMembers,
  factorMembers,
  recoveryMembers,
  sessionMembers,
} from "../../../src/http/account-members.ts";

const FACTOR = { id: "t1", kind: "totp", label: "Phone", createdAt: 0 } as const;
const SESSION = { id: "s1", createdAt: 0, lastUsedAt: 1000, expiresAt: 2000, userAgent: "test", current: true };
const BROWSER = { id: "b1", userAgent: "test", createdAt: 0, lastUsedAt: 1000, current: false };

const SHOWN_FACTOR = { id: "t1", kind: "totp", label: "Phone", created_at: "1970-01-01T00:00:00.000Z" };
const SHOWN_SESSION = {
  id: "s1",
  created_at: "1970-01-01T00:00:00.000Z",
  last_used_at: "1970-01-01T00:00:01.000Z",
  expires_at: "1970-01-01T00:00:02.000Z",
  user_agent: "test",
  current: true,
};
const SHOWN_BROWSER = {
  id: "b1",
  user_agent: "test",
  created_at: "1970-01-01T00:00:00.000Z",
  last_used_at: "1970-01-01T00:00:01.000Z",
  trusted_until: null,
  current: false,
};

/** Somebody's row of the directory, as the flow hands it on. */
const USER = {
  id: "u1",
  email: "ada@example.com",
  emailKey: "ada@example.com",
  emailVerified: true,
  password: "$argon2id$hidden",
  passwordVersion: 3,
  status: "active" as const,
  roles: ["editor"],
  createdAt: 0,
};

describe("a factor in a list", () => {
  it("has its times in words, and null where it was never used", () => {
    expect(factorMembers(FACTOR)).toEqual({ ...SHOWN_FACTOR, last_used_at: null });
    expect(factorMembers({ ...FACTOR, lastUsedAt: 1000 })).toEqual({
      ...SHOWN_FACTOR,
      last_used_at: "1970-01-01T00:00:01.000Z",
    });
  });

  it("says that it does not count, where that is so", () => {
    expect(factorMembers({ ...FACTOR, suspended: true })).toMatchObject({ suspended: true });
    expect(factorMembers(FACTOR)).not.toHaveProperty("suspended");
  });
});

describe("a session and a browser in a list", () => {
  it("have their times in words", () => {
    expect(sessionMembers(SESSION)).toEqual(SHOWN_SESSION);
    expect(browserMembers(BROWSER)).toEqual(SHOWN_BROWSER);
    expect(browserMembers({ ...BROWSER, trustedUntil: 3000 })).toMatchObject({
      trusted_until: "1970-01-01T00:00:03.000Z",
    });
  });
});

describe("a recovery", () => {
  it("is told while it waits, and no word of one is said otherwise", () => {
    expect(recoveryMembers({ recovery: { finishAfter: 0 } })).toEqual({
      recovery: { finish_after: "1970-01-01T00:00:00.000Z" },
    });
    expect(recoveryMembers({})).toEqual({});
  });
});

describe("what is stored about an account", () => {
  const copy = { factors: [FACTOR], recoveryCodesRemaining: 9, sessions: [SESSION], browsers: [BROWSER] };

  it("is told without what would open it", () => {
    const exported = exportMembers({ user: USER, ...copy });
    expect(exported).toEqual({
      account: {
        id: "u1",
        email: "ada@example.com",
        email_verified: true,
        status: "active",
        roles: ["editor"],
        created_at: "1970-01-01T00:00:00.000Z",
      },
      factors: [{ ...SHOWN_FACTOR, last_used_at: null }],
      recovery_codes_remaining: 9,
      sessions: [SHOWN_SESSION],
      browsers: [SHOWN_BROWSER],
    });
    expect(JSON.stringify(exported)).not.toContain("hidden");
  });

  it("says that somebody waits to have the factors removed", () => {
    expect(exportMembers({ user: USER, ...copy, recovery: { finishAfter: 0 } })).toHaveProperty("recovery");
  });
});
