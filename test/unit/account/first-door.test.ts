import { describe, expect, it } from "vitest";
import type { Factor } from "../../../src/account/factors.ts";
import { type Knock, openFirstDoor } from "../../../src/account/first-door.ts";
import type { SecondFactorPolicy } from "../../../src/account/methods.ts";
import { NO_STREAKS } from "../../../src/account/proof-mode.ts";
import {
  browser,
  challenge,
  claim,
  NOW,
  passkey,
  pendingFactor,
  TERMS,
  totpFactor,
  trust,
} from "../support/account-samples.ts";
import { type StoredAccount, storeWith } from "../support/memory-store.ts";

const FLOOR = { passwordVersion: 1, epoch: 1 };
const VERDICT = { ...FLOOR, readAfter: NOW };
const CODES = { keyId: 1, digests: ["d1"] };
const TERMS_OF_TRUST = claim().trustTerms;

/** A right password, in a browser that nobody knows unless the test says otherwise. */
function knock(
  account: StoredAccount,
  who: Partial<Knock> = {},
  policy: SecondFactorPolicy = "optional",
  roles: string[] = [],
) {
  const store = storeWith(account);
  const terms = { ...TERMS, secondFactor: policy, roles };
  const trustTerms = { ...claim().trustTerms, secondFactor: policy };
  const opened = openFirstDoor(store, VERDICT, terms, { ...claim({ trustTerms }), isProven: false, ...who }, NOW);
  return { store, opened };
}

const ACCOUNTS: Record<string, StoredAccount> = {
  nothing: {},
  "a pending factor": { factors: [pendingFactor("s1")] },
  totp: { factors: [totpFactor()], guard: { recoveryCodes: CODES } },
  passkey: { factors: [passkey()], guard: { recoveryCodes: CODES } },
  both: { factors: [totpFactor(), passkey()], guard: { recoveryCodes: CODES } },
  "recovery codes": { guard: { recoveryCodes: CODES } },
};

const ANY = ["totp", "passkey"];

describe("a right password", () => {
  it.each([
    ["optional", "nothing", "session", undefined],
    ["optional", "a pending factor", "session", undefined],
    ["optional", "totp", "challenge", ["totp", "recovery_code"]],
    ["optional", "passkey", "challenge", ["passkey", "recovery_code"]],
    ["optional", "both", "challenge", ["totp", "passkey", "recovery_code"]],
    ["optional", "recovery codes", "challenge", ["recovery_code"]],
    ["required", "nothing", "enrolment", ANY],
    ["required", "a pending factor", "enrolment", ANY],
    ["required", "totp", "challenge", ["totp", "recovery_code"]],
    ["required", "recovery codes", "challenge", ["recovery_code"]],
    ["passkey", "nothing", "enrolment", ["passkey"]],
    ["passkey", "a pending factor", "enrolment", ["passkey"]],
    ["passkey", "totp", "challenge", ["totp", "recovery_code"]],
    ["passkey", "both", "challenge", ["passkey", "recovery_code"]],
    ["passkey", "recovery codes", "challenge", ["recovery_code"]],
  ] as const)("where a second factor is %s and the account has %s opens a %s", (policy, account, kind, methods) => {
    const { store, opened } = knock(ACCOUNTS[account] ?? {}, {}, policy);
    expect(opened).toMatchObject(methods ? { kind, methods } : { kind });
    // What it opens is all there is: no session before the second door, no way to enrol beside a session.
    expect(store.sessions()).toHaveLength(kind === "session" ? 1 : 0);
    expect(store.guard().challenges).toHaveLength(kind === "challenge" ? 1 : 0);
    expect(store.guard().enrolments).toHaveLength(kind === "enrolment" ? 1 : 0);
  });

  it("of an older version, or of an older epoch, opens nothing", () => {
    for (const floor of [{ passwordVersion: 2 }, { epoch: 2 }]) {
      const { store, opened } = knock({ guard: { ...FLOOR, ...floor } });
      expect(opened).toEqual({ refused: "verdict_overtaken" });
      expect(store.sessions()).toEqual([]);
    }
  });

  it("is all that its session has proven", () => {
    const { store } = knock({});
    expect(store.sessions()[0]?.factors).toEqual({ pwd: NOW / 1000 });
    expect(store.sessions()[0]?.trustedBy).toBeUndefined();
  });
});

