import { describe, expect, it } from "vitest";
import type { Answerer } from "../../../src/account/answers.ts";
import type { Challenge } from "../../../src/account/challenges.ts";
import type { Evidence } from "../../../src/account/evidence.ts";
import { hasSecret } from "../../../src/account/sessions.ts";
import { browser, NOW, SECRET, session, TERMS, totpFactor, trust } from "../support/account-samples.ts";
import { accountWith, answer, assertion, CODE, RECOVERY, STEP_UP, WRONG_CODE } from "../support/answering.ts";

const AT = NOW / 1000;
const RENEWAL = { purpose: "reauthenticate", sessionId: "s1" } as const;
const FAILURES = { failures: 9, abandoned: 4, byMethod: { totp: 9 } };

describe("a right answer to a sign-in", () => {
  it.each([
    ["a code", CODE, { pwd: AT, otp: AT + 1 }],
    ["a passkey", assertion(), { pwd: AT, swk: AT + 1, uv: AT + 1 }],
    ["a passkey of no verified user", assertion(1, false), { pwd: AT, swk: AT + 1 }],
    ["a recovery code", RECOVERY, { pwd: AT, recovery_code: AT + 1 }],
  ])("opens a session that has proven a password and %s", (_, evidence, factors) => {
    const store = accountWith();
    expect(answer(store, evidence)).toMatchObject({ kind: "session", factors, generation: 1 });
    expect(store.sessions().map((one) => one.factors)).toContainEqual(factors);
    expect(store.guard().challenges).toEqual([]);
  });

  it.each([CODE, assertion(), RECOVERY])(
    "gives back its attempt and forgives no other of the hour: $method",
    (evidence) => {
      const store = accountWith({}, { guard: { attempts: { unrecognised: [NOW - 2, NOW - 1] } } });
      answer(store, evidence);
      expect(store.guard().attempts).toEqual({ unrecognised: [NOW - 2, NOW - 1] });
    },
  );

  it.each([assertion(), RECOVERY])("at an empty pot gives back nothing, for it took nothing: $method", (evidence) => {
    const unrecognised = Array.from({ length: 10 }, (_, index) => NOW - index);
    const store = accountWith({}, { guard: { attempts: { unrecognised } } });
    expect(answer(store, evidence)).toMatchObject({ kind: "session" });
    expect(store.guard().attempts).toEqual({ unrecognised });
  });

  it("ends every row of failures", () => {
    const store = accountWith({}, { guard: { streaks: FAILURES } });
    answer(store, CODE);
    expect(store.guard().streaks).toEqual({ failures: 0, abandoned: 0, byMethod: {} });
  });

  it("makes the browser known, whichever factor it was", () => {
    for (const evidence of [CODE, assertion(), RECOVERY]) {
      const store = accountWith();
      const granted = answer(store, evidence);
      expect(granted).toMatchObject({ browser: { id: store.guard().browsers[0]?.id, emailDigest: "digest-1" } });
    }
  });

  it("is spent: a step, a counter, a code", () => {
    const store = accountWith();
    answer(store, CODE);
    expect(store.guard().accepted).toEqual({ t1: { step: 10, at: NOW + 1000 } });
    const other = accountWith();
    answer(other, assertion(7));
    expect(other.guard().counters).toEqual({ p1: { signCount: 7, at: NOW + 1000 } });
    const third = accountWith();
    expect(answer(third, RECOVERY)).toMatchObject({ recoveryCodesLeft: 1 });
    expect(third.guard().recoveryCodes.digests).toEqual(["d2"]);
  });

  it("where only passkeys count, by a code, opens the way to add one and nothing else", () => {
    const terms = { ...TERMS, secondFactor: "passkey" } as const;
    const store = accountWith({ terms }, { factors: [totpFactor()], sessions: [], guard: { streaks: FAILURES } });
    expect(answer(store, CODE)).toMatchObject({ kind: "enrolment", methods: ["passkey"] });
    expect(store.sessions()).toEqual([]);
    expect(store.guard().browsers).toEqual([]);
    expect(store.guard().streaks).toMatchObject({ abandoned: 4 });
    expect(store.guard().enrolments).toMatchObject([{ factors: { pwd: AT, otp: AT + 1 } }]);
  });
});

