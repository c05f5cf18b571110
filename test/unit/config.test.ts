import { describe, expect, it } from "vitest";
import type { Config } from "../../src/config.ts";
import { configOf, LOCAL, PUBLIC, problemsOf } from "./support/settings.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe("settings left alone", () => {
  it("have the defaults of the contract", () => {
    const sessions = { idleMs: DAY, absoluteMs: 14 * DAY, factorMaxAgeMs: DAY };
    expect(configOf(LOCAL)).toEqual({
      issuer: "http://localhost:8787",
      isLocal: true,
      appName: "Sallyport",
      profile: "standard",
      passwordMin: 12,
      secondFactor: "optional",
      trustedBrowserDays: 0,
      relyingParty: { id: "localhost", name: "Sallyport", origins: ["http://localhost:8787"] },
      relatedOrigins: [],
      breachCheckUrl: undefined,
      botCheck: undefined,
      registration: "open",
      recoveryDelayMs: 72 * HOUR,
      twoPersonReset: false,
      adminFactor: "any",
      allowedOrigins: new Set(["http://localhost:8787"]),
      accessTokenTtlSeconds: 300,
      keyRotationMs: 90 * 86_400_000,
      sessions,
      rememberedSessions: { ...sessions, idleMs: 14 * DAY, absoluteMs: 30 * DAY },
      audiences: new Map(),
      clients: new Map(),
      mail: { transport: "mailbox" },
      alerting: { mail: [], reactions: new Set() },
      eventRetentionMs: 180 * DAY,
      jurisdiction: undefined,
    });
  });

  it("are left alone when they are empty", () => {
    const names = ["APP_NAME", "PROFILE", "PASSWORD_MIN", "REGISTRATION", "ALLOWED_ORIGINS", "ACCESS_TOKEN_TTL"];
    const others = ["SESSION_IDLE", "SESSION_ABSOLUTE", "FACTOR_MAX_AGE", "MAIL_TRANSPORT", "JURISDICTION"];
    const factors = ["SECOND_FACTOR", "TRUSTED_BROWSER_DAYS", "RP_ID", "PASSKEY_ORIGINS"];
    const life = ["AUDIENCES", "CLIENTS", "RECOVERY_DELAY_HOURS", "TWO_PERSON_RESET", "BREACH_CHECK_URL"];
    const alerts = ["ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_SECRET", "ALERT_MAIL", "REACTIONS", "EVENT_RETENTION_DAYS"];
    const empty = Object.fromEntries([...names, ...others, ...factors, ...life, ...alerts].map((name) => [name, ""]));
    expect(configOf({ ...LOCAL, ...empty })).toEqual(configOf(LOCAL));
  });

  it("that the operator has shortened stay short for those who want to be remembered", () => {
    const { rememberedSessions } = configOf({ ...LOCAL, SESSION_IDLE: "600", SESSION_ABSOLUTE: "3600" });
    expect(rememberedSessions).toMatchObject({ idleMs: 600_000, absoluteMs: 3_600_000 });
    expect(configOf({ ...LOCAL, SESSION_IDLE: "600" }).rememberedSessions.absoluteMs).toBe(30 * DAY);
  });

  it("follow the profile: nist is longer for passwords, shorter for sessions, and remembers nobody", () => {
    const { passwordMin, sessions, rememberedSessions } = configOf({ ...LOCAL, PROFILE: "nist" });
    expect(passwordMin).toBe(15);
    expect(sessions).toEqual({ idleMs: HOUR, absoluteMs: DAY, factorMaxAgeMs: 12 * HOUR });
    expect(rememberedSessions).toEqual(sessions);
  });
});

