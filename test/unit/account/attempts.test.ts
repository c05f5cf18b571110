import { describe, expect, it } from "vitest";
import {
  assertionTerms,
  attemptsRemaining,
  type ChallengeAttempt,
  reserveAnswer,
} from "../../../src/account/attempts.ts";
import type { Challenge } from "../../../src/account/challenges.ts";
import { NO_STREAKS } from "../../../src/account/proof-mode.ts";
import {
  browser,
  challenge,
  NOW,
  passkey,
  pendingFactor,
  session,
  totpFactor,
  trust,
} from "../support/account-samples.ts";
import { type StoredAccount, storeWith } from "../support/memory-store.ts";

const HOUR = 3_600_000;
const METHODS = ["totp", "passkey", "recovery_code"] as const;
const TEN = Array.from({ length: 10 }, (_, index) => NOW - HOUR + 60_000 + index);
const STEP_UP = { purpose: "step_up", sessionId: "s1" } as const;
const CODES = { keyId: 1, digests: ["d1"] };

/** An account with one open challenge, and somebody who answers it. */
function accountWith(open: Partial<Challenge>, { guard = {}, ...account }: StoredAccount = {}) {
  const challenges = [challenge({ methods: [...METHODS], ...open })];
  return storeWith({
    factors: [totpFactor(), passkey()],
    sessions: [session()],
    ...account,
    guard: { challenges, recoveryCodes: CODES, browsers: [browser()], ...guard },
  });
}

const attempt = (method: ChallengeAttempt["method"] = "totp", changes: Partial<ChallengeAttempt> = {}) =>
  ({ challengeId: "c1", purpose: "login", method, ...changes }) as ChallengeAttempt;
const ofSession = (method: ChallengeAttempt["method"] = "totp") => attempt(method, { purpose: "step_up" });

describe("an answer that is about to be checked", () => {
  it("has been paid for: one attempt of its challenge, one of its pot, one of each row", () => {
    const store = accountWith({});
    expect(reserveAnswer(store, attempt(), NOW)).toMatchObject({
      takenAt: NOW,
      webauthn: "AAAA",
      recoveryCodes: CODES,
    });
    expect(store.guard()).toMatchObject({
      challenges: [{ attempts: 1 }],
      attempts: { unrecognised: [NOW] },
      streaks: { failures: 1, abandoned: 0, byMethod: { totp: 1 } },
      pots: {},
    });
  });

  it.each([
    ["a recognised browser its own pot", "b1", { failures: 0, abandoned: 0, byMethod: {} }],
    ["a proven mailbox another", "proven", { failures: 0, abandoned: 0, byMethod: { totp: 1 } }],
    ["a browser that was forgotten since the pot it had", "b9", { failures: 1, abandoned: 0, byMethod: { totp: 1 } }],
  ])("costs %s", (_, pot, streaks) => {
    const store = accountWith({ pot });
    reserveAnswer(store, attempt(), NOW);
    expect(store.guard().attempts).toEqual({ [pot]: [NOW] });
    expect(store.guard().streaks).toEqual(streaks);
  });

  it("costs a session its own pot, and no hour of anybody", () => {
    const store = accountWith(STEP_UP);
    reserveAnswer(store, ofSession(), NOW);
    const { attempts, pots, streaks } = store.guard();
    expect([attempts, pots, streaks]).toEqual([{}, { s1: 1 }, NO_STREAKS]);
  });

  it("may be proven by what its challenge names and what is active, and by nothing that the session enrolled itself", () => {
    const factors = [totpFactor(), pendingFactor("s1"), passkey({ enrolledAfterRecoveryBy: "s1" })];
    const usable = (open: Partial<Challenge>) => {
      const reserved = reserveAnswer(
        accountWith(open, { factors }),
        attempt("totp", { purpose: open.purpose ?? "login" }),
        NOW,
      );
      return "usable" in reserved ? reserved.usable.map(({ id }) => id).sort() : reserved;
    };
    expect(usable({})).toEqual(["p1", "t1"]);
    expect(usable({ methods: ["passkey", "recovery_code"] })).toEqual(["p1"]);
    expect(usable(STEP_UP)).toEqual(["t1"]);
  });

  it("must verify its user where no password was shown", () => {
    expect(reserveAnswer(accountWith({}), attempt(), NOW)).toMatchObject({ mustVerifyUser: false });
    const alone = accountWith({ ...STEP_UP, factors: { swk: 1, uv: 1 } });
    expect(reserveAnswer(alone, ofSession(), NOW)).toMatchObject({ mustVerifyUser: true });
    expect(assertionTerms(alone, { challengeId: "c1", purpose: "step_up" }, NOW)).toMatchObject({
      mustVerifyUser: true,
    });
  });

  it("uses up what a passkey had to sign, and codes do not", () => {
    const store = accountWith({});
    reserveAnswer(store, attempt("totp"), NOW);
    reserveAnswer(store, attempt("recovery_code"), NOW);
    expect(store.guard().challenges[0]?.webauthn).toBe("AAAA");
    expect(reserveAnswer(store, attempt("passkey"), NOW)).toMatchObject({ webauthn: "AAAA" });
    expect(store.guard().challenges[0]?.webauthn).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });
});

