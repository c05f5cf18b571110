import { describe, expect, it } from "vitest";
import { openChallenge } from "../../../src/account/admission.ts";
import type { Challenge } from "../../../src/account/challenges.ts";
import { openFirstDoor } from "../../../src/account/first-door.ts";
import { unansweredOf, warningAfter, warnOnce } from "../../../src/account/warnings.ts";
import { browser, challenge, claim, NOW, TERMS, totpFactor } from "../support/account-samples.ts";
import { accountWith, answer, assertion, STEP_UP, WRONG_CODE } from "../support/answering.ts";
import { storeWith } from "../support/memory-store.ts";

const DAY = 86_400_000;
const guardWith = (failures: number) =>
  storeWith({ guard: { streaks: { failures, abandoned: 0, byMethod: {} } } }).guard();

describe("wrong answers after a right password", () => {
  it("are told from the third in a row on", () => {
    expect(warningAfter(guardWith(2), challenge(), "wrong_code", NOW)).toBeUndefined();
    expect(warningAfter(guardWith(3), challenge(), "wrong_code", NOW)).toBe("second_factor_failed");
    expect(warningAfter(guardWith(9), challenge(), "wrong_recovery_code", NOW)).toBe("second_factor_failed");
  });

  it.each<[string, Partial<Challenge>]>([
    ["a recognised browser", { pot: "b1" }],
    ["who has proven the mailbox", { pot: "proven" }],
    ["a session", { purpose: "step_up", sessionId: "s1" }],
    ["a reset, which shows no password", { purpose: "password_reset" }],
  ])("are nothing to tell of %s", (_, changes) => {
    expect(warningAfter(guardWith(5), challenge(changes), "wrong_code", NOW)).toBeUndefined();
  });

  it("are told once a day, to the millisecond", () => {
    const guard = guardWith(3);
    expect(warningAfter(guard, challenge(), "wrong_code", NOW)).toBe("second_factor_failed");
    expect(warningAfter(guard, challenge(), "wrong_code", NOW + DAY - 1)).toBeUndefined();
    expect(warningAfter(guard, challenge(), "wrong_code", NOW + DAY)).toBe("second_factor_failed");
  });

  it("carry the warning in the refusal, and the account remembers it", () => {
    const store = accountWith({}, { guard: { streaks: { failures: 1, abandoned: 0, byMethod: {} } } });
    const [open] = [challenge({ methods: ["totp"] })];
    store.saveGuard({ ...store.guard(), challenges: [open] });
    expect(answer(store, WRONG_CODE)).toEqual({ refused: "wrong_code", attemptsRemaining: 4 });
    expect(answer(store, WRONG_CODE)).toMatchObject({ refused: "wrong_code", warning: "second_factor_failed" });
    expect(answer(store, WRONG_CODE)).toEqual({ refused: "wrong_code", attemptsRemaining: 2 });
    expect(store.guard().warned).toEqual({ second_factor_failed: NOW + 1000 });
  });
});

describe("a passkey whose counter fell", () => {
  it("is told at once, of whatever challenge, and by itself", () => {
    const store = accountWith(STEP_UP);
    store.saveGuard({
      ...store.guard(),
      counters: { p1: { signCount: 9, at: NOW } },
      warned: { second_factor_failed: NOW },
    });
    expect(answer(store, assertion(9))).toMatchObject({ refused: "sign_count_fell", warning: "sign_count_fell" });
    expect(answer(store, assertion(9))).not.toHaveProperty("warning");
    expect(store.guard().warned).toEqual({ second_factor_failed: NOW, sign_count_fell: NOW + 1000 });
  });
});

describe("a challenge without a right answer", () => {
  const verdict = { passwordVersion: 1, epoch: 1, readAfter: NOW };
  const knock = { ...claim(), isProven: false };
  const userAgent = "curl/8";
  const old = (changes: Partial<Challenge> = {}) =>
    challenge({ id: "old", expiresAt: NOW, terms: { ...TERMS, userAgent }, ...changes });
  const signIn = (challenges: Challenge[], now = NOW) => {
    const store = storeWith({ factors: [totpFactor()], guard: { challenges, browsers: [browser()] } });
    return { store, opened: openFirstDoor(store, verdict, TERMS, knock, now) };
  };

  it("that has expired is told when the next sign-in sweeps it: when it was opened, and by what", () => {
    const { store, opened } = signIn([old()]);
    expect(opened).toMatchObject({ kind: "challenge", unanswered: { at: NOW - 300_000, userAgent } });
    expect(store.guard().warned).toEqual({ second_factor_failed: NOW });
    const again = openFirstDoor(store, verdict, TERMS, knock, NOW + 300_000);
    expect(again).toMatchObject({ kind: "challenge" });
    expect(again).not.toHaveProperty("unanswered");
  });

  it("that is pushed out is told by the one that does it", () => {
    const live = ["a", "b", "c"].map((id) => challenge({ id, terms: { ...TERMS, userAgent: `browser ${id}` } }));
    expect(signIn(live).opened).toMatchObject({ unanswered: { at: NOW, userAgent: "browser a" } });
    expect(signIn(live.slice(1)).opened).not.toHaveProperty("unanswered");
  });

  it("is told when a session's challenge sweeps it, too", () => {
    const store = storeWith({ factors: [totpFactor()], guard: { challenges: [old()] } });
    const subject = { purpose: "step_up", sessionId: "s1", methods: ["totp"], factors: {}, terms: TERMS } as const;
    expect(openChallenge(store, store.guard(), { ...subject, methods: ["totp"] }, NOW)).toHaveProperty("unanswered");
  });

  it.each<[string, Partial<Challenge>]>([
    ["of a recognised browser", { pot: "b1" }],
    ["of who has proven the mailbox", { pot: "proven" }],
    ["of a session", { purpose: "reauthenticate", sessionId: "s1" }],
    ["of a reset, which shows no password", { purpose: "password_reset" }],
  ])("is nothing to tell %s", (_, changes) => {
    expect(signIn([old(changes)]).opened).not.toHaveProperty("unanswered");
  });

  it("is told where it had few wrong answers, and not where those have been told themselves", () => {
    expect(unansweredOf(guardWith(2), [old({ attempts: 2 })], NOW)).toBeDefined();
    expect(unansweredOf(guardWith(3), [old({ attempts: 3 })], NOW)).toBeUndefined();
  });

  it("is told by the newest of several", () => {
    const dead = [old({ expiresAt: NOW - 2 }), old({ expiresAt: NOW - 1 })];
    expect(unansweredOf(guardWith(0), dead, NOW)?.at).toBe(NOW - 300_001);
  });
});

it("a warning is not held back by one of another kind", () => {
  const guard = guardWith(0);
  expect(warnOnce(guard, "second_factor_failed", NOW)).toBe("second_factor_failed");
  expect(warnOnce(guard, "sign_count_fell", NOW)).toBe("sign_count_fell");
  expect(warnOnce(guard, "sign_count_fell", NOW)).toBeUndefined();
});