describe("whose attempts a sign-in draws on", () => {
  const known: StoredAccount = {
    factors: [totpFactor()],
    guard: { browsers: [browser({ id: "b1", trust: trust() })] },
  };
  const potOf = ({ store }: ReturnType<typeof knock>) => store.guard().challenges[0]?.pot;

  it.each([
    ["strangers', from an unknown browser", {}, "unrecognised"],
    ["strangers', with cookies of other accounts", { recognisedIds: ["x"], trustIds: ["y"] }, "unrecognised"],
    ["its own, from a recognised browser", { recognisedIds: ["b1"] }, "b1"],
    ["its own, from a recognised browser with a proven mailbox", { recognisedIds: ["b1"], isProven: true }, "b1"],
    ["that of proven mailboxes, after a mailed proof", { isProven: true }, "proven"],
    ["strangers', with the id of a browser in the cookie of a trusted one", { trustIds: ["b1"] }, "unrecognised"],
  ])("%s", (_, who, pot) => {
    expect(potOf(knock(known, who))).toBe(pot);
  });
});

describe("proof mode", () => {
  const inProofMode: StoredAccount = {
    factors: [totpFactor()],
    guard: { streaks: { ...NO_STREAKS, failures: 10 }, browsers: [browser()] },
  };

  it("opens no challenge for strangers", () => {
    const { store, opened } = knock(inProofMode);
    expect(opened).toEqual({ refused: "mailbox_unproven" });
    expect(store.guard().challenges).toEqual([]);
  });

  it.each([
    ["whoever has proven the mailbox", { isProven: true }],
    ["a recognised browser", { recognisedIds: ["b1"] }],
  ])("opens one for %s", (_, who) => {
    expect(knock(inProofMode, who).opened).toMatchObject({ kind: "challenge" });
  });

  it("asks nobody where there is no second door", () => {
    const plain = { guard: { streaks: { ...NO_STREAKS, failures: 10 } } };
    expect(knock(plain).opened).toMatchObject({ kind: "session" });
  });

  it("begins with the fifth challenge that a stranger leaves, counted when the next one knocks", () => {
    const left = (count: number): StoredAccount => ({
      factors: [totpFactor()],
      guard: {
        streaks: { ...NO_STREAKS, abandoned: count },
        challenges: [challenge({ id: "left", expiresAt: NOW })],
      },
    });
    expect(knock(left(3)).opened).toMatchObject({ kind: "challenge" });
    const { store, opened } = knock(left(4));
    expect(opened).toEqual({ refused: "mailbox_unproven" });
    expect(store.guard().streaks.abandoned).toBe(5);
    // A second knock counts nothing twice.
    openFirstDoor(store, VERDICT, TERMS, { ...claim(), isProven: false }, NOW);
    expect(store.guard().streaks.abandoned).toBe(5);
  });

  it("counts what a stranger's fourth sign-in pushes out", () => {
    const three = ["a", "b", "c"].map((id) => challenge({ id }));
    const { store } = knock({ factors: [totpFactor()], guard: { challenges: three } });
    expect(store.guard().challenges).toHaveLength(3);
    expect(store.guard().streaks.abandoned).toBe(1);
  });
});