describe("an answer that nobody checks", () => {
  it.each([
    ["to another challenge", {}, { challengeId: "c2" }, "challenge_unknown"],
    ["for another purpose", {}, { purpose: "step_up" }, "challenge_unknown"],
    ["that comes too late", { expiresAt: NOW }, {}, "challenge_expired"],
    ["after five attempts", { attempts: 5 }, {}, "challenge_exhausted"],
    ["after a new password", { passwordVersion: 0 }, {}, "challenge_overtaken"],
    ["after an emergency drop", { epoch: 0 }, {}, "challenge_overtaken"],
    ["of a session that has ended", { ...STEP_UP, sessionId: "s9" }, { purpose: "step_up" }, "challenge_overtaken"],
  ] as [string, Partial<Challenge>, Partial<ChallengeAttempt>, string][])(
    "%s, costs nothing",
    (_, open, changes, refused) => {
      const store = accountWith(open);
      const before = store.guard();
      expect(reserveAnswer(store, attempt("totp", changes), NOW)).toEqual({ refused });
      expect(assertionTerms(store, attempt("totp", changes), NOW)).toEqual({ refused });
      expect(store.guard()).toEqual(before);
    },
  );
});

describe("an empty pot", () => {
  it("closes the code and nothing else, and says when one is free again", () => {
    const store = accountWith({}, { guard: { attempts: { unrecognised: TEN } } });
    const before = store.guard();
    expect(reserveAnswer(store, attempt("totp"), NOW)).toEqual({
      refused: "second_factor_budget_spent",
      retryAfterSeconds: 60,
    });
    // But for the mark that this was recorded.
    expect(store.guard()).toEqual({ ...before, challenges: [{ ...before.challenges[0], isRefused: true }] });
    for (const method of ["passkey", "recovery_code"] as const) {
      expect(reserveAnswer(store, attempt(method), NOW)).toMatchObject({ takenAt: NOW });
    }
  });

  it("is nobody else's: strangers close neither a recognised browser, nor a proven mailbox, nor a session", () => {
    const attempts = { unrecognised: TEN, b2: TEN };
    for (const pot of ["b1", "proven"]) {
      const reserved = reserveAnswer(accountWith({ pot }, { guard: { attempts } }), attempt(), NOW);
      expect(reserved, pot).toMatchObject({ takenAt: NOW });
    }
    const ofOwner = accountWith(STEP_UP, { guard: { attempts } });
    expect(reserveAnswer(ofOwner, ofSession(), NOW)).toMatchObject({ takenAt: NOW });
  });

  it("of a recognised browser, or of proven mailboxes, closes those alone", () => {
    for (const pot of ["b1", "proven"]) {
      const attempts = { [pot]: TEN };
      expect(reserveAnswer(accountWith({ pot }, { guard: { attempts } }), attempt(), NOW)).toMatchObject({
        refused: "second_factor_budget_spent",
      });
      expect(reserveAnswer(accountWith({}, { guard: { attempts } }), attempt(), NOW)).toMatchObject({ takenAt: NOW });
    }
  });

  it("of a session ends it with the sixth attempt, whatever the kind", () => {
    for (const method of METHODS) {
      const store = accountWith(STEP_UP, { guard: { pots: { s1: 5 } } });
      expect(reserveAnswer(store, ofSession(method), NOW)).toEqual({ refused: "session_ended" });
      expect(store.sessions()).toEqual([]);
    }
  });

  it("of a session ends the trust that opened it too, or a password would open the next one", () => {
    const store = accountWith(STEP_UP, {
      sessions: [session({ trustedBy: "b1" })],
      guard: { pots: { s1: 5 }, browsers: [browser({ trust: trust() })] },
    });
    reserveAnswer(store, ofSession(), NOW);
    expect(store.guard().browsers).toEqual([browser()]);
  });
});

