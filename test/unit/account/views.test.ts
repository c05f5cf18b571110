import { describe, expect, it } from "vitest";
import { hasSecondFactor, standingOf, usableFactors } from "../../../src/account/factors.ts";
import { browserViews, copyOf, factorList, sessionViews } from "../../../src/account/views.ts";
import {
  browser,
  claim,
  NOW,
  passkey,
  pendingFactor,
  session,
  TERMS,
  totpFactor,
  trust,
} from "../support/account-samples.ts";
import { busyAccount, FRESH } from "../support/changing.ts";
import { storeWith } from "../support/memory-store.ts";

const DAY = 86_400_000;
const CODES = { keyId: 1, digests: ["d1", "d2", "d3"] };

describe("the list of sessions", () => {
  it("has the living ones, oldest first, and says which one asks", () => {
    const store = storeWith({
      sessions: [
        session({ id: "asks", createdAt: NOW - 1, lastUsedAt: NOW, terms: { ...TERMS, userAgent: "Phone" } }),
        session({ id: "older", createdAt: NOW - 2 }),
        session({ id: "of an older password", passwordVersion: 0 }),
        session({ id: "idle too long", idleExpiresAt: NOW }),
        session({ id: "at its end", absoluteExpiresAt: NOW }),
      ],
    });
    expect(sessionViews(store, "asks", NOW)).toEqual([
      { ...view("older"), createdAt: NOW - 2 },
      { ...view("asks"), createdAt: NOW - 1, userAgent: "Phone", current: true },
    ]);
  });

  it("tells nothing that could be used: no secret, no proof, no browser", () => {
    const store = storeWith({ sessions: [session({ trustedBy: "b1", passwordAgainAt: 1 })] });
    expect(sessionViews(store, "s1", NOW)).toEqual([{ ...view("s1"), current: true }]);
  });

  const view = (id: string) => ({
    id,
    createdAt: NOW,
    lastUsedAt: NOW,
    expiresAt: NOW + DAY,
    userAgent: "test",
    current: false,
  });
});

describe("the list of browsers", () => {
  it("has all that are recognised, the one used last first, and says which one asks", () => {
    const store = storeWith({
      guard: {
        browsers: [
          browser({ id: "b1", lastUsedAt: NOW - 2 }),
          browser({ id: "b2", lastUsedAt: NOW }),
          browser({ id: "b3", lastUsedAt: NOW - 1 }),
        ],
      },
    });
    const views = browserViews(store, claim({ recognisedIds: ["b3"] }), NOW);
    expect(views.map(({ id, current }) => [id, current])).toEqual([
      ["b2", false],
      ["b3", true],
      ["b1", false],
    ]);
  });

  it("says until when one is trusted, while that holds, and never by which name", () => {
    const listed = (until: number, floor = {}) => {
      const store = storeWith({ guard: { browsers: [browser({ trust: trust({ until }) })], ...floor } });
      return browserViews(store, claim(), NOW);
    };
    const plain = { id: "b1", userAgent: "test", createdAt: NOW, lastUsedAt: NOW, current: false };
    expect(listed(NOW + 1)).toEqual([{ ...plain, trustedUntil: NOW + 1 }]);
    expect(listed(NOW)).toEqual([plain]);
    expect(listed(NOW + 1, { passwordVersion: 2 })).toEqual([plain]);
    expect(listed(NOW + 1, { epoch: 2 })).toEqual([plain]);
  });

  it("does not take the name of a trust for a browser that asks", () => {
    const store = storeWith({ guard: { browsers: [browser({ trust: trust() })] } });
    const cookies = claim({ recognisedIds: ["trust-1"], trustIds: ["b1", "trust-1"] });
    expect(browserViews(store, cookies, NOW)[0]?.current).toBe(false);
  });
});

describe("the list of factors", () => {
  it("has the active ones, oldest first, when each was used, and how many codes are left", () => {
    const store = storeWith({
      guard: {
        accepted: { t1: { step: 60_000_000, at: NOW - 5 } },
        counters: { t2: { signCount: 1, at: 1 }, p1: { signCount: 7, at: NOW - 3 } },
        recoveryCodes: CODES,
      },
      factors: [
        passkey({ createdAt: NOW - 10 }),
        totpFactor({ createdAt: NOW - 20 }),
        totpFactor({ id: "t2", label: "Tablet", createdAt: NOW - 1, enrolledAfterRecoveryBy: "s1" }),
        pendingFactor("s1"),
      ],
    });
    expect(factorList(store)).toEqual({
      factors: [
        { id: "t1", kind: "totp", label: "Phone", createdAt: NOW - 20, lastUsedAt: NOW - 5 },
        { id: "p1", kind: "passkey", label: "Laptop", createdAt: NOW - 10, lastUsedAt: NOW - 3 },
        { id: "t2", kind: "totp", label: "Tablet", createdAt: NOW - 1 },
      ],
      recoveryCodesRemaining: 3,
    });
  });
});

