import { describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import { type Activation, activate } from "../../../src/account/activation.ts";
import type { EnrolmentGrant, Owner } from "../../../src/account/enrolment-owners.ts";
import type { Factor } from "../../../src/account/factors.ts";
import { NO_STREAKS } from "../../../src/account/proof-mode.ts";
import type { Session } from "../../../src/account/sessions.ts";
import { describeProof, type ProvenFactor } from "../../../src/tokens/proof.ts";
import {
  browser,
  challenge,
  claim,
  NOW,
  passkey,
  session,
  TERMS,
  totpFactor,
  trust,
} from "../support/account-samples.ts";
import { type StoredAccount, storeWith } from "../support/memory-store.ts";

const AT = NOW / 1000;
const CODES = { codes: ["shown"], kept: { keyId: 2, digests: ["new"] } };
const OLD_CODES = { keyId: 1, digests: ["old"] };
const ALONE = session({ factors: { pwd: AT } });
const RECOVERED = session({ factors: { pwd: AT, recovery_code: AT } });

const provenBy = (factor: Factor): ProvenFactor =>
  factor.kind === "totp" ? { method: "totp" } : { method: "passkey", key: "swk", userVerified: false };

function activated(store: AccountStore, owner: Owner, changes: Partial<Activation> = {}) {
  const factor = changes.factor ?? totpFactor({ id: "new" });
  const activation = { factor, proven: provenBy(factor), codes: CODES, claim: claim(), ...changes };
  return activate(store, store.guard(), owner, activation, NOW);
}

const bySession = (store: AccountStore, changes: Partial<Activation> = {}) => {
  const current = store.session("s1") as Session;
  return activated(store, { id: "s1", session: current }, changes);
};

const withSession = (current: Session, account: StoredAccount = {}) =>
  storeWith({ sessions: [current, session({ id: "s2" })], ...account });

describe("a factor that becomes active", () => {
  it("counts from now on", () => {
    const store = withSession(ALONE);
    expect(bySession(store)).toMatchObject({ kind: "active", factor: { id: "new", kind: "totp" } });
    expect(store.factors()).toEqual([totpFactor({ id: "new" })]);
  });

  it("ends every other session, every challenge, every enrolment and every trust", () => {
    const enrolment = grant();
    const store = withSession(session(), {
      factors: [totpFactor()],
      guard: {
        browsers: [browser({ trust: trust() }), browser({ id: "b2" })],
        challenges: [challenge(), challenge({ purpose: "step_up", sessionId: "s1" })],
        enrolments: [enrolment],
        registration: { ownerId: "s1", challenge: "AAAA", until: NOW + 1 },
        pots: { s1: 1, s2: 1 },
      },
    });
    bySession(store);
    expect(store.sessions().map(({ id }) => id)).toEqual(["s1"]);
    const { browsers, challenges, enrolments, registration, pots } = store.guard();
    expect({ browsers, challenges, enrolments, registration, pots }).toEqual({
      browsers: [browser(), browser({ id: "b2" })],
      challenges: [],
      enrolments: [],
      pots: { s1: 1 },
    });
  });
});

describe("the first factor", () => {
  it("comes with recovery codes, shown this once", () => {
    const store = withSession(ALONE);
    expect(bySession(store)).toMatchObject({ recoveryCodes: ["shown"] });
    expect(store.guard().recoveryCodes).toEqual(CODES.kept);
  });

  it.each([
    ["another factor", { factors: [passkey()], guard: { recoveryCodes: OLD_CODES } }],
    ["codes from before", { guard: { recoveryCodes: OLD_CODES } }],
  ])("is none beside %s, and the codes stay as they are", (_, account) => {
    const store = withSession(RECOVERED, account);
    expect(bySession(store)).not.toHaveProperty("recoveryCodes");
    expect(store.guard().recoveryCodes).toEqual(OLD_CODES);
  });

  it("makes every browser forgotten that signed in by password alone, but the one that adds it", () => {
    const guard = {
      browsers: [browser(), browser({ id: "b2" })],
      attempts: { b1: [NOW], b2: [NOW], unrecognised: [NOW] },
    };
    const own = withSession(ALONE, { guard });
    bySession(own, { claim: claim({ recognisedIds: ["b2"] }) });
    expect(own.guard().browsers).toEqual([browser({ id: "b2" })]);
    expect(own.guard().attempts).toEqual({ b2: [NOW], unrecognised: [NOW] });
    const nobody = withSession(ALONE, { guard });
    bySession(nobody, { claim: claim() });
    expect(nobody.guard().browsers).toEqual([]);
  });
});

describe("the session that adds a factor", () => {
  const proofAfter = (current: Session, factor: Factor) => {
    const store = withSession(current, { factors: [passkey({ id: "old" })] });
    bySession(store, { factor });
    return store.session("s1")?.factors;
  };

  it("by password alone has proven both from now on", () => {
    const factors = proofAfter(ALONE, totpFactor({ id: "new" }));
    expect(factors).toEqual({ pwd: AT, otp: AT });
    expect(factors && describeProof(factors).acr).toBe("aal2");
  });

  it("with stronger proof keeps that as it is", () => {
    expect(proofAfter(session({ factors: { pwd: 1, otp: 2 } }), passkey())).toEqual({ pwd: 1, otp: 2 });
    expect(proofAfter(session({ factors: { swk: 2, uv: 2 } }), totpFactor({ id: "new" }))).toEqual({ swk: 2, uv: 2 });
  });

  it("after a recovery code is not raised by it, and cannot use it to raise itself", () => {
    for (const factor of [totpFactor({ id: "new" }), passkey({ id: "new" })]) {
      const store = withSession(RECOVERED, { guard: { recoveryCodes: OLD_CODES } });
      bySession(store, { factor });
      expect(store.session("s1")?.factors).toEqual(RECOVERED.factors);
      expect(store.factors()).toMatchObject([{ id: "new", enrolledAfterRecoveryBy: "s1" }]);
    }
  });

  it("is the only case in which a factor is marked so", () => {
    for (const current of [ALONE, session(), session({ factors: { swk: 1, uv: 1 } })]) {
      const store = withSession(current);
      bySession(store);
      expect(store.factors()[0]).not.toHaveProperty("enrolledAfterRecoveryBy");
    }
  });
});

describe("an enrolment token", () => {
  it("opens the session it was waiting for, with both proofs, and is spent", () => {
    const { store, outcome } = byToken(grant());
    expect(outcome).toMatchObject({ session: { kind: "session", factors: { pwd: AT, otp: AT }, generation: 1 } });
    expect(store.sessions().map(({ factors }) => factors)).toEqual([{ pwd: AT, otp: AT }]);
    expect(store.guard().enrolments).toEqual([]);
  });

  it("makes the browser known, and nothing is held against strangers any more", () => {
    const { store, outcome } = byToken(grant(), totpFactor({ id: "new" }), { streaks: { ...NO_STREAKS, failures: 9 } });
    const [known] = store.guard().browsers;
    expect(outcome).toMatchObject({ session: { browser: { id: known?.id, emailDigest: "digest-1" } } });
    expect(store.guard().streaks).toEqual(NO_STREAKS);
  });

  it("is not answered by a kind that does not count, and nothing has changed", () => {
    const wanted = grant({ terms: { ...TERMS, secondFactor: "passkey" } });
    const { store, before, outcome } = byToken(wanted);
    expect(outcome).toEqual({ refused: "factor_kind_not_accepted" });
    expect([store.guard(), store.factors(), store.sessions()]).toEqual(before);
    expect(byToken(wanted, passkey()).outcome).toMatchObject({ session: { factors: { pwd: AT, swk: AT } } });
  });
});

function grant(changes: Partial<EnrolmentGrant> = {}): EnrolmentGrant {
  const terms = { ...TERMS, secondFactor: "required" } as const;
  return { id: "e1", expiresAt: NOW + 1, factors: { pwd: AT }, terms, passwordVersion: 1, epoch: 1, ...changes };
}

function byToken(
  enrolment: EnrolmentGrant,
  factor: Factor = totpFactor({ id: "new" }),
  guard: StoredAccount["guard"] = {},
) {
  const store = storeWith({ guard: { enrolments: [enrolment], ...guard } });
  const before = [store.guard(), store.factors(), store.sessions()];
  return { store, before, outcome: activated(store, { id: "e1", enrolment }, { factor }) };
}