describe("a kind of factor that has failed a hundred times in a row", () => {
  const streaks = { ...NO_STREAKS, byMethod: { totp: 100, passkey: 100 } };
  const closed = { refused: "factor_kind_closed", retryAfterSeconds: 3600 };

  it.each(["unrecognised", "proven"])("is closed to those whom nobody knows: %s", (pot) => {
    for (const method of ["totp", "passkey"] as const) {
      expect(reserveAnswer(accountWith({ pot }, { guard: { streaks } }), attempt(method), NOW)).toEqual(closed);
    }
    expect(reserveAnswer(accountWith({ pot }, { guard: { streaks } }), attempt("recovery_code"), NOW)).toMatchObject({
      takenAt: NOW,
    });
  });

  it("is open to a recognised browser and to a session", () => {
    expect(reserveAnswer(accountWith({ pot: "b1" }, { guard: { streaks } }), attempt(), NOW)).toMatchObject({
      takenAt: NOW,
    });
    expect(reserveAnswer(accountWith(STEP_UP, { guard: { streaks } }), ofSession(), NOW)).toMatchObject({
      takenAt: NOW,
    });
  });
});

describe("the attempts that are left", () => {
  const remaining = (open: Partial<Challenge>, spent: number, pots = {}) => {
    const guard = { ...storeWith().guard(), attempts: { unrecognised: TEN.slice(0, spent) }, pots };
    return attemptsRemaining(guard, challenge(open), NOW);
  };

  it.each([
    ["the challenge's own", { attempts: 2 }, 0, 3],
    ["the hour's, where that is less", { attempts: 1 }, 8, 2],
    ["none, at the end of the hour", { attempts: 1 }, 10, 0],
    ["none, at the end of the challenge", { attempts: 5 }, 0, 0],
  ])("are %s", (_, open, spent, left) => {
    expect(remaining(open, spent)).toBe(left);
  });

  it("of a session are those of its own pot, where that is less", () => {
    expect(remaining({ ...STEP_UP, attempts: 1 }, 10, { s1: 1 })).toBe(4);
    expect(remaining({ ...STEP_UP, attempts: 1 }, 10, { s1: 4 })).toBe(1);
    expect(remaining({ ...STEP_UP, attempts: 4 }, 10, { s1: 4 })).toBe(1);
  });

  it("are said where there is no passkey to be asked for, and none is spent", () => {
    const store = accountWith({ attempts: 1 }, { factors: [totpFactor()] });
    const before = store.guard();
    expect(assertionTerms(store, attempt(), NOW)).toEqual({ refused: "wrong_assertion", attemptsRemaining: 4 });
    expect(store.guard()).toEqual(before);
  });
});

describe("what a passkey is to sign", () => {
  it("is the same until it is tried, for the passkeys that this challenge may be answered with", () => {
    const factors = [passkey(), passkey({ id: "p2", enrolledAfterRecoveryBy: "s1" }), totpFactor()];
    const store = accountWith(STEP_UP, { factors });
    const terms = () => assertionTerms(store, { challengeId: "c1", purpose: "step_up" }, NOW);
    expect(terms()).toEqual({ webauthn: "AAAA", credentials: [passkey().credential], mustVerifyUser: false });
    expect(terms()).toEqual(terms());
    reserveAnswer(store, ofSession("passkey"), NOW);
    expect(terms()).not.toMatchObject({ webauthn: "AAAA" });
  });
});