describe("trust in the browser", () => {
  const WEEK = 7 * 86_400_000;
  const trustTerms = { trustForMs: WEEK, secondFactor: "optional" } as const;
  const asks = { asksForTrust: true, trustTerms };

  it.each([CODE, assertion()])(
    "is given after a normal factor, where it was asked for and may be: $method",
    (evidence) => {
      const store = accountWith();
      const granted = answer(store, evidence, asks);
      const [known] = store.guard().browsers;
      expect(known?.trust).toMatchObject({ grantedAt: NOW + 1000, until: NOW + 1000 + WEEK, secondFactor: "optional" });
      expect(granted).toMatchObject({ browser: { id: known?.id, trusted: { id: known?.trust?.id } } });
    },
  );

  it.each([
    ["after a recovery code", RECOVERY, {}, asks],
    ["where nobody asked", CODE, {}, { trustTerms }],
    ["where the operator does not want it", CODE, {}, { ...asks, trustTerms: { ...trustTerms, trustForMs: 0 } }],
    ["to who administers others", CODE, { terms: { ...TERMS, roles: ["admin"] } }, asks],
    ["to what keeps no cookies", CODE, {}, { ...asks, isBrowser: false }],
    ["after a step-up", CODE, STEP_UP, asks],
    ["after a re-proof", CODE, RENEWAL, asks],
  ] as [string, Evidence, Partial<Challenge>, Partial<Answerer>][])("is not given %s", (_, evidence, open, who) => {
    const store = accountWith(open, { guard: { browsers: [browser()] } });
    expect(answer(store, evidence, { recognisedIds: ["b1"], ...who })).not.toHaveProperty("browser.trusted");
    for (const one of store.guard().browsers) expect(one).not.toHaveProperty("trust");
  });
});

describe("a right answer of a session", () => {
  it("to a step-up opens one access token, and the session stays as it was", () => {
    const terms = { ...TERMS, audience: "https://service.example.com" };
    const store = accountWith({ ...STEP_UP, terms, factors: session().factors });
    expect(answer(store, CODE)).toEqual({
      kind: "access",
      sessionId: "s1",
      sessionEndsAt: NOW + 86_400_000,
      audience: "https://service.example.com",
      roles: [],
      factors: { pwd: AT, otp: AT + 1 },
    });
    expect(store.sessions()).toEqual([session()]);
    expect(store.guard().browsers).toEqual([]);
  });

  it("to a re-proof is the next generation, with newer proof and another secret", () => {
    const store = accountWith({ ...RENEWAL, factors: session().factors });
    expect(answer(store, CODE)).toMatchObject({ kind: "session", sessionId: "s1", generation: 2 });
    const [renewed] = store.sessions();
    expect(renewed).toMatchObject({ factors: { pwd: AT, otp: AT + 1 }, generation: 2 });
    expect(renewed && hasSecret(renewed, SECRET)).toBe(false);
    expect(renewed?.absoluteExpiresAt).toBe(session().absoluteExpiresAt);
  });

  it("to a re-proof ends what a browser's trust had stood in for", () => {
    const store = accountWith({ ...RENEWAL }, { sessions: [session({ factors: { pwd: AT }, trustedBy: "b1" })] });
    answer(store, CODE);
    expect(store.sessions()[0]).not.toHaveProperty("trustedBy");
  });

  it("by recovery code opens what a recovery code opens, in that one token or in the session", () => {
    expect(answer(accountWith({ ...STEP_UP, factors: session().factors }), RECOVERY)).toMatchObject({
      kind: "access",
      factors: { pwd: AT, recovery_code: AT + 1 },
      recoveryCodesLeft: 1,
    });
    const store = accountWith({ ...RENEWAL, factors: session().factors });
    answer(store, RECOVERY);
    expect(store.sessions()[0]?.factors).toEqual({ pwd: AT, recovery_code: AT + 1 });
  });

  it("to a re-proof that is too little by now opens nothing, and is used up all the same", () => {
    const terms = { ...TERMS, secondFactor: "passkey" } as const;
    const store = accountWith({ ...RENEWAL, terms }, { sessions: [session({ factors: { pwd: AT } })] });
    expect(answer(store, CODE)).toEqual({ refused: "challenge_overtaken" });
    expect(store.sessions()).toEqual([session({ factors: { pwd: AT } })]);
    expect(store.guard().accepted).toMatchObject({ t1: { step: 10 } });
  });

  it("refills its own pot and says nothing about strangers", () => {
    const guard = { pots: { s1: 4, s2: 3 }, attempts: { unrecognised: [NOW] }, streaks: FAILURES };
    const store = accountWith(STEP_UP, { guard });
    answer(store, CODE);
    const after = store.guard();
    expect([after.pots, after.attempts]).toEqual([{ s2: 3 }, { unrecognised: [NOW] }]);
    expect(after.streaks).toEqual({ failures: 9, abandoned: 4, byMethod: {} });
  });
});

