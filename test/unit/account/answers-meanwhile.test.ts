import { describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import type { Evidence } from "../../../src/account/evidence.ts";
import { passkey } from "../support/account-samples.ts";
import { accountWith, answer, assertion, CODE, RECOVERY, STEP_UP } from "../support/answering.ts";

describe("what happens while an answer is checked", () => {
  const twice = (evidence: Evidence) => {
    const store = accountWith();
    const second = answer(store, evidence, {}, () => answer(store, evidence));
    return [store.sessions().length, second];
  };

  it.each([CODE, assertion(), RECOVERY])(
    "one right answer, given twice at once, opens one session: $method",
    (evidence) => {
      expect(twice(evidence)).toEqual([2, { refused: "challenge_unknown" }]);
    },
  );

  it.each([
    ["the factor is removed", (store: AccountStore) => store.deleteFactor("t1"), "replayed_code"],
    [
      "the password changes",
      (store: AccountStore) => store.saveGuard({ ...store.guard(), passwordVersion: 2 }),
      "challenge_overtaken",
    ],
    [
      "the challenge is dropped",
      (store: AccountStore) => store.saveGuard({ ...store.guard(), challenges: [] }),
      "challenge_unknown",
    ],
  ])("%s: the right code opens nothing", (_, change, refused) => {
    const store = accountWith({}, { sessions: [] });
    expect(answer(store, CODE, {}, () => change(store))).toMatchObject({ refused });
    expect(store.sessions()).toEqual([]);
  });

  it("the session ends: its step-up opens nothing, and the code is used up all the same", () => {
    const store = accountWith(STEP_UP);
    expect(answer(store, CODE, {}, () => store.deleteSession("s1", store.guard()))).toEqual({
      refused: "challenge_overtaken",
    });
    expect(store.guard().accepted).toMatchObject({ t1: { step: 10 } });
  });
});

describe("a passkey that never verified its user", () => {
  const unverified = passkey({}, { userVerified: false });
  const isVerified = (store: AccountStore) =>
    store.factors().map((one) => one.kind === "passkey" && one.credential.userVerified);

  it("may be used alone once it has done so beside a password (WebAuthn §7.2, last step)", () => {
    const store = accountWith({}, { factors: [unverified] });
    answer(store, assertion(1, true));
    expect(isVerified(store)).toEqual([true]);
  });

  it("may not when it has not, or when its assertion was refused", () => {
    const store = accountWith({}, { factors: [unverified], guard: { counters: { p1: { signCount: 9, at: 1 } } } });
    answer(store, assertion(1, true));
    answer(store, assertion(10, false));
    expect(isVerified(store)).toEqual([false]);
  });
});
