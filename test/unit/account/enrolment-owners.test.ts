import { describe, expect, it } from "vitest";
import {
  type Bearer,
  type EnrolmentGrant,
  enrollingOwner,
  openEnrolment,
  ownerOf,
} from "../../../src/account/enrolment-owners.ts";
import { isRefusal } from "../../../src/refusal.ts";
import { NOW, session, TERMS, totpFactor } from "../support/account-samples.ts";
import { storeWith } from "../support/memory-store.ts";

const MINUTE = 60_000;
const PROOF = { pwd: NOW / 1000 };
const UNKNOWN = { refused: "enrolment_unknown" };

const enrolment = (changes: Partial<EnrolmentGrant> = {}): EnrolmentGrant => ({
  id: "e1",
  expiresAt: NOW + 10 * MINUTE,
  factors: PROOF,
  terms: TERMS,
  passwordVersion: 1,
  epoch: 1,
  ...changes,
});

const byToken = (enrolmentId: string): Bearer => ({ kind: "enrolment", enrolmentId });
const bySession = (proof: Partial<Extract<Bearer, { kind: "session" }>> = {}): Bearer => ({
  kind: "session",
  sessionId: "s1",
  acr: "aal2",
  factors: { pwd: NOW / 1000, otp: NOW / 1000 },
  ...proof,
});

describe("an enrolment grant", () => {
  it("lives ten minutes, under the password version and epoch of its sign-in", () => {
    const guard = { ...storeWith().guard(), passwordVersion: 4, epoch: 3 };
    const added = openEnrolment(guard, PROOF, TERMS, NOW);
    expect(added).toEqual(enrolment({ id: added.id, passwordVersion: 4, epoch: 3 }));
    expect(added.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(guard.enrolments).toEqual([added]);
  });

  it("is one of three: the oldest of too many goes", () => {
    const guard = { ...storeWith().guard(), enrolments: [] as EnrolmentGrant[] };
    const opened = [0, 1, 2, 3, 4].map((minute) => openEnrolment(guard, PROOF, TERMS, NOW + minute * MINUTE).id);
    expect(guard.enrolments.map(({ id }) => id)).toEqual(opened.slice(2));
  });

  it("clears away those that have expired", () => {
    const old = [enrolment({ id: "old", expiresAt: NOW }), enrolment({ id: "open", expiresAt: NOW + 1 })];
    const guard = { ...storeWith().guard(), enrolments: old };
    const { id } = openEnrolment(guard, PROOF, TERMS, NOW);
    expect(guard.enrolments.map((one) => one.id)).toEqual(["open", id]);
  });
});

describe("who holds an enrolment token", () => {
  const store = storeWith({ guard: { enrolments: [enrolment()] }, sessions: [session()] });
  const owner = (id: string, now = NOW, floor = {}) => ownerOf(store, { ...store.guard(), ...floor }, byToken(id), now);

  it("is known until it expires, to the millisecond", () => {
    expect(owner("e1")).toEqual({ id: "e1", enrolment: enrolment() });
    expect(owner("e1", NOW + 10 * MINUTE - 1)).toEqual({ id: "e1", enrolment: enrolment() });
    expect(owner("e1", NOW + 10 * MINUTE)).toEqual(UNKNOWN);
  });

  it.each([
    ["another one", "e2", {}],
    ["none", "", {}],
    ["that of a session", "s1", {}],
    ["that of an older password", "e1", { passwordVersion: 2 }],
    ["that of an older epoch", "e1", { epoch: 2 }],
  ])("is nobody with an id that is %s", (_, id, floor) => {
    expect(owner(id, NOW, floor)).toEqual(UNKNOWN);
  });

  it("may start to add a factor without any fresher proof: the password was shown a moment ago", () => {
    const guarded = storeWith({ guard: { enrolments: [enrolment()] }, factors: [totpFactor()] });
    expect(enrollingOwner(guarded, guarded.guard(), byToken("e1"), NOW + 9 * MINUTE)).toMatchObject({ id: "e1" });
  });
});

describe("who holds a session", () => {
  const store = storeWith({ sessions: [session()], factors: [totpFactor()] });
  const starting = (bearer: Bearer, now = NOW) => enrollingOwner(store, store.guard(), bearer, now);

  it("is its owner while it lives", () => {
    expect(ownerOf(store, store.guard(), bySession(), NOW)).toEqual({ id: "s1", session: session() });
    expect(ownerOf(store, store.guard(), bySession({ sessionId: "s2" }), NOW)).toEqual({ refused: "session_ended" });
    expect(ownerOf(store, { ...store.guard(), epoch: 2 }, bySession(), NOW)).toEqual({ refused: "session_ended" });
    const later = NOW + 15 * 24 * 60 * MINUTE;
    expect(ownerOf(store, store.guard(), bySession(), later)).toEqual({ refused: "session_ended" });
  });

  it("is not known by the id of an enrolment", () => {
    const both = storeWith({ sessions: [session()], guard: { enrolments: [enrolment()] } });
    expect(ownerOf(both, both.guard(), bySession({ sessionId: "e1" }), NOW)).toEqual({ refused: "session_ended" });
  });

  it("may start to add a factor with fresh proof, and not with older one", () => {
    expect(starting(bySession())).toMatchObject({ id: "s1" });
    expect(starting(bySession(), NOW + 5 * MINUTE)).toMatchObject({ refused: "proof_too_old", acr: "aal2" });
    expect(starting(bySession({ acr: "aal1", factors: PROOF }))).toMatchObject({ refused: "proof_too_old" });
  });

  it("may do so with a fresh password where there is no factor, and a pending one is none", () => {
    const waiting = totpFactor({ pending: { ownerId: "s1", until: NOW + MINUTE, attempts: 0 } });
    const plain = storeWith({ sessions: [session({ factors: PROOF })], factors: [waiting] });
    const bearer = bySession({ acr: "aal1", factors: PROOF });
    expect(enrollingOwner(plain, plain.guard(), bearer, NOW)).toMatchObject({ id: "s1" });
    expect(enrollingOwner(plain, plain.guard(), bearer, NOW + 5 * MINUTE)).toMatchObject({
      refused: "proof_too_old",
      acr: "aal1",
    });
  });

  it("may not do so by password alone while recovery codes are left", () => {
    const codes = storeWith({
      sessions: [session({ factors: PROOF })],
      guard: { recoveryCodes: { keyId: 1, digests: ["d"] } },
    });
    const refused = enrollingOwner(codes, codes.guard(), bySession({ acr: "aal1", factors: PROOF }), NOW);
    expect(refused).toMatchObject({ refused: "proof_too_old", acr: "aal2" });
  });

  it("of a recovery code may do so once its password was given again, and only in that session", () => {
    const factors = { pwd: NOW / 1000, recovery_code: NOW / 1000 - 60 };
    const again = session({ factors, passwordAgainAt: NOW / 1000 });
    const bearer = bySession({ acr: "aal2-recovery", factors });
    const asked = storeWith({ sessions: [again], factors: [totpFactor()] });
    expect(enrollingOwner(asked, asked.guard(), bearer, NOW)).toMatchObject({ id: "s1" });
    const others = storeWith({ sessions: [session({ factors }), { ...again, id: "s2" }], factors: [totpFactor()] });
    expect(isRefusal(enrollingOwner(others, others.guard(), bearer, NOW))).toBe(true);
  });
});