describe("a session that wants to be remembered", () => {
  const seconds = (env: object) => {
    const { idleMs, absoluteMs, factorMaxAgeMs } = configOf({ ...LOCAL, ...env }).rememberedSessions;
    return [idleMs / 1000, absoluteMs / 1000, factorMaxAgeMs / 1000];
  };

  it("is never longer than what the operator has shortened", () => {
    const [idle, absolute, factor] = [14 * 86_400, 30 * 86_400, 86_400];
    expect(seconds({})).toEqual([idle, absolute, factor]);
    expect(seconds({ SESSION_IDLE: "3600" })).toEqual([3600, absolute, factor]);
    expect(seconds({ SESSION_ABSOLUTE: "7200" })).toEqual([idle, 7200, factor]);
    expect(seconds({ FACTOR_MAX_AGE: "600" })).toEqual([idle, absolute, 600]);
    expect(seconds({ SESSION_IDLE: "86400", SESSION_ABSOLUTE: "1209600" })).toEqual([idle, absolute, factor]);
  });
});

describe("ADMIN_FACTOR", () => {
  it("is one of two words", () => {
    expect(configOf({ ...LOCAL, ADMIN_FACTOR: "passkey" }).adminFactor).toBe("passkey");
    expect(configOf({ ...LOCAL, ADMIN_FACTOR: "" }).adminFactor).toBe("any");
    expect(problemsOf({ ...LOCAL, ADMIN_FACTOR: "totp" })).toEqual(["ADMIN_FACTOR must be one of any, passkey"]);
  });
});

describe("APP_NAME", () => {
  it.each([
    ["a line break", "Acme\r\nBcc: eve@evil.example"],
    ["a NUL", "Acme\u0000"],
    ["an escape", "Acme\u001b[31m"],
    ["2001 characters", "A".repeat(2001)],
  ])("is one line of text, and has not %s", (_, name) => {
    const expected = ["APP_NAME must have at most 2000 characters and no control characters"];
    expect(problemsOf({ ...LOCAL, APP_NAME: name })).toEqual(expected);
  });
});

describe("ISSUER", () => {
  it.each([
    ["https://auth.example.com", false],
    ["https://auth.example.com:8443", false],
    ["https://localhost.example.com", false],
    ["http://localhost", true],
    ["http://localhost:8787", true],
    ["https://localhost:8787", true],
  ])("may be %s", (issuer, isLocal) => {
    expect(configOf({ ...PUBLIC, ISSUER: issuer })).toMatchObject({ issuer, isLocal });
  });

  it.each([
    undefined,
    "",
    42,
    "auth.example.com",
    "https://auth.example.com/",
    "https://auth.example.com/auth",
    "https://auth.example.com?x",
    "https://auth.example.com#x",
    "https://auth.example.com:443",
    "https://AUTH.example.com",
    "https://user@auth.example.com",
    " https://auth.example.com",
    "https://auth.example.com ",
    "http://auth.example.com",
    "http://127.0.0.1:8787",
    "http://[::1]:8787",
    "http://localhost.evil.example",
    "http://evil.example#localhost",
    "ftp://localhost",
    "javascript:alert(1)",
    "null",
  ])("may not be %j", (issuer) => {
    expect(problemsOf({ ...PUBLIC, ISSUER: issuer }).join()).toContain("ISSUER must be");
  });
});

