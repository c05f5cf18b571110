import { describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import { type Knock, openFirstDoor } from "../../../src/account/first-door.ts";
import type { SecondFactorPolicy } from "../../../src/account/methods.ts";
import { addPasskey } from "../../../src/account/passkey-enrolment.ts";
import { finishRecovery } from "../../../src/account/recovery.ts";
import { keepPendingFactor, settleConfirmation } from "../../../src/account/totp-enrolment.ts";
import { browser, claim, NOW, passkey, TERMS, trust } from "../support/account-samples.ts";
import { busyAccount, verdict } from "../support/changing.ts";

const CODES = { codes: ["shown"], kept: { keyId: 1, digests: ["n1"] } };
const AT = NOW / 1000;

/** An account whose recovery has just been finished, with a browser that signed in before. */
function recovered(): AccountStore {
  const recovery = { id: "r1", startedAt: 0, finishAfter: NOW };
  const store = busyAccount({ guard: { life: { recovery }, browsers: [browser({ trust: trust() })] } });
  finishRecovery(store, verdict(), "r1", NOW);
  return store;
}

function knock(store: AccountStore, who: Partial<Knock> = {}, secondFactor: SecondFactorPolicy = "optional") {
  const trustTerms = { ...claim().trustTerms, secondFactor };
  const knocks = { ...claim({ trustTerms }), isProven: false, ...who };
  return openFirstDoor(store, verdict(), { ...TERMS, secondFactor }, knocks, NOW);
}

const PROVEN = { isProven: true };

/** The enrolment that a right password and a proven mailbox get. */
function bearerOf(store: AccountStore) {
  const opened = knock(store, PROVEN);
  if (!("enrolmentId" in opened)) throw new Error("no factor may be added");
  return { kind: "enrolment", enrolmentId: opened.enrolmentId } as const;
}

describe("an account that has lost its factors", () => {
  it.each([
    ["optional", ["totp", "passkey"]],
    ["required", ["totp", "passkey"]],
    ["passkey", ["passkey"]],
  ] as const)("adds one before anything else, where a second factor is %s", (policy, methods) => {
    const store = recovered();
    expect(knock(store, PROVEN, policy)).toMatchObject({ kind: "enrolment", methods });
    expect(store.sessions()).toEqual([]);
    expect(store.guard().life.mustEnrol).toBe(true);
  });

  it.each([
    ["a stranger who has the password", {}],
    ["a browser that was trusted", { trustIds: ["trust-1"] }],
    ["a browser that was recognised", { recognisedIds: ["b1"] }],
  ])("lets no password alone add one: %s", (_, who) => {
    const store = recovered();
    expect(knock(store, who)).toEqual({ refused: "mailbox_unproven" });
    expect(store.guard().enrolments).toEqual([]);
    expect(store.sessions()).toEqual([]);
  });

  it.each([
    [
      "an app",
      (store: AccountStore, bearer: ReturnType<typeof bearerOf>) => {
        keepPendingFactor(store, bearer, "optional", { id: "t9", label: "New", sealedSecret: "" }, NOW);
        const matches = [{ factorId: "t9", steps: [10] }];
        return settleConfirmation(store, bearer, "t9", matches, { codes: CODES, claim: claim() }, NOW);
      },
      { pwd: AT, otp: AT },
    ],
    [
      "a passkey",
      (store: AccountStore, bearer: ReturnType<typeof bearerOf>) => {
        const { credential } = passkey();
        return addPasskey(store, bearer, { label: "New", credential }, { codes: CODES, claim: claim() }, NOW);
      },
      { pwd: AT, swk: AT, uv: AT },
    ],
  ])(
    "is whole again with %s: signed in by both, with new codes, and asked for both from then on",
    (_, add, factors) => {
      const store = recovered();
      expect(add(store, bearerOf(store))).toMatchObject({
        kind: "active",
        recoveryCodes: ["shown"],
        session: { factors },
      });
      expect(store.guard().life).toEqual({});
      expect(store.guard().recoveryCodes).toEqual(CODES.kept);
      expect(knock(store, PROVEN)).toMatchObject({ kind: "challenge" });
    },
  );

  it("stays as it is where the new factor is not enough", () => {
    const store = recovered();
    const opened = knock(store, PROVEN, "passkey");
    const enrolmentId = "enrolmentId" in opened ? opened.enrolmentId : "";
    const bearer = { kind: "enrolment", enrolmentId } as const;
    keepPendingFactor(store, bearer, "optional", { id: "t9", label: "New", sealedSecret: "" }, NOW);
    const matches = [{ factorId: "t9", steps: [10] }];
    expect(settleConfirmation(store, bearer, "t9", matches, { codes: CODES, claim: claim() }, NOW)).toEqual({
      refused: "factor_kind_not_accepted",
    });
    expect(store.guard().life.mustEnrol).toBe(true);
    expect(store.sessions()).toEqual([]);
  });

  it("knows no enrolment that was open before", () => {
    const store = recovered();
    const bearer = { kind: "enrolment", enrolmentId: "e1" } as const;
    const factor = { id: "t9", label: "New", sealedSecret: "" };
    expect(keepPendingFactor(store, bearer, "optional", factor, NOW)).toEqual({ refused: "enrolment_unknown" });
  });
});

describe("a new factor", () => {
  it("ends a recovery, and a link that would start one: not every factor is lost", () => {
    const recovery = { id: "r1", startedAt: NOW, finishAfter: NOW + 1 };
    const recoveryRequest = { id: "link", expiresAt: NOW + 1 };
    const store = busyAccount({ guard: { life: { recovery, recoveryRequest } } });
    const { credential } = passkey({}, { id: "ZZZZ" });
    const bearer = { kind: "session", sessionId: "s1", acr: "aal2", factors: { otp: AT } } as const;
    addPasskey(store, bearer, { label: "New", credential }, { codes: CODES, claim: claim() }, NOW);
    expect(store.guard().life).toEqual({});
  });

  it("has not the credential id of one that does not count now, which would be there twice", () => {
    const asleep = passkey({ suspended: true });
    const store = busyAccount({ factors: [asleep, passkey({ id: "p2" }, { id: "BAUG" })] });
    const bearer = { kind: "session", sessionId: "s1", acr: "aal2", factors: { otp: AT } } as const;
    const { credential } = asleep;
    const added = addPasskey(store, bearer, { label: "New", credential }, { codes: CODES, claim: claim() }, NOW);
    expect(added).toEqual({ refused: "credential_known" });
  });
});