describe("a trusted browser", () => {
  const trusting = (factors: Factor[] = [totpFactor()]): StoredAccount => ({
    factors,
    guard: { browsers: [browser({ trust: trust() })] },
  });

  it("gets a session by password alone, which says that it is no more than that and who stood in for it", () => {
    const { store, opened } = knock(trusting(), { trustIds: ["trust-1"] });
    expect(opened).toMatchObject({ kind: "session", factors: { pwd: NOW / 1000 } });
    expect(store.sessions()[0]).toMatchObject({ factors: { pwd: NOW / 1000 }, trustedBy: "b1" });
  });

  it.each([
    ["once the trust is over", { trustIds: ["trust-1"] }, { until: NOW }],
    ["under a new password", { trustIds: ["trust-1"] }, { passwordVersion: 0 }],
    ["under a new epoch", { trustIds: ["trust-1"] }, { epoch: 0 }],
    [
      "once trust may not last as long",
      { trustIds: ["trust-1"], trustTerms: { ...TERMS_OF_TRUST, trustForMs: 0 } },
      {},
    ],
    ["once other things are demanded", { trustIds: ["trust-1"] }, { secondFactor: "required" }],
    ["with the cookie of a recognised browser", { recognisedIds: ["b1"] }, {}],
    ["with the id of a recognised browser in place of its trust", { trustIds: ["b1"] }, {}],
    ["with the name of its trust in place of its id", { recognisedIds: ["trust-1"] }, {}],
  ] as [string, Partial<Knock>, Parameters<typeof trust>[0]][])("is asked %s", (_, who, changes) => {
    const account = trusting();
    account.guard = { browsers: [browser({ trust: trust(changes) })] };
    expect(knock(account, who).opened).toMatchObject({ kind: "challenge" });
  });

  it("is recognised as before, and its password forgives nobody anything", () => {
    const account = trusting();
    const streaks = { failures: 10, abandoned: 4, byMethod: { totp: 99 } };
    account.guard = { ...account.guard, streaks };
    const { store, opened } = knock(account, { trustIds: ["trust-1"], recognisedIds: ["b1"] });
    expect(opened).toMatchObject({ kind: "session", browser: { id: "b1" } });
    expect(store.guard().streaks).toEqual(streaks);
    expect(store.guard().browsers).toEqual([browser({ trust: trust() })]);
  });

  it("is asked every time where its owner administers others", () => {
    expect(knock(trusting(), { trustIds: ["trust-1"] }, "optional", ["admin"]).opened).toMatchObject({
      kind: "challenge",
    });
    expect(knock(trusting(), { trustIds: ["trust-1"] }, "optional", ["editor"]).opened).toMatchObject({
      kind: "session",
    });
  });
});

describe("a complete sign-in", () => {
  it("makes the browser known, and nothing is held against strangers any more but the rolling hour", () => {
    const account = {
      guard: { streaks: { failures: 9, abandoned: 4, byMethod: { totp: 99 } }, attempts: { unrecognised: [NOW - 1] } },
    };
    const { store, opened } = knock(account);
    const { browsers, streaks, attempts } = store.guard();
    expect(opened).toMatchObject({ browser: { id: browsers[0]?.id, emailDigest: "digest-1" } });
    expect(streaks).toEqual(NO_STREAKS);
    expect(attempts).toEqual({ unrecognised: [NOW - 1] });
  });

  it("makes nothing known that keeps no cookies", () => {
    const { store, opened } = knock({}, { isBrowser: false });
    expect(opened).not.toHaveProperty("browser");
    expect(store.guard().browsers).toEqual([]);
  });

  it("gives a forgotten browser's pot away", () => {
    const five = [1, 2, 3, 4, 5].map((age) => browser({ id: `b${age}`, lastUsedAt: NOW - age * 86_400_000 }));
    const attempts = Object.fromEntries([...five.map(({ id }) => [id, [NOW]]), ["proven", [NOW]]]);
    const { store } = knock({ guard: { browsers: five, attempts } });
    expect(Object.keys(store.guard().attempts).sort()).toEqual(["b1", "b2", "b3", "b4", "proven"]);
  });
});
