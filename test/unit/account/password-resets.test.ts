import { describe, expect, it } from "vitest";
import type { AccountStore, Guard } from "../../../src/account/account-store.ts";
import type { SecondFactorPolicy } from "../../../src/account/methods.ts";
import { awaitReset, openReset } from "../../../src/account/password-changes.ts";
import { browser, claim, NOW, passkey, TERMS, totpFactor } from "../support/account-samples.ts";
import { answer, assertion, CODE, RECOVERY, WRONG_CODE } from "../support/answering.ts";
import {
  busyAccount,
  commitPrepared,
  DAY,
  OLD_FACTORS,
  preparedKey,
  verdict,
  whatIsOpen,
} from "../support/changing.ts";
import { type StoredAccount, storeWith } from "../support/memory-store.ts";

const HALF_AN_HOUR = 1_800_000;
const NO_CODES = { keyId: 0, digests: [] };

/** A reset link comes back with a new password. */
function open(
  store: AccountStore,
  linkId = "link",
  { now = NOW, sealed = "sealed", version = 1, policy = "optional" as SecondFactorPolicy, known = [] as string[] } = {},
) {
  const request = {
    linkId,
    sealedPassword: sealed,
    terms: { ...TERMS, secondFactor: policy },
    claim: claim({ recognisedIds: known }),
  };
  return openReset(store, verdict(version, now), request, now);
}

/** An account that nothing is open in, and whose owner has asked for a link. */
function forgetful(account: StoredAccount = {}, guard: Partial<Guard> = {}): AccountStore {
  const codes = { keyId: 1, digests: ["d1", "d2"] };
  const store = storeWith({ factors: OLD_FACTORS, ...account, guard: { recoveryCodes: codes, ...guard } });
  awaitReset(store, verdict(), "link", NOW);
  return store;
}

const plain = () => forgetful({ factors: [] }, { recoveryCodes: NO_CODES });

describe("the link of a reset", () => {
  it("is waited for half an hour, and to ask for it ends nothing", () => {
    const store = busyAccount();
    const before = whatIsOpen(store);
    expect(awaitReset(store, verdict(), "link", NOW)).toEqual({ kind: "awaited" });
    expect(store.guard().life).toEqual({ reset: { id: "link", expiresAt: NOW + HALF_AN_HOUR } });
    expect(whatIsOpen(store)).toEqual(before);
  });

  it.each([
    ["where there is a factor", forgetful],
    ["where there is none", plain],
  ])("is dead when its time is up, and when it is another one: %s", (_, account) => {
    const store = account();
    for (const id of ["other", ""]) expect(open(store, id)).toEqual({ refused: "link_used" });
    expect(open(store, "link", { now: NOW + HALF_AN_HOUR })).toEqual({ refused: "link_used" });
    expect(open(store, "link", { now: NOW + HALF_AN_HOUR - 1 })).not.toHaveProperty("refused");
    const overtaken = account();
    awaitReset(overtaken, verdict(), "newer", NOW + 1000);
    expect(open(overtaken)).toEqual({ refused: "link_used" });
    expect(overtaken.guard()).toMatchObject({ challenges: [], passwordVersion: 1 });
    expect(open(overtaken, "newer")).not.toHaveProperty("refused");
  });

  it("is not waited for by an older version, a change that is under way, or an account that is no more", () => {
    const refused = (guard: Partial<Guard>) => awaitReset(busyAccount({ guard }), verdict(), "link", NOW);
    expect(refused({ passwordVersion: 2 })).toHaveProperty("refused");
    expect(refused({ epoch: 2 })).toHaveProperty("refused");
    expect(refused({ life: { isBuried: true } })).toHaveProperty("refused");
    const store = plain();
    open(store);
    expect(awaitReset(store, verdict(), "newer", NOW + 1000)).toMatchObject({ refused: "change_under_way" });
  });
});

describe("a reset where there is nothing to prove", () => {
  it("is ready for the directory at once, and signs everybody out", () => {
    const guard = { recoveryCodes: NO_CODES, life: { reset: { id: "link", expiresAt: NOW + 1 } } };
    const store = busyAccount({ factors: [], guard });
    expect(open(store)).toEqual({
      kind: "reset_prepared",
      key: preparedKey(store),
      version: 2,
      sealedPassword: "sealed",
    });
    expect(whatIsOpen(store)).toEqual([]);
  });

  it("that is sent twice with two passwords hands each of them on, for the directory to take one", () => {
    const store = plain();
    const answers = ["one", "two"].map((sealed) => open(store, "link", { sealed }));
    expect(answers).toMatchObject([
      { key: preparedKey(store), version: 2, sealedPassword: "one" },
      { key: preparedKey(store), version: 2, sealedPassword: "two" },
    ]);
  });

  it("forgives what was held against strangers once it is made, and nothing before", () => {
    const streaks = { failures: 10, abandoned: 5, byMethod: { totp: 100 } };
    const store = forgetful({ factors: [] }, { recoveryCodes: NO_CODES, streaks });
    open(store);
    expect(store.guard().streaks).toEqual(streaks);
    commitPrepared(store);
    expect(store.guard().streaks).toEqual({ failures: 0, abandoned: 0, byMethod: {} });
    expect(store.guard().life).toEqual({ settledAt: NOW });
    expect(store.sessions()).toEqual([]);
  });
});