describe("numbers", () => {
  it.each([
    ["PASSWORD_MIN", 12, 64, (config: Config) => config.passwordMin],
    ["ACCESS_TOKEN_TTL", 60, 600, (config: Config) => config.accessTokenTtlSeconds],
    ["KEY_ROTATION_DAYS", 30, 180, (config: Config) => config.keyRotationMs / 86_400_000],
    ["SESSION_IDLE", 60, 86_400, (config: Config) => config.sessions.idleMs / 1000],
    ["SESSION_ABSOLUTE", 60, 14 * 86_400, (config: Config) => config.sessions.absoluteMs / 1000],
    ["FACTOR_MAX_AGE", 60, 86_400, (config: Config) => config.sessions.factorMaxAgeMs / 1000],
    ["TRUSTED_BROWSER_DAYS", 0, 90, (config: Config) => config.trustedBrowserDays],
  ])("%s goes from %i to %i", (name, min, max, read) => {
    expect(read(configOf({ ...LOCAL, [name]: String(min) }))).toBe(min);
    expect(read(configOf({ ...LOCAL, [name]: String(max) }))).toBe(max);
    const values = [min - 1, max + 1, -1, "1e2", " 60", "60s", "0x40", "60.5", "NaN", "Infinity", "9".repeat(30)];
    for (const value of values) {
      const expected = `${name} must be a whole number from ${min} to ${max}`;
      expect(problemsOf({ ...LOCAL, [name]: String(value) }), String(value)).toEqual([expected]);
    }
    expect(problemsOf({ ...LOCAL, [name]: min })).toEqual([`${name} must be text`]);
  });

  it.each([
    ["PASSWORD_MIN", 15, 64],
    ["SESSION_IDLE", 60, 3600],
    ["SESSION_ABSOLUTE", 60, 86_400],
    ["FACTOR_MAX_AGE", 60, 43_200],
  ])("%s never softens the nist profile: %i to %i", (name, min, max) => {
    const nist = { ...LOCAL, PROFILE: "nist" };
    expect(problemsOf({ ...nist, [name]: String(min) })).toEqual([]);
    expect(problemsOf({ ...nist, [name]: String(max) })).toEqual([]);
    expect(problemsOf({ ...nist, [name]: String(min - 1) })).toHaveLength(1);
    expect(problemsOf({ ...nist, [name]: String(max + 1) })).toHaveLength(1);
  });
});

describe("choices", () => {
  it.each([
    ["PROFILE", ["standard", "nist"], ["Standard", "none", " nist"]],
    ["SECOND_FACTOR", ["optional", "required", "passkey"], ["Required", "totp", "off"]],
    ["REGISTRATION", ["open", "closed", "invite"], ["Open", "off", "true", "invites"]],
    ["TWO_PERSON_RESET", ["on", "off"], ["On", "true", "1"]],
    ["JURISDICTION", ["eu", "us"], ["EU", "de", "fedramp"]],
  ])("%s is one of %j", (name, allowed, wrong) => {
    for (const value of allowed) expect(problemsOf({ ...LOCAL, [name]: value })).toEqual([]);
    const expected = [`${name} must be one of ${allowed.join(", ")}`];
    for (const value of wrong) expect(problemsOf({ ...LOCAL, [name]: value }), value).toEqual(expected);
    expect(problemsOf({ ...LOCAL, [name]: true })).toEqual([`${name} must be text`]);
  });

  it("arrive where they are used", () => {
    const config = configOf({ ...LOCAL, REGISTRATION: "closed", JURISDICTION: "eu", APP_NAME: "Acme" });
    expect(config).toMatchObject({ registration: "closed", jurisdiction: "eu", appName: "Acme" });
    expect(configOf({ ...LOCAL, REGISTRATION: "invite" })).toMatchObject({ registration: "invite" });
    expect(configOf({ ...LOCAL, TWO_PERSON_RESET: "on" })).toMatchObject({ twoPersonReset: true });
    for (const secondFactor of ["optional", "required", "passkey"]) {
      expect(configOf({ ...LOCAL, SECOND_FACTOR: secondFactor })).toMatchObject({ secondFactor });
    }
  });
});

describe("ALLOWED_ORIGINS", () => {
  it("is a list of exact origins, the issuer's always among them", () => {
    const { allowedOrigins } = configOf({
      ...PUBLIC,
      ALLOWED_ORIGINS: "https://app.example.com, https://b.example:81,,",
    });
    expect([...allowedOrigins]).toEqual([
      "https://auth.example.com",
      "https://app.example.com",
      "https://b.example:81",
    ]);
  });

  it.each([
    "*",
    "null",
    "https://*.example.com",
    "https://app.example.com/",
    "https://app.example.com/path",
    "https://APP.example.com",
    "app.example.com",
    "https://app.example.com https://b.example",
    "data:text/html,x",
    "file:///etc",
    // Whoever can change a page on its way can use the cookie of whoever reads it.
    "http://app.example.com",
    "ftp://app.example.com",
  ])("may not hold %j", (origin) => {
    const problems = problemsOf({ ...PUBLIC, ALLOWED_ORIGINS: `https://app.example.com,${origin}` });
    expect(problems.join()).toContain("ALLOWED_ORIGINS must list exact origins");
  });
});

