import { expect, it } from "vitest";
import { activate } from "../../../src/account/activation.ts";
import { takeFromPot } from "../../../src/account/attempts.ts";
import { openFirstDoor } from "../../../src/account/first-door.ts";
import { browser, claim, NOW, session, TERMS, totpFactor, trust } from "../support/account-samples.ts";
import { storeWith } from "../support/memory-store.ts";

const trusting = browser({ trust: trust() });
const VERDICT = { passwordVersion: 1, epoch: 1, readAfter: NOW };

it("a session that a trusted browser opened and that guesses too often takes the trust with it", () => {
  const store = storeWith({
    factors: [totpFactor()],
    sessions: [session({ factors: { pwd: NOW / 1000 }, trustedBy: "b1" })],
    guard: { browsers: [trusting], pots: { s1: 5 } },
  });
  expect(takeFromPot(store, store.guard(), "s1", undefined)).toEqual({ refused: "session_ended" });
  expect(store.session("s1")).toBeUndefined();
  expect(store.guard().browsers).toEqual([browser()]);
});

it("a sign-in by trust forgives nothing that is held against strangers", () => {
  const streaks = { failures: 10, abandoned: 2, byMethod: { totp: 40 } };
  const store = storeWith({ factors: [totpFactor()], guard: { browsers: [trusting], streaks } });
  const knock = { ...claim({ trustIds: ["trust-1"], recognisedIds: ["b1"] }), isProven: false };
  expect(openFirstDoor(store, VERDICT, TERMS, knock, NOW)).toMatchObject({ kind: "session" });
  expect(store.guard().streaks).toEqual(streaks);
});

it("the first factor forgets every browser but the one that brings it", () => {
  const attempts = { b1: [NOW], b2: [NOW] };
  const store = storeWith({
    sessions: [session({ factors: { pwd: NOW / 1000 } })],
    guard: { browsers: [browser(), browser({ id: "b2" })], attempts },
  });
  const activation = {
    factor: totpFactor(),
    proven: { method: "totp" } as const,
    codes: { codes: [], kept: { keyId: 1, digests: ["d1"] } },
    claim: claim({ recognisedIds: ["b1"] }),
  };
  activate(store, store.guard(), { id: "s1", session: session({ factors: { pwd: NOW / 1000 } }) }, activation, NOW);
  expect(store.guard().browsers).toEqual([browser()]);
  expect(store.guard().attempts).toEqual({ b1: [NOW] });
});
