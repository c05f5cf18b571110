import { describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import { openStepUp, type StepUpRequest, settlePasswordStepUp } from "../../../src/account/step-up.ts";
import { describeProof } from "../../../src/tokens/proof.ts";
import { challenge, NOW, passkey, pendingFactor, session, TERMS, totpFactor } from "../support/account-samples.ts";
import { type StoredAccount, storeWith } from "../support/memory-store.ts";

const AT = NOW / 1000;
const RIGHT = { right: true, passwordVersion: 1 };
const WRONG = { right: false, passwordVersion: 1 };
const ENDED = { refused: "session_ended" };

const request = (changes: Partial<StepUpRequest> = {}): StepUpRequest => ({
  sessionId: "s1",
  audience: { name: "https://service.example.com" },
  secondFactor: "optional",
  withPassword: false,
  ...changes,
});
const withPassword = request({ withPassword: true });

const plain = (changes: StoredAccount = {}) => storeWith({ sessions: [session({ factors: { pwd: AT } })], ...changes });
const guarded = (changes: StoredAccount = {}) =>
  storeWith({ sessions: [session()], factors: [totpFactor()], ...changes });
const recovered = (changes: StoredAccount = {}) =>
  guarded({
    sessions: [session({ factors: { pwd: AT - 60, recovery_code: AT - 60 } })],
    guard: { recoveryCodes: { keyId: 1, digests: ["d1"] } },
    ...changes,
  });

/** One password given to step-up, from its attempt to its verdict. */
function givePassword(store: AccountStore, verdict = RIGHT, now = NOW) {
  const opened = openStepUp(store, withPassword, now);
  if (!("kind" in opened) || opened.kind !== "password_reserved") return opened;
  return settlePasswordStepUp(store, withPassword, verdict, now);
}

describe("a step-up", () => {
  it("is a challenge where there is something to prove, bound to the session and to what it asked for", () => {
    const store = guarded();
    expect(openStepUp(store, request(), NOW)).toMatchObject({
      kind: "challenge",
      purpose: "step_up",
      methods: ["totp"],
    });
    expect(store.guard().challenges).toEqual([
      expect.objectContaining({
        sessionId: "s1",
        factors: session().factors,
        terms: { ...TERMS, audience: "https://service.example.com" },
      }),
    ]);
    expect(store.guard().challenges[0]).not.toHaveProperty("pot");
    expect(store.session("s1")).toEqual(session());
  });

  it("is a challenge there even with a password, which takes no attempt", () => {
    const store = guarded();
    expect(openStepUp(store, withPassword, NOW)).toMatchObject({ kind: "challenge" });
    expect(store.guard().pots).toEqual({});
  });

  it("takes the place of the session's earlier one alone", () => {
    const open = [
      challenge({ id: "login" }),
      challenge({ id: "earlier", purpose: "step_up", sessionId: "s1" }),
      challenge({ id: "renewal", purpose: "reauthenticate", sessionId: "s1" }),
    ];
    const store = guarded({ guard: { challenges: open } });
    openStepUp(store, request(), NOW);
    expect(store.guard().challenges.map(({ id }) => id)).toEqual(["login", "renewal", expect.any(String)]);
  });

  it("asks for the password where there is nothing else, and takes an attempt only when one comes", () => {
    for (const store of [plain(), plain({ factors: [pendingFactor("s1")] })]) {
      expect(openStepUp(store, request(), NOW)).toEqual({ kind: "password_needed" });
      expect(store.guard().pots).toEqual({});
      expect(openStepUp(store, withPassword, NOW)).toEqual({ kind: "password_reserved" });
      expect(store.guard().pots).toEqual({ s1: 1 });
    }
  });

  it("is nothing for a session that has ended", () => {
    expect(openStepUp(plain({ sessions: [] }), withPassword, NOW)).toEqual(ENDED);
    expect(settlePasswordStepUp(plain({ sessions: [] }), withPassword, RIGHT, NOW)).toEqual(ENDED);
  });

  it("asks for nothing that would not be enough: no code where only passkeys count", () => {
    const store = guarded({ factors: [totpFactor(), passkey()] });
    expect(openStepUp(store, request({ secondFactor: "passkey" }), NOW)).toMatchObject({ methods: ["passkey"] });
  });

  it.each([
    ["a password where a factor is required by now, and there is none", "required", { pwd: AT }, []],
    ["a password where a passkey is required by now, and there is none", "passkey", { pwd: AT }, []],
    ["a code where only passkeys count by now, and there is none", "passkey", { pwd: AT, otp: AT }, [totpFactor()]],
  ] as const)("ends a session that is no longer enough: %s", (_, secondFactor, factors, kept) => {
    for (const withPassword of [true, false]) {
      const store = storeWith({ sessions: [session({ factors })], factors: [...kept] });
      expect(openStepUp(store, request({ secondFactor, withPassword }), NOW)).toEqual(ENDED);
      expect(store.sessions()).toEqual([]);
    }
  });

  it("does not ask a recovery session for the factor that it enrolled itself", () => {
    const own = totpFactor({ id: "t2", enrolledAfterRecoveryBy: "s1" });
    const store = recovered({ factors: [own], guard: {} });
    expect(openStepUp(store, request(), NOW)).toEqual({ kind: "password_needed" });
    expect(openStepUp(recovered({ factors: [own, totpFactor()] }), request(), NOW)).toMatchObject({
      methods: ["totp", "recovery_code"],
    });
  });
});

describe("a step-up by password", () => {
  it("opens one access token with a newer password, and the session stays as it was", () => {
    const store = plain();
    const before = store.session("s1");
    expect(givePassword(store, RIGHT, NOW + 600_000)).toEqual({
      kind: "access",
      sessionId: "s1",
      sessionEndsAt: NOW + 86_400_000,
      audience: "https://service.example.com",
      roles: [],
      factors: { pwd: AT + 600 },
    });
    expect(store.session("s1")).toEqual(before);
  });

  it("takes five wrong ones, the fifth of which ends the session", () => {
    const store = plain();
    for (let wrong = 1; wrong <= 5; wrong += 1) {
      expect(store.session("s1")).toBeDefined();
      expect(givePassword(store, WRONG)).toEqual({ refused: "wrong_step_up_password" });
    }
    expect(store.session("s1")).toBeUndefined();
    expect(store.guard().pots).toEqual({});
    expect(givePassword(store)).toEqual(ENDED);
  });

  it("spends an attempt that never comes back, and the one after five such ends the session", () => {
    const store = plain();
    for (let lost = 1; lost <= 5; lost += 1) openStepUp(store, withPassword, NOW);
    expect(openStepUp(store, withPassword, NOW)).toEqual(ENDED);
    expect(store.session("s1")).toBeUndefined();
  });

  it("forgives the wrong ones before it", () => {
    const store = plain();
    for (let wrong = 1; wrong <= 4; wrong += 1) givePassword(store, WRONG);
    expect(givePassword(store)).toMatchObject({ kind: "access" });
    expect(store.guard().pots).toEqual({});
  });

  it("is too little once a factor has come, or the password has changed, while it was hashed", () => {
    const store = plain();
    openStepUp(store, withPassword, NOW);
    store.saveFactor(totpFactor());
    expect(settlePasswordStepUp(store, withPassword, RIGHT, NOW)).toEqual({ refused: "verdict_overtaken" });
    const changed = plain();
    openStepUp(changed, withPassword, NOW);
    expect(settlePasswordStepUp(changed, withPassword, { right: true, passwordVersion: 2 }, NOW)).toEqual({
      refused: "verdict_overtaken",
    });
  });
});

it("a session whose account has no factor any more renews its password and nothing else", () => {
  const store = plain({ sessions: [session({ factors: { pwd: AT - 900, otp: AT - 900 } })] });
  const granted = givePassword(store);
  expect(granted).toMatchObject({ kind: "access", factors: { pwd: AT } });
  expect("factors" in granted && describeProof(granted.factors).acr).toBe("aal1");
});

describe("a recovery session", () => {
  it("may give its password once more, beside what it could be challenged with", () => {
    const store = recovered();
    expect(openStepUp(store, request(), NOW)).toMatchObject({ kind: "challenge", methods: ["totp", "recovery_code"] });
    const granted = givePassword(store);
    expect(granted).toMatchObject({ kind: "access", factors: { pwd: AT, recovery_code: AT - 60 } });
    expect("factors" in granted && describeProof(granted.factors).acr).toBe("aal2-recovery");
  });

  it("does not pay for guesses at the factor with it: a right password gives back its own attempt alone", () => {
    const store = recovered({ guard: { pots: { s1: 4 } } });
    expect(givePassword(store)).toMatchObject({ kind: "access" });
    expect(store.guard().pots).toEqual({ s1: 4 });
    const nothingElse = recovered({ factors: [], guard: { pots: { s1: 4 } } });
    givePassword(nothingElse);
    expect(nothingElse.guard().pots).toEqual({});
  });

  it("remembers that it did, and not as proof: what a refresh says stays as it was", () => {
    const store = recovered();
    const before = store.session("s1");
    givePassword(store);
    expect(store.session("s1")).toEqual({ ...before, passwordAgainAt: AT });
  });

  it("remembers nothing of a wrong password", () => {
    const store = recovered();
    givePassword(store, WRONG);
    expect(store.session("s1")).not.toHaveProperty("passwordAgainAt");
  });

  it("is the only one that remembers", () => {
    const store = plain();
    givePassword(store);
    expect(store.session("s1")).not.toHaveProperty("passwordAgainAt");
  });
});
