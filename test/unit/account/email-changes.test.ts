import { describe, expect, it } from "vitest";
import { admitVerdict } from "../../../src/account/changes.ts";
import {
  awaitEmailChange,
  lapseUndo,
  prepareEmailChange,
  prepareEmailUndo,
} from "../../../src/account/email-changes.ts";
import { removeFactor, turnOffSecondFactor } from "../../../src/account/factor-changes.ts";
import { activeFactors } from "../../../src/account/factors.ts";
import { NOW, passkey, session, TERMS, totpFactor } from "../support/account-samples.ts";
import { accountWith, answer, assertion, CODE, RECOVERY } from "../support/answering.ts";
import { addedAt, busyAccount, commitPrepared, DAY, FRESH, undoOf, verdict } from "../support/changing.ts";
import { proveTo, takenOver } from "../support/taken-over.ts";

const LATER = NOW + 1000;

describe("an address that is asked for", () => {
  it("waits for its link a day, and changes nothing until then", () => {
    const store = busyAccount();
    const before = store.guard();
    expect(awaitEmailChange(store, FRESH, "new", NOW)).toEqual({ kind: "awaited" });
    const emailChange = { id: "new", expiresAt: NOW + DAY };
    expect(store.guard()).toEqual({ ...before, life: { emailChange } });
    expect(store.sessions()).toHaveLength(2);
    expect(prepareEmailChange(store, verdict(1, NOW + DAY), "new", NOW + DAY)).toEqual({ refused: "link_used" });
    expect(prepareEmailChange(store, verdict(1, NOW + DAY - 1), "new", NOW + DAY - 1)).toMatchObject({
      kind: "prepared",
    });
  });

  it("makes every older link worthless, and no other account's is good", () => {
    const store = busyAccount();
    awaitEmailChange(store, FRESH, "first", NOW);
    awaitEmailChange(store, FRESH, "second", LATER);
    for (const id of ["first", "other", ""]) {
      expect(prepareEmailChange(store, verdict(), id, LATER)).toEqual({ refused: "link_used" });
    }
    expect(store.sessions()).toHaveLength(2);
    expect(prepareEmailChange(store, verdict(), "second", LATER)).toMatchObject({ kind: "prepared" });
  });

  it("is not moved by a later link once it is half way", () => {
    const store = busyAccount();
    awaitEmailChange(store, FRESH, "first", NOW);
    prepareEmailChange(store, verdict(), "first", NOW);
    expect(awaitEmailChange(store, FRESH, "second", NOW)).toEqual({ refused: "session_ended" });
  });

  it("needs proof of a moment ago", () => {
    const store = busyAccount();
    expect(awaitEmailChange(store, FRESH, "new", NOW + 300_000)).toMatchObject({ refused: "proof_too_old" });
    expect(awaitEmailChange(store, { ...FRESH, acr: "aal1" }, "new", NOW)).toMatchObject({ refused: "proof_too_old" });
    expect(awaitEmailChange(store, { ...FRESH, sessionId: "s9" }, "new", NOW)).toEqual({ refused: "session_ended" });
    expect(store.guard().life).toEqual({});
  });

  it("has to wait while the last change can be taken back, since the first owner would be left with nothing", () => {
    const store = takenOver();
    expect(awaitEmailChange(store, FRESH, "next", LATER)).toEqual({ refused: "undo_open" });
    const old = busyAccount({ guard: { life: { undo: undoOf({ expiresAt: NOW }) } } });
    expect(awaitEmailChange(old, FRESH, "next", NOW)).toEqual({ kind: "awaited" });
  });
});

describe("the undo of an email change", () => {
  const withKept = () => {
    const store = takenOver();
    turnOffSecondFactor(store, FRESH, "optional", LATER);
    return store;
  };
  const lapsesAt = NOW + 3 * DAY;

  it("keeps what was removed, and lets go of it when its time is up and not before", () => {
    const store = withKept();
    const before = store.guard();
    expect(lapseUndo(store, verdict(2), lapsesAt - 1)).toEqual({ kind: "undecided" });
    expect(store.guard()).toEqual(before);
    expect(before).toMatchObject({ accepted: { t1: { step: 10 } }, counters: { p1: { signCount: 7 } } });
    expect(lapseUndo(store, verdict(2), lapsesAt)).toEqual({ kind: "lapsed", credentialIds: ["AQID"] });
    expect(store.guard()).toMatchObject({ accepted: {}, counters: {}, life: {} });
    expect(lapseUndo(store, verdict(2), lapsesAt)).toEqual({ kind: "lapsed", credentialIds: [] });
  });

  it("does not lapse under an owner who is just taking the change back", () => {
    const store = withKept();
    prepareEmailUndo(store, verdict(2, lapsesAt - 1), "link", lapsesAt - 1);
    expect(lapseUndo(store, verdict(2, lapsesAt), lapsesAt)).toEqual({ kind: "undecided" });
    // The directory has it: what was to lapse is brought back, and there is nothing left that could.
    expect(lapseUndo(store, verdict(3, lapsesAt), lapsesAt)).toEqual({ kind: "lapsed", credentialIds: [] });
    expect(activeFactors(store).map(({ id }) => id)).toEqual(["t1", "p1"]);
  });

  it("lapses once such a request has died on the way", () => {
    const store = withKept();
    prepareEmailUndo(store, verdict(2, lapsesAt - 1), "link", lapsesAt - 1);
    const later = lapsesAt + 60_000;
    expect(lapseUndo(store, verdict(2, later), later)).toEqual({ kind: "lapsed", credentialIds: ["AQID"] });
    expect(store.guard().passwordVersion).toBe(2);
  });

  it("gives way to that of a later change, and what it had kept is free then", () => {
    const removed = [passkey({ id: "p7" }, { id: "CCCC" })];
    const life = { emailChange: { id: "next", expiresAt: NOW + 1 }, undo: undoOf({ removed, expiresAt: NOW }) };
    const store = busyAccount({ guard: { life, counters: { p7: { signCount: 7, at: NOW } } } });
    prepareEmailChange(store, verdict(), "next", NOW);
    expect(commitPrepared(store)).toMatchObject({ credentialIds: ["CCCC"] });
    expect(store.guard().life.undo).toMatchObject({ id: "next", removed: [] });
    expect(store.guard().counters).toEqual({});
  });

  it("counts from when the directory was asked to change, however late the account hears of it", () => {
    const store = busyAccount({ guard: { life: { emailChange: { id: "link", expiresAt: NOW + 1 } } } });
    prepareEmailChange(store, verdict(), "link", NOW);
    admitVerdict(store, store.guard(), verdict(2, NOW + DAY), NOW + DAY);
    expect(store.guard().life.undo).toMatchObject({ id: "link", factorIds: ["t1", "p1"], expiresAt: lapsesAt });
  });
});