describe("a wrong answer", () => {
  it.each([
    ["a wrong code", WRONG_CODE, "wrong_code"],
    ["a code of a step that was used", CODE, "replayed_code"],
    ["a code of no factor of the account", { method: "totp", matches: [] }, "wrong_code"],
    ["an unknown recovery code", { method: "recovery_code", digest: "d9" }, "wrong_recovery_code"],
    ["a recovery code without a key", { method: "recovery_code", digest: undefined }, "wrong_recovery_code"],
    [
      "an assertion that does not verify",
      { method: "passkey", passkeyId: "p1", assertion: undefined },
      "wrong_assertion",
    ],
    ["an assertion of no passkey of the account", { method: "passkey" }, "wrong_assertion"],
    ["an assertion of what is no passkey", { ...assertion(), passkeyId: "t1" }, "wrong_assertion"],
    ["an assertion whose count did not rise", assertion(3), "sign_count_fell"],
  ] as [string, Evidence, string][])("opens nothing and costs one attempt: %s", (_, evidence, refused) => {
    const kept = { accepted: { t1: { step: 10, at: 1 } }, counters: { p1: { signCount: 3, at: 1 } } };
    // A copied passkey has been told today.
    const guard = { ...kept, warned: { sign_count_fell: NOW } };
    const store = accountWith({}, { guard });
    expect(answer(store, evidence)).toEqual({ refused, attemptsRemaining: 4 });
    expect(store.sessions()).toHaveLength(1);
    expect(store.guard()).toMatchObject({
      ...guard,
      attempts: { unrecognised: [NOW] },
      recoveryCodes: { digests: ["d1", "d2"] },
      streaks: { failures: 1, byMethod: { [evidence.method]: 1 } },
    });
  });

  it("is the fifth: the challenge is over", () => {
    const store = accountWith({ attempts: 4 });
    expect(answer(store, WRONG_CODE)).toMatchObject({ attemptsRemaining: 0 });
    expect(answer(store, CODE)).toEqual({ refused: "challenge_exhausted" });
  });

  it("is the fifth of a session: the session is over, and its challenge with it", () => {
    const store = accountWith(STEP_UP, { guard: { pots: { s1: 4 } } });
    expect(answer(store, WRONG_CODE)).toEqual({ refused: "wrong_code", attemptsRemaining: 0 });
    expect(store.sessions()).toEqual([]);
    expect(store.guard().challenges).toEqual([]);
  });

  it("is the fifth of a session that a browser's trust opened: the trust is over with it, and no other", () => {
    const other = browser({ id: "b2", trust: trust({ id: "trust-2" }) });
    const store = accountWith(STEP_UP, {
      sessions: [session({ factors: { pwd: AT }, trustedBy: "b1" })],
      guard: { pots: { s1: 4 }, browsers: [browser({ trust: trust() }), other] },
    });
    answer(store, WRONG_CODE);
    expect(store.guard().browsers).toEqual([browser(), other]);
  });
});