describe("what an account can answer with", () => {
  const idsOf = (factors: { id: string }[]) => factors.map(({ id }) => id).sort();
  const active = [totpFactor(), passkey(), totpFactor({ id: "t2", enrolledAfterRecoveryBy: "s1" })];

  it.each([
    ["nothing at all", {}, { totp: 0, passkeys: 0, recoveryCodes: 0 }, false],
    ["a pending factor alone", { factors: [pendingFactor("s1")] }, { totp: 0, passkeys: 0, recoveryCodes: 0 }, false],
    ["recovery codes alone", { guard: { recoveryCodes: CODES } }, { totp: 0, passkeys: 0, recoveryCodes: 3 }, true],
    ["an authenticator", { factors: [totpFactor()] }, { totp: 1, passkeys: 0, recoveryCodes: 0 }, true],
    ["a passkey", { factors: [passkey()] }, { totp: 0, passkeys: 1, recoveryCodes: 0 }, true],
    [
      "all of them",
      { factors: active, guard: { recoveryCodes: CODES } },
      { totp: 2, passkeys: 1, recoveryCodes: 3 },
      true,
    ],
  ])("with %s", (_, account, standing, hasOne) => {
    const store = storeWith(account);
    expect(standingOf(store, store.guard())).toEqual(standing);
    expect(hasSecondFactor(store, store.guard())).toBe(hasOne);
  });

  it("is not, for a recovery session, what that very session enrolled; for every other one it is", () => {
    const store = storeWith({ factors: active });
    expect(standingOf(store, store.guard(), "s1")).toEqual({ totp: 1, passkeys: 1, recoveryCodes: 0 });
    expect(standingOf(store, store.guard(), "s2")).toEqual({ totp: 2, passkeys: 1, recoveryCodes: 0 });
    expect(idsOf(usableFactors(store, "s1"))).toEqual(["p1", "t1"]);
    expect(idsOf(usableFactors(store))).toEqual(["p1", "t1", "t2"]);
  });

  it("counts a factor of the version that knew TOTP alone", () => {
    const { kind: _, ...old } = totpFactor();
    const store = storeWith();
    store.saveFactor(old as ReturnType<typeof totpFactor>);
    expect(standingOf(store, store.guard()).totp).toBe(1);
  });
});

describe("what the owner takes along", () => {
  const copy = (bearer: Partial<typeof FRESH> = {}, now = NOW) => {
    const asleep = passkey({ id: "p2", createdAt: NOW + 1, suspended: true }, { id: "BAUG" });
    const factors = [totpFactor({ sealedSecret: "sealed" }), asleep, pendingFactor("s1")];
    const store = busyAccount({ factors });
    return copyOf(store, { ...FRESH, ...bearer }, claim({ recognisedIds: ["b1"] }), now);
  };

  it("is everything that is there, each as its own list shows it", () => {
    const copied = copy();
    expect(copied).toMatchObject({
      factors: [{ id: "t1" }, { id: "p2", suspended: true }],
      recoveryCodesRemaining: 2,
      sessions: [
        { id: "s1", current: true },
        { id: "s2", current: false },
      ],
      browsers: [{ id: "b1", current: true, trustedUntil: expect.any(Number) }],
    });
    expect(copied).not.toHaveProperty("recovery");
  });

  it("has nothing that opens anything: no secret, no key, no digest, no name of a trust", () => {
    const text = JSON.stringify(copy());
    for (const secret of ["sealed", "BAUG", "publicKey", "d1", "trust-1", "secretDigest", "digest-1", "waiting"]) {
      expect(text).not.toContain(secret);
    }
  });

  it("is for who has proven himself a moment ago", () => {
    expect(copy({}, NOW + 300_000)).toMatchObject({ refused: "proof_too_old" });
    expect(copy({ acr: "aal1", factors: { pwd: NOW / 1000 } })).toMatchObject({ refused: "proof_too_old" });
    expect(copy({ sessionId: "s9" })).toEqual({ refused: "session_ended" });
  });
});