describe("mail", () => {
  it("stays in the mailbox of a local service, and there alone", () => {
    expect(configOf({ ...LOCAL, MAIL_TRANSPORT: "mailbox" }).mail).toEqual({ transport: "mailbox" });
    const [problem] = problemsOf({ ...PUBLIC, MAIL_TRANSPORT: "mailbox" });
    expect(problem).toContain('MAIL_TRANSPORT "mailbox" is for a localhost issuer');
  });

  it("has to be chosen for any other service", () => {
    const problems = problemsOf({ ISSUER: PUBLIC.ISSUER });
    expect(problems).toContain('MAIL_TRANSPORT must be "binding" or "http"');
    expect(problemsOf({ ...PUBLIC, MAIL_TRANSPORT: "smtp" })).toEqual([
      "MAIL_TRANSPORT must be one of mailbox, binding, http",
      'MAIL_TRANSPORT must be "binding" or "http"',
    ]);
  });

  it("through the binding needs a sender", () => {
    expect(configOf(PUBLIC).mail).toEqual({ transport: "binding", from: PUBLIC.MAIL_FROM });
    expect(problemsOf({ ...PUBLIC, MAIL_FROM: "" })).toEqual(["MAIL_FROM is required with this mail transport"]);
    expect(problemsOf({ ...PUBLIC, MAIL_FROM: "Sallyport" })).toEqual(["MAIL_FROM must hold an email address"]);
  });

  it("over HTTP needs sender, address and secret, and an https address unless local", () => {
    const http = { ...PUBLIC, MAIL_TRANSPORT: "http", MAIL_URL: "https://mail.example/send", MAIL_TOKEN: "t" };
    const { MAIL_FROM: from, MAIL_URL: url, MAIL_TOKEN: token } = http;
    expect(configOf(http).mail).toEqual({ transport: "http", from, url, token });
    for (const name of ["MAIL_FROM", "MAIL_URL", "MAIL_TOKEN"]) {
      expect(problemsOf({ ...http, [name]: "" })).toContain(`${name} is required with this mail transport`);
    }
    const plain = { ...http, MAIL_URL: "http://mail.example/send" };
    expect(problemsOf(plain)).toEqual(["MAIL_URL must be an https address"]);
    expect(problemsOf({ ...plain, ...LOCAL })).toEqual([]);
    for (const url of ["https://", "mail.example/send", "https//mail.example", "HTTP://mail.example"]) {
      expect(problemsOf({ ...http, MAIL_URL: url }), url).toEqual(["MAIL_URL must be an https address"]);
    }
  });
});

describe("wrong settings", () => {
  it("are all named at once", () => {
    const wrong = { ISSUER: "x", PROFILE: "x", ACCESS_TOKEN_TTL: "1", ALLOWED_ORIGINS: "*", JURISDICTION: "x" };
    const names = problemsOf({ ...wrong, MAIL_TRANSPORT: "binding", MAIL_FROM: "a@b" }).map((it) => it.split(" ")[0]);
    expect(names.sort()).toEqual(Object.keys(wrong).sort());
  });

  it("are named without the secret that stands beside them", () => {
    const problems = problemsOf({ ISSUER: "x", ROOT_SECRET: "hidden", MAIL_TOKEN: "hidden", MAIL_TRANSPORT: "http" });
    expect(problems.join()).not.toContain("hidden");
  });

  it("are not made up of other bindings", () => {
    expect(problemsOf({ ...LOCAL, DB: {}, KV: {}, constructor: "x", toString: "y" })).toEqual([]);
  });
});
