import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  afterRightAnswer,
  isMethodClosed,
  isProofMode,
  NO_STREAKS,
  type Streaks,
  withAttempt,
} from "../../../src/account/proof-mode.ts";

const METHODS = ["totp", "passkey", "recovery_code"] as const;
const streaks = (changes: Partial<Streaks> = {}): Streaks => ({ ...NO_STREAKS, ...changes });

describe("proof mode", () => {
  it.each([
    ["nothing", {}, false],
    ["nine wrong answers of strangers", { failures: 9 }, false],
    ["ten", { failures: 10 }, true],
    ["more than ten", { failures: 11 }, true],
    ["four abandoned challenges of strangers", { abandoned: 4 }, false],
    ["five", { abandoned: 5 }, true],
    ["more than five", { abandoned: 60 }, true],
    ["nine and four, which are not added up", { failures: 9, abandoned: 4 }, false],
    ["a hundred wrong answers of those who are known", { byMethod: { totp: 100 } }, false],
  ])("after %s", (_, changes, expected) => {
    expect(isProofMode(streaks(changes))).toBe(expected);
  });

  it("is entered by strangers' answers of any kind, counted together", () => {
    let counted = NO_STREAKS;
    for (let answer = 0; answer < 10; answer += 1) {
      expect(isProofMode(counted)).toBe(false);
      counted = withAttempt(counted, METHODS[answer % 3] ?? "totp", "unrecognised");
    }
    expect(isProofMode(counted)).toBe(true);
  });

  it.each(["recognised", "proven"] as const)("is not entered by whoever is %s", (from) => {
    let counted = NO_STREAKS;
    for (let answer = 0; answer < 99; answer += 1) counted = withAttempt(counted, "totp", from);
    expect(counted.failures).toBe(0);
    expect(isProofMode(counted)).toBe(false);
  });
});

describe("a kind of factor", () => {
  it("is closed by a hundred wrong answers in a row of those whom nobody knows, mailbox proven or not", () => {
    let counted = NO_STREAKS;
    for (let answer = 0; answer < 99; answer += 1) {
      counted = withAttempt(counted, "totp", answer % 2 === 0 ? "unrecognised" : "proven");
      counted = withAttempt(counted, "totp", "recognised");
    }
    expect(isMethodClosed(counted, "totp")).toBe(false);
    counted = withAttempt(counted, "totp", "proven");
    expect(isMethodClosed(counted, "totp")).toBe(true);
  });

  it("is closed by nobody in a recognised browser, who has a pot of his own", () => {
    let counted = NO_STREAKS;
    for (let answer = 0; answer < 200; answer += 1) counted = withAttempt(counted, "totp", "recognised");
    expect(counted).toEqual(NO_STREAKS);
  });

  it.each(METHODS)("closes alone: %s", (method) => {
    const counted = streaks({ byMethod: { [method]: 100 } });
    expect(METHODS.filter((one) => isMethodClosed(counted, one))).toEqual([method]);
  });

  it.each([true, false])("is open again after any right answer, of a sign-in or not (%s)", (isSignIn) => {
    const counted = streaks({ byMethod: { totp: 100, passkey: 3 } });
    expect(afterRightAnswer(counted, isSignIn).byMethod).toEqual({});
  });
});

describe("a right answer", () => {
  const counted = streaks({ failures: 10, abandoned: 5, byMethod: { totp: 4 } });

  it("of a sign-in ends the row of wrong answers; what was abandoned waits for the sign-in to be complete", () => {
    expect(afterRightAnswer(counted, true)).toEqual({ failures: 0, abandoned: 5, byMethod: {} });
  });

  it("of a session's own challenge says nothing about strangers", () => {
    expect(afterRightAnswer(counted, false)).toEqual({ failures: 10, abandoned: 5, byMethod: {} });
    expect(isProofMode(afterRightAnswer(counted, false))).toBe(true);
  });
});

describe("the streaks", () => {
  it("count every attempt of those whom nobody knows once for its kind, and once for strangers where it is theirs", () => {
    const from = fc.constantFrom("unrecognised" as const, "proven" as const, "recognised" as const);
    const attempts = fc.array(fc.tuple(fc.constantFrom(...METHODS), from), { maxLength: 150 });
    fc.assert(
      fc.property(attempts, (taken) => {
        let counted = NO_STREAKS;
        for (const [method, whose] of taken) counted = withAttempt(counted, method, whose);
        const unknown = taken.filter(([, whose]) => whose !== "recognised");
        expect(counted.failures).toBe(unknown.filter(([, whose]) => whose === "unrecognised").length);
        expect(counted.abandoned).toBe(0);
        for (const method of METHODS) {
          expect(counted.byMethod[method] ?? 0).toBe(unknown.filter(([one]) => one === method).length);
        }
      }),
    );
  });

  it("are values: counting changes none that exist, and nobody shares the empty ones", () => {
    const before = streaks({ byMethod: { totp: 1 } });
    withAttempt(before, "totp", "unrecognised");
    withAttempt(NO_STREAKS, "totp", "unrecognised");
    afterRightAnswer(before, true);
    expect(before).toEqual({ failures: 0, abandoned: 0, byMethod: { totp: 1 } });
    expect(NO_STREAKS).toEqual({ failures: 0, abandoned: 0, byMethod: {} });
  });
});