describe("a reset where there is a second factor", () => {
  it("asks for it, and until it is proven nothing is changed and nobody signed out", () => {
    const store = busyAccount({ guard: { life: { reset: { id: "link", expiresAt: NOW + 1 } } } });
    const before = whatIsOpen(store);
    expect(open(store)).toMatchObject({
      kind: "challenge",
      purpose: "password_reset",
      methods: ["totp", "passkey", "recovery_code"],
    });
    expect(store.guard()).toMatchObject({ passwordVersion: 1, life: { reset: { id: "link" } } });
    expect(whatIsOpen(store)).toEqual(expect.arrayContaining(before));
  });

  it.each([
    ["optional", [totpFactor()], ["totp", "recovery_code"]],
    ["optional", [], ["recovery_code"]],
    ["required", [passkey()], ["passkey", "recovery_code"]],
    ["passkey", [totpFactor(), passkey()], ["passkey", "recovery_code"]],
    ["passkey", [totpFactor()], ["totp", "recovery_code"]],
  ] as const)("asks for what counts: where it is %s, case %#", (policy, factors, methods) => {
    const store = forgetful({ factors: [...factors] });
    expect(open(store, "link", { policy })).toMatchObject({ kind: "challenge", methods });
  });

  it("draws on the pot of proven mailboxes, or of the browser that is recognised, never on the strangers'", () => {
    const potOf = (known: string[]) => {
      const store = forgetful({}, { browsers: [browser()], attempts: { unrecognised: Array(10).fill(NOW) } });
      open(store, "link", { known });
      return store.guard().challenges.map(({ pot }) => pot);
    };
    expect(potOf([])).toEqual(["proven"]);
    expect(potOf(["x", "b1"])).toEqual(["b1"]);
  });

  it("that is sent twice is answered with the password that came last", () => {
    const store = forgetful();
    open(store, "link", { sealed: "one" });
    open(store, "link", { sealed: "two" });
    expect(store.guard().challenges).toHaveLength(1);
    expect(answer(store, CODE)).toMatchObject({ kind: "reset_prepared", sealedPassword: "two" });
  });

  it.each([
    ["a code", CODE, {}],
    ["a passkey", assertion(8), {}],
    ["a passkey that saw nobody, beside the mailbox", assertion(8, false), {}],
    ["a recovery code", RECOVERY, { recoveryCodesLeft: 1 }],
  ])("takes effect by %s, which is spent, and opens nothing else", (_, evidence, more) => {
    const store = forgetful({}, { browsers: [] });
    open(store);
    expect(answer(store, evidence, { asksForTrust: true })).toEqual({
      kind: "reset_prepared",
      key: preparedKey(store),
      version: 2,
      sealedPassword: "sealed",
      ...more,
    });
    expect(whatIsOpen(store)).toEqual([]);
    expect(store.guard()).toMatchObject({ browsers: [], passwordVersion: 2 });
    commitPrepared(store);
    expect(whatIsOpen(store)).toEqual([]);
    expect(store.factors()).toEqual(
      OLD_FACTORS.map((factor) => expect.objectContaining({ id: factor.id, kind: factor.kind })),
    );
    const { accepted, counters, recoveryCodes } = store.guard();
    const spent = [accepted.t1?.step === 10, counters.p1?.signCount === 8, recoveryCodes.digests.length === 1];
    expect(spent.filter(Boolean)).toHaveLength(1);
  });

  it.each([
    ["wrong", WRONG_CODE],
    ["replayed", CODE],
  ])("does not take effect by a code that is %s, and leaves the link good", (_, evidence) => {
    const store = forgetful({}, { accepted: { t1: { step: 10, at: NOW } } });
    open(store);
    expect(answer(store, evidence)).toMatchObject({ attemptsRemaining: 4 });
    expect(store.guard().life.prepared).toBeUndefined();
    expect(open(store)).toMatchObject({ kind: "challenge" });
  });

  it("opens once: its challenge is answered once, and dies with a change of anything else", () => {
    const store = forgetful();
    open(store);
    const [challenge] = store.guard().challenges;
    answer(store, CODE);
    expect(store.guard().challenges).toEqual([]);
    store.saveGuard({ ...store.guard(), challenges: challenge ? [challenge] : [] });
    expect(answer(store, assertion(8))).toHaveProperty("refused");
  });

  it("goes by the factors that count: what an undo has put to sleep resets nothing", () => {
    const asleep = totpFactor({ id: "t2", createdAt: NOW, suspended: true });
    const store = forgetful({ factors: [...OLD_FACTORS, asleep] });
    open(store);
    expect(answer(store, { method: "totp", matches: [{ factorId: "t2", steps: [10] }] })).toHaveProperty("refused");
  });

  it("ends a recovery: not every factor is lost", () => {
    const recovery = { id: "r1", startedAt: NOW, finishAfter: NOW + DAY };
    const store = forgetful({}, { life: { recovery } });
    open(store);
    expect(store.guard().life.recovery).toEqual(recovery);
    answer(store, CODE);
    expect(store.guard().life.recovery).toBeUndefined();
  });

  it("survives that the directory refuses it: the link is good again", () => {
    const store = forgetful();
    open(store);
    answer(store, CODE);
    expect(open(store, "link", { now: NOW + 1000 })).toMatchObject({ refused: "change_under_way" });
    expect(open(store, "link", { now: NOW + 62_000 })).toMatchObject({ kind: "challenge" });
  });
});