describe("a factor that is removed", () => {
  it("while an email change can be taken back is kept if it is an older one, and is gone if it is not", () => {
    const store = takenOver();
    const { passkey: key } = addedAt(LATER);
    store.saveFactor(key);
    expect(removeFactor(store, FRESH, "p2", "optional", LATER)).toMatchObject({ credentialIds: ["BAUG"] });
    expect(removeFactor(store, FRESH, "p1", "optional", LATER)).toMatchObject({ credentialIds: [] });
    expect(store.guard().life.undo?.removed.map(({ id }) => id)).toEqual(["p1"]);
    expect(store.guard().counters).toEqual({ p1: { signCount: 7, at: NOW } });
    expect(proveTo(store, assertion(8))).toHaveProperty("unproven");
  });

  it("does not give a credential id away that a kept one has", () => {
    const store = takenOver();
    removeFactor(store, FRESH, "p1", "optional", LATER);
    store.saveFactor(passkey({ id: "p9", createdAt: LATER }, { publicKey: "stranger" }));
    expect(removeFactor(store, FRESH, "p9", "optional", LATER)).toMatchObject({ credentialIds: [] });
  });

  it("at any other time is gone, and nothing of it is left", () => {
    for (const life of [{}, { undo: undoOf({ expiresAt: NOW }) }]) {
      const store = busyAccount({ guard: { life } });
      expect(removeFactor(store, FRESH, "p1", "optional", NOW)).toMatchObject({ credentialIds: ["AQID"] });
      expect(store.guard().counters).toEqual({});
      expect(store.guard().life.undo?.removed ?? []).toEqual([]);
    }
  });
});

describe("a factor that does not count", () => {
  const asleep = [
    totpFactor({ id: "t2", createdAt: LATER, suspended: true }),
    passkey({ id: "p2", createdAt: LATER + 1, suspended: true }, { id: "BAUG" }),
  ];
  const account = (createdAt: number) =>
    accountWith({}, { factors: [totpFactor({ createdAt }), passkey({ createdAt }), ...asleep] });
  const awake = (store: ReturnType<typeof account>) =>
    activeFactors(store)
      .map(({ id }) => id)
      .sort();

  it.each([CODE, assertion()])("counts again once an older one is proven: $method", (evidence) => {
    const store = account(NOW);
    answer(store, evidence);
    expect(awake(store)).toEqual(["p1", "p2", "t1", "t2"]);
    for (const factor of store.factors()) expect(factor).not.toHaveProperty("suspended");
  });

  it("counts again after the step-up of a session as well", () => {
    const store = accountWith(
      { purpose: "step_up", sessionId: "s1", terms: TERMS },
      { factors: [totpFactor(), ...asleep], sessions: [session()] },
    );
    answer(store, CODE);
    expect(awake(store)).toEqual(["p2", "t1", "t2"]);
  });

  it.each([
    ["a recovery code", NOW, RECOVERY],
    ["a wrong code", NOW, { method: "totp", matches: [{ factorId: "t1", steps: [] }] }],
    ["its own code", NOW, { method: "totp", matches: [{ factorId: "t2", steps: [10] }] }],
    ["its own assertion", NOW, { ...assertion(), passkeyId: "p2" }],
    ["a factor that is younger", LATER + 2, CODE],
    ["a passkey that is younger", LATER + 2, assertion()],
  ] as [string, number, typeof CODE][])("is not woken by %s", (_, createdAt, evidence) => {
    const store = account(createdAt);
    answer(store, evidence);
    expect(awake(store)).toEqual(["p1", "t1"]);
    expect(store.factors().filter(({ suspended }) => suspended)).toEqual(asleep);
  });
});
