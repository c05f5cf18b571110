import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addChallenge, type Challenge, isLive } from "../../../src/account/challenges.ts";
import { challenge, NOW } from "../support/account-samples.ts";

describe("a challenge", () => {
  it("can be answered until it expires, to the millisecond", () => {
    expect(isLive(challenge(), NOW)).toBe(true);
    expect(isLive(challenge(), NOW + 299_999)).toBe(true);
    expect(isLive(challenge(), NOW + 300_000)).toBe(false);
  });

  it("takes five attempts", () => {
    expect(isLive(challenge({ attempts: 4 }), NOW)).toBe(true);
    expect(isLive(challenge({ attempts: 5 }), NOW)).toBe(false);
    expect(isLive(challenge({ attempts: 6 }), NOW)).toBe(false);
  });
});

describe("a new challenge", () => {
  it("pushes out the oldest sign-in when a fourth one opens", () => {
    const open = ["a", "b", "c"].map((id) => challenge({ id }));
    expect(ids(addChallenge(open, challenge({ id: "d" }), NOW))).toEqual(["b", "c", "d"]);
  });

  it("leaves three sign-ins open side by side", () => {
    const open = ["a", "b"].map((id) => challenge({ id }));
    expect(ids(addChallenge(open, challenge({ id: "c" }), NOW))).toEqual(["a", "b", "c"]);
  });

  it("clears away what is expired or exhausted before it counts", () => {
    const open = [
      challenge({ id: "a" }),
      challenge({ id: "expired", expiresAt: NOW }),
      challenge({ id: "exhausted", attempts: 5 }),
      challenge({ id: "b" }),
    ];
    expect(ids(addChallenge(open, challenge({ id: "c" }), NOW))).toEqual(["a", "b", "c"]);
  });

  it("pushes out only its own kind, so that nobody with the password can end a session's step-up", () => {
    const stepUp = challenge({ id: "step-up", purpose: "step_up", sessionId: "s1" });
    const renewal = challenge({ id: "renewal", purpose: "reauthenticate", sessionId: "s1" });
    let open = [stepUp, renewal];
    for (const id of ["a", "b", "c", "d", "e"]) open = addChallenge(open, challenge({ id }), NOW);
    expect(ids(open)).toEqual(["step-up", "renewal", "c", "d", "e"]);
  });

  it("of a session replaces the one of the same session and purpose alone", () => {
    const open = [
      challenge({ id: "login" }),
      challenge({ id: "mine", purpose: "step_up", sessionId: "s1" }),
      challenge({ id: "renewal", purpose: "reauthenticate", sessionId: "s1" }),
      challenge({ id: "other", purpose: "step_up", sessionId: "s2" }),
    ];
    const added = challenge({ id: "new", purpose: "step_up", sessionId: "s1" });
    expect(ids(addChallenge(open, added, NOW))).toEqual(["login", "renewal", "other", "new"]);
  });

  it("leaves what it was given untouched", () => {
    const open = ["a", "b", "c"].map((id) => challenge({ id }));
    addChallenge(open, challenge({ id: "d" }), NOW);
    expect(ids(open)).toEqual(["a", "b", "c"]);
  });

  it("is always there itself, and never makes a fourth sign-in or a second of one session and purpose", () => {
    const opened = fc.record({
      purpose: fc.constantFrom("step_up" as const, "reauthenticate" as const),
      session: fc.constantFrom(undefined, "s1", "s2"),
      attempts: fc.integer({ min: 0, max: 5 }),
      after: fc.integer({ min: 0, max: 200_000 }),
    });
    fc.assert(
      fc.property(fc.array(opened, { maxLength: 40 }), (steps) => {
        let open: Challenge[] = [];
        let now = NOW;
        for (const [index, { purpose, session, attempts, after }] of steps.entries()) {
          now += after;
          const about = session === undefined ? {} : { purpose, sessionId: session };
          const added = challenge({ id: String(index), attempts, expiresAt: now + 300_000, ...about });
          open = addChallenge(open, added, now);
          expect(open.at(-1)).toBe(added);
          expect(open.filter(({ purpose }) => purpose === "login").length).toBeLessThanOrEqual(3);
          const kinds = open.filter(({ sessionId }) => sessionId).map((it) => `${it.sessionId} ${it.purpose}`);
          expect(new Set(kinds).size).toBe(kinds.length);
        }
      }),
    );
  });
});

function ids(challenges: Challenge[]): string[] {
  return challenges.map(({ id }) => id);
}
