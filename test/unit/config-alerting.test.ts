import { describe, expect, it } from "vitest";
import { DAY_MS } from "../../src/policy.ts";
import { configOf, LOCAL, PUBLIC, problemsOf } from "./support/settings.ts";

/** 24 bytes, drawn once for this file. */
const SECRET = "kZr8/1m+Vh0dX3bWq7YtO9yFuJ2LsEcN";
const URL_OF_HOOK = "https://alerts.example.com/hook";
const hook = (members: object = {}) => ({
  ...PUBLIC,
  ALERT_WEBHOOK_URL: URL_OF_HOOK,
  ALERT_WEBHOOK_SECRET: SECRET,
  ...members,
});
const bytes = Uint8Array.from(atob(SECRET), (character) => character.charCodeAt(0));

describe("alerts", () => {
  it("go nowhere and do nothing where nothing is said", () => {
    expect(configOf(PUBLIC).alerting).toEqual({ mail: [], reactions: new Set() });
    expect(configOf({ ...PUBLIC, REACTIONS: "none" }).alerting.reactions).toEqual(new Set());
  });

  it.each([
    ["base64", SECRET],
    ["base64 with its name before it, as Standard Webhooks write it", `whsec_${SECRET}`],
    ["base64url", SECRET.replaceAll("+", "-").replaceAll("/", "_")],
  ])("are signed with a secret in %s", (_, secret) => {
    const { webhook } = configOf(hook({ ALERT_WEBHOOK_SECRET: secret })).alerting;
    expect(webhook).toEqual({ url: URL_OF_HOOK, secret: bytes });
  });

  it("may go to plain HTTP from a localhost issuer alone", () => {
    const local = { ...LOCAL, ALERT_WEBHOOK_URL: "http://localhost:9/hook", ALERT_WEBHOOK_SECRET: SECRET };
    expect(configOf(local).alerting.webhook?.url).toBe("http://localhost:9/hook");
    expect(problemsOf(hook({ ALERT_WEBHOOK_URL: "http://alerts.example.com/" }))[0]).toContain(
      "must be an https address",
    );
  });

  it.each([
    "https://user:pw@alerts.example.com/",
    "https://u@alerts.example.com/",
    "https://a.example/#x",
    "ftp://a.example/",
    "hook",
  ])("do not go to %s", (url) => {
    expect(problemsOf(hook({ ALERT_WEBHOOK_URL: url }))).toEqual([
      "ALERT_WEBHOOK_URL must be an https address such as https://alerts.example.com/hook, without a user name, a password or a fragment",
    ]);
  });

  it.each([
    ["", "is missing: nobody could tell a webhook of ours from a stranger's"],
    ["not base64!", "is not base64"],
    ["AAAAA", "is not base64"],
    [SECRET.slice(0, 28), "has 21 bytes and is too short"],
    [SECRET.repeat(3), "has 72 bytes and is too long"],
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is a published example and well known"],
    [btoa("abcd".repeat(6)), "repeats itself and is guessable"],
    [btoa("The quick brown fox jumps over"), "is text, and text is guessable"],
  ])("are not signed with %s", (secret, problem) => {
    const DRAW =
      "it needs 24 to 64 random bytes as base64 (openssl rand -base64 32), with or without whsec_ before them";
    const problems = problemsOf(hook({ ALERT_WEBHOOK_SECRET: secret }));
    expect(problems).toEqual([`ALERT_WEBHOOK_SECRET ${problem}; ${DRAW}`]);
    if (secret.length > 5) expect(problems.join()).not.toContain(secret);
  });

  it("need an address for their secret", () => {
    expect(problemsOf({ ...PUBLIC, ALERT_WEBHOOK_SECRET: SECRET })).toEqual([
      "ALERT_WEBHOOK_URL is missing, and ALERT_WEBHOOK_SECRET signs nothing without it",
    ]);
  });

  it("go to addresses, each once", () => {
    const ALERT_MAIL = "ops@example.com, night@example.com,ops@example.com";
    expect(configOf({ ...PUBLIC, ALERT_MAIL }).alerting.mail).toEqual(["ops@example.com", "night@example.com"]);
    expect(problemsOf({ ...PUBLIC, ALERT_MAIL: "ops@example.com, Ops <ops@example.com>" })).toEqual([
      "ALERT_MAIL must list addresses separated by commas; entry 2 is not one",
    ]);
    const many = Array.from({ length: 11 }, (_, index) => `ops${index}@example.com`).join();
    expect(problemsOf({ ...PUBLIC, ALERT_MAIL: many })).toEqual([
      "ALERT_MAIL must have at most 10 addresses; use a mailing list",
    ]);
  });

  it("do what the operator has named", () => {
    const reactions = (REACTIONS: string) => configOf({ ...PUBLIC, REACTIONS }).alerting.reactions;
    expect(reactions("ask_proof")).toEqual(new Set(["ask_proof"]));
    expect(reactions("ask_proof, throttle_source")).toEqual(new Set(["ask_proof", "throttle_source"]));
  });

  it.each(["block", "none, ask_proof", "ASK_PROOF"])("do not do %s", (REACTIONS) => {
    expect(problemsOf({ ...PUBLIC, REACTIONS })).toEqual([
      "REACTIONS must be none, or a list out of throttle_source, ask_proof, separated by commas",
    ]);
  });
});

describe("EVENT_RETENTION_DAYS", () => {
  it("is half a year, or as many days as are said", () => {
    expect(configOf(PUBLIC).eventRetentionMs).toBe(180 * DAY_MS);
    expect(configOf({ ...PUBLIC, EVENT_RETENTION_DAYS: "7" }).eventRetentionMs).toBe(7 * DAY_MS);
    for (const days of ["6", "3651", "0", "half"]) {
      expect(problemsOf({ ...PUBLIC, EVENT_RETENTION_DAYS: days })).toEqual([
        "EVENT_RETENTION_DAYS must be a whole number from 7 to 3650",
      ]);
    }
  });
});
