import { describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import {
  forgetBrowser,
  removeFactor,
  renameFactor,
  replaceRecoveryCodes,
  type SessionBearer,
  turnOffSecondFactor,
} from "../../../src/account/factor-changes.ts";
import { startRegistration } from "../../../src/account/passkey-enrolment.ts";
import type { SensitiveAction } from "../../../src/account/requirements.ts";
import { keepPendingFactor } from "../../../src/account/totp-enrolment.ts";
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

const FRESH: SessionBearer = { sessionId: "s1", acr: "aal2", factors: { pwd: NOW / 1000, otp: NOW / 1000 } };
const NEW_CODES = { keyId: 2, digests: ["n1", "n2"] };
const PENDING = { id: "t9", label: "New", sealedSecret: "" };

/** An account in the middle of everything: factors, codes, a trusted browser, two sessions and what they have begun. */
const busy = (changes: StoredAccount = {}): AccountStore =>
  storeWith({
    factors: [totpFactor(), passkey()],
    sessions: [session(), session({ id: "s2" })],
    ...changes,
    guard: {
      recoveryCodes: { keyId: 1, digests: ["d1"] },
      accepted: { t1: { step: 5, at: NOW } },
      counters: { p1: { signCount: 3, at: NOW } },
      browsers: [browser({ trust: trust() })],
      challenges: [challenge(), challenge({ id: "c2", purpose: "step_up", sessionId: "s1" })],
      pots: { s1: 2, s2: 3 },
      attempts: { b1: [NOW], unrecognised: [NOW] },
      ...changes.guard,
    },
  });

/** Everything that needs proof, as the account object does it. */
const ACTIONS: [SensitiveAction, (store: AccountStore, bearer: SessionBearer, now: number) => object][] = [
  [
    "enrol_factor",
    (store, bearer, now) => keepPendingFactor(store, { kind: "session", ...bearer }, "optional", PENDING, now),
  ],
  ["enrol_factor", (store, bearer, now) => startRegistration(store, { kind: "session", ...bearer }, now)],
  ["remove_factor", (store, bearer, now) => removeFactor(store, bearer, "t1", "optional", now)],
  ["turn_off_second_factor", (store, bearer, now) => turnOffSecondFactor(store, bearer, "optional", now)],
  ["replace_recovery_codes", (store, bearer, now) => replaceRecoveryCodes(store, bearer, NEW_CODES, now)],
  ["forget_browser", (store, bearer, now) => forgetBrowser(store, bearer, "b1", now)],
];

const everything = (store: AccountStore) => [store.guard(), store.factors(), store.sessions()];

describe.each(ACTIONS)("%s", (_, act) => {
  it("is done with fresh proof", () => {
    expect(act(busy(), FRESH, NOW)).not.toHaveProperty("refused");
  });

  it.each([
    ["five minutes later", FRESH, NOW + 300_000],
    ["by a trusted browser's password", { ...FRESH, acr: "aal1", factors: { pwd: NOW / 1000 } }, NOW],
    ["by a recovery code", { ...FRESH, acr: "aal2-recovery", factors: { recovery_code: NOW / 1000 } }, NOW],
  ] as [string, SessionBearer, number][])("is not done %s, and nothing has changed", (_, bearer, now) => {
    const store = busy();
    const before = everything(store);
    expect(act(store, bearer, now)).toEqual({ refused: "proof_too_old", acr: "aal2", maxAgeSeconds: 300 });
    expect(everything(store)).toEqual(before);
  });

  it("is not done by a session that has ended, however fresh its token is", () => {
    const store = busy({ sessions: [session({ id: "s2" })] });
    const before = everything(store);
    expect(act(store, FRESH, NOW)).toEqual({ refused: "session_ended" });
    expect(everything(store)).toEqual(before);
  });
});

describe("a factor that changes", () => {
  it.each([
    ["is removed", (store: AccountStore) => removeFactor(store, FRESH, "p1", "optional", NOW)],
    ["is turned off", (store: AccountStore) => turnOffSecondFactor(store, FRESH, "optional", NOW)],
  ])("and %s ends the other sessions, every challenge and every trust, and keeps the rest", (_, change) => {
    const store = busy();
    change(store);
    const guard = store.guard();
    expect(store.sessions().map(({ id }) => id)).toEqual(["s1"]);
    expect(guard.challenges).toEqual([]);
    expect(guard.browsers).toEqual([browser()]);
    expect(guard.pots).toEqual({ s1: 2 });
    expect(guard.attempts).toEqual({ b1: [NOW], unrecognised: [NOW] });
  });

  it("takes with it what was remembered of it alone", () => {
    const store = busy();
    expect(removeFactor(store, FRESH, "p1", "optional", NOW)).toEqual({
      kind: "removed",
      factors: [{ id: "p1", kind: "passkey", label: "Laptop", createdAt: NOW }],
      credentialIds: ["AQID"],
    });
    expect(store.guard()).toMatchObject({ counters: {}, accepted: { t1: { step: 5 } } });
    expect(store.guard().recoveryCodes.digests).toEqual(["d1"]);
  });
});

describe("the last factor", () => {
  it.each([
    ["the only authenticator", [totpFactor()], "t1", "optional"],
    ["the only passkey", [passkey()], "p1", "optional"],
    ["an authenticator beside one that is pending", [totpFactor(), pendingFactor("s1")], "t1", "optional"],
    ["the only passkey where only passkeys count", [passkey(), totpFactor()], "p1", "passkey"],
    ["the only authenticator where it does not count", [totpFactor()], "t1", "passkey"],
  ] as const)("stays: %s", (_, factors, id, policy) => {
    const store = busy({ factors: [...factors] });
    expect(removeFactor(store, FRESH, id, policy, NOW)).toEqual({ refused: "last_factor" });
    expect(store.factors()).toHaveLength(factors.length);
  });

  it("may go where another one counts", () => {
    expect(removeFactor(busy(), FRESH, "t1", "passkey", NOW)).toMatchObject({ kind: "removed" });
    expect(removeFactor(busy(), FRESH, "p1", "required", NOW)).toMatchObject({ kind: "removed" });
  });

  it("goes by turning off alone, and its codes with it, where the operator lets it", () => {
    const store = busy();
    expect(turnOffSecondFactor(store, FRESH, "optional", NOW)).toMatchObject({
      kind: "removed",
      credentialIds: ["AQID"],
    });
    expect(store.factors()).toEqual([]);
    expect(store.guard().recoveryCodes).toEqual({ keyId: 0, digests: [] });
    for (const policy of ["required", "passkey"] as const) {
      expect(turnOffSecondFactor(busy(), FRESH, policy, NOW)).toEqual({ refused: "second_factor_required" });
    }
  });

  it.each(["t2", "", "waiting", "AQID"])("and an unknown or pending one is not there: %j", (id) => {
    const store = busy({ factors: [totpFactor(), passkey(), pendingFactor("s1")] });
    expect(removeFactor(store, FRESH, id, "optional", NOW)).toEqual({ refused: "unknown_factor" });
    expect(renameFactor(store, { sessionId: "s1" }, id, "x", NOW)).toEqual({ refused: "unknown_factor" });
  });
});

describe("a new name", () => {
  it("needs no fresh proof, and changes nothing else", () => {
    const store = busy();
    expect(renameFactor(store, { sessionId: "s1" }, "t1", "Old phone", NOW + 3_600_000)).toMatchObject({
      factor: { id: "t1", label: "Old phone", lastUsedAt: NOW },
    });
    expect(store.factors()).toContainEqual(totpFactor({ label: "Old phone" }));
    expect(store.factors()).toContainEqual(passkey());
    expect(store.sessions()).toHaveLength(2);
  });

  it("is not given by a session that has ended", () => {
    expect(renameFactor(busy(), { sessionId: "s9" }, "t1", "x", NOW)).toEqual({ refused: "session_ended" });
  });
});

describe("new recovery codes", () => {
  it("take the place of the old ones, and end nothing", () => {
    const store = busy();
    expect(replaceRecoveryCodes(store, FRESH, NEW_CODES, NOW)).toEqual({ kind: "replaced" });
    expect(store.guard().recoveryCodes).toEqual(NEW_CODES);
    expect(store.sessions()).toHaveLength(2);
  });

  it("are not made where there is no factor", () => {
    const store = busy({ factors: [pendingFactor("s1")], guard: { recoveryCodes: { keyId: 0, digests: [] } } });
    expect(replaceRecoveryCodes(store, FRESH, NEW_CODES, NOW)).toEqual({ refused: "last_factor" });
  });
});

describe("a browser that is forgotten", () => {
  it("loses its pot and what it has begun, and nobody else does", () => {
    const challenges = [challenge({ id: "own", pot: "b1" }), challenge({ id: "strangers" })];
    const store = busy({ guard: { challenges } });
    expect(forgetBrowser(store, FRESH, "b1", NOW)).toEqual({ kind: "forgotten" });
    expect(store.guard()).toMatchObject({ browsers: [], attempts: { unrecognised: [NOW] } });
    expect(store.guard().attempts).not.toHaveProperty("b1");
    expect(store.guard().challenges.map(({ id }) => id)).toEqual(["strangers"]);
    expect(store.sessions()).toHaveLength(2);
  });

  it.each(["b2", "", "trust-1"])("is not there by the name %j", (id) => {
    const store = busy();
    expect(forgetBrowser(store, FRESH, id, NOW)).toEqual({ refused: "unknown_browser" });
    expect(store.guard().browsers).toHaveLength(1);
  });
});
