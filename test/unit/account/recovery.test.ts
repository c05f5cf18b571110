import { describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import { openFirstDoor } from "../../../src/account/first-door.ts";
import {
  cancelRecovery,
  dueOfRecovery,
  finishRecovery,
  noteAnnouncement,
  requestRecovery,
  resetFactors,
  runningRecovery,
  startRecovery,
} from "../../../src/account/recovery.ts";
import { copyOf } from "../../../src/account/views.ts";
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
import { accountWith, answer, assertion, CODE, RECOVERY, STEP_UP, WRONG_CODE } from "../support/answering.ts";
import { busyAccount, DAY, FRESH, OLD_FACTORS, undoOf, verdict, whatIsOpen } from "../support/changing.ts";
import type { StoredAccount } from "../support/memory-store.ts";

const HALF_AN_HOUR = 1_800_000;
const WAIT = 3 * DAY;
const RUNNING = { id: "r1", startedAt: NOW, finishAfter: NOW + WAIT };
const NO_CODES = { keyId: 0, digests: [] };

const request = (store: AccountStore, linkId = "link", now = NOW) =>
  requestRecovery(store, verdict(1, now), linkId, now);
const start = (store: AccountStore, { linkId = "link", id = "r1", now = NOW, version = 1, delayMs = WAIT } = {}) =>
  startRecovery(store, verdict(version, now), linkId, { id, delayMs }, now);
const finish = (store: AccountStore, now: number, id = "r1", version = 1) =>
  finishRecovery(store, verdict(version, now), id, now);
const waiting = (account: StoredAccount = {}) => busyAccount({ ...account, guard: { life: { recovery: RUNNING } } });

describe("a recovery that is asked for", () => {
  it("waits for its link half an hour, and ends nothing", () => {
    const store = busyAccount();
    const before = whatIsOpen(store);
    expect(request(store)).toEqual({ kind: "awaited" });
    expect(store.guard().life).toEqual({ recoveryRequest: { id: "link", expiresAt: NOW + HALF_AN_HOUR } });
    expect(start(store, { now: NOW + HALF_AN_HOUR })).toEqual({ refused: "link_used" });
    expect(start(store, { now: NOW + HALF_AN_HOUR - 1 })).toHaveProperty("recovery");
    expect(whatIsOpen(store)).toEqual(before);
  });

  it("is none where there is nothing to lose", () => {
    const store = busyAccount({ factors: [pendingFactor("s1")], guard: { recoveryCodes: NO_CODES } });
    expect(request(store)).toEqual({ refused: "nothing_to_recover" });
    expect(start(store)).toEqual({ refused: "link_used" });
    expect(request(busyAccount({ factors: [] }))).toEqual({ kind: "awaited" });
  });

  it("starts by the newest link alone, and once", () => {
    const store = busyAccount();
    request(store, "first");
    request(store, "second", NOW + 1);
    for (const linkId of ["first", "", "r1"]) expect(start(store, { linkId })).toEqual({ refused: "link_used" });
    expect(start(store, { linkId: "second" })).toEqual({ recovery: RUNNING });
    expect(start(store, { linkId: "second", now: NOW + 1 })).toEqual({ refused: "link_used" });
    expect(store.guard().life).toEqual({ recovery: RUNNING });
  });

  it("does not start under another password, another epoch, or for an account that is no more", () => {
    const asked = { recoveryRequest: { id: "link", expiresAt: NOW + 1 } };
    for (const guard of [{ passwordVersion: 2 }, { epoch: 2 }, { life: { ...asked, isBuried: true as const } }]) {
      const store = busyAccount({ guard: { life: asked, ...guard } });
      expect(request(store)).toHaveProperty("refused");
      expect(start(store)).toHaveProperty("refused");
      expect(store.guard().life.recovery).toBeUndefined();
    }
  });

  it("started again while one waits neither shortens nor lengthens it, nor takes its name", () => {
    const store = waiting();
    request(store, "again", NOW + DAY);
    expect(start(store, { linkId: "again", id: "r2", now: NOW + DAY, delayMs: 0 })).toEqual({ recovery: RUNNING });
    expect(finish(store, NOW + DAY, "r2")).toEqual({ refused: "link_used" });
    expect(finish(store, NOW + WAIT, "r2")).toEqual({ refused: "link_used" });
    expect(finish(store, NOW + WAIT)).toHaveProperty("credentialIds");
  });

  it("starts anew once the last one has passed unfinished", () => {
    const store = waiting();
    const now = NOW + WAIT + DAY;
    request(store, "again", now);
    expect(start(store, { linkId: "again", id: "r2", now })).toEqual({
      recovery: { id: "r2", startedAt: now, finishAfter: now + WAIT },
    });
    expect(finish(store, now)).toEqual({ refused: "link_used" });
  });
});

describe("a recovery that waits", () => {
  it.each([
    ["before its time", NOW + WAIT - 1, false],
    ["at its time", NOW + WAIT, true],
    ["until a day after", NOW + WAIT + DAY - 1, true],
    ["a day after", NOW + WAIT + DAY, false],
  ])("can be finished %s: %i %s", (_, now, isDue) => {
    const store = waiting();
    const before = store.guard();
    const finished = finish(store, now);
    if (isDue) return expect(finished).toEqual({ credentialIds: ["AQID"] });
    expect(finished).toEqual({ refused: "link_used" });
    expect(store.guard()).toEqual(before);
    expect(store.factors()).toEqual(OLD_FACTORS);
  });

  it("takes every factor, pending ones too, and every code; nobody is signed in, and the next one adds a factor", () => {
    const store = waiting({ factors: [...OLD_FACTORS, pendingFactor("s1")] });
    finish(store, NOW + WAIT);
    expect(store.factors()).toEqual([]);
    expect(store.guard()).toMatchObject({ recoveryCodes: NO_CODES, accepted: {}, counters: {} });
    expect(store.guard().life).toEqual({ mustEnrol: true });
    expect(whatIsOpen(store)).toEqual([]);
    expect(finish(store, NOW + WAIT)).toEqual({ refused: "link_used" });
  });

  it("keeps them for the old address, while an email change can be taken back", () => {
    const undo = undoOf({ expiresAt: NOW + WAIT + 1 });
    const store = busyAccount({ guard: { life: { recovery: RUNNING, undo } } });
    expect(finish(store, NOW + WAIT)).toEqual({ credentialIds: [] });
    expect(store.factors()).toEqual([]);
    expect(store.guard().life.undo?.removed).toEqual(OLD_FACTORS);
  });

  it("is not finished under an older password or epoch, nor while a change is half way", () => {
    for (const guard of [{ passwordVersion: 2 }, { epoch: 2 }]) {
      const store = busyAccount({ guard: { ...guard, life: { recovery: RUNNING } } });
      expect(finish(store, NOW + WAIT)).toHaveProperty("refused");
      expect(store.factors()).toEqual(OLD_FACTORS);
    }
  });

  it("is told in what the owner takes along, and no longer than it waits", () => {
    const copy = (now: number) => {
      const factors = { pwd: now / 1000, otp: now / 1000 };
      const sessions = [session({ idleExpiresAt: now + 1, absoluteExpiresAt: now + 1 })];
      return copyOf(waiting({ sessions }), { ...FRESH, factors }, claim(), now);
    };
    expect(copy(NOW)).toMatchObject({ recovery: { finishAfter: NOW + WAIT } });
    expect(copy(NOW + WAIT + DAY)).not.toHaveProperty("recovery");
  });

  it("is announced once, when its time has come", () => {
    const store = waiting();
    expect(dueOfRecovery(store, NOW + WAIT - 1)).toEqual({ kind: "remind", recovery: RUNNING });
    expect(dueOfRecovery(store, NOW + WAIT)).toEqual({ kind: "announce", recovery: RUNNING });
    noteAnnouncement(store, "another");
    expect(dueOfRecovery(store, NOW + WAIT)).toMatchObject({ kind: "announce" });
    noteAnnouncement(store, "r1");
    expect(dueOfRecovery(store, NOW + WAIT)).toMatchObject({ kind: "announced" });
    expect(dueOfRecovery(store, NOW + WAIT + DAY)).toEqual({ kind: "none" });
    expect(dueOfRecovery(busyAccount(), NOW)).toEqual({ kind: "none" });
    expect(finish(store, NOW + WAIT)).toHaveProperty("credentialIds");
  });
});

describe("who stops a recovery", () => {
  it.each([
    ["before it started", NOW - 1, { kind: "cancelled" }],
    ["at that moment", NOW, { refused: "session_too_young" }],
    ["since", NOW + 1, { refused: "session_too_young" }],
  ])("by a session that was opened %s: %i %j", (_, createdAt, outcome) => {
    const store = waiting({ sessions: [session({ createdAt })] });
    expect(cancelRecovery(store, { sessionId: "s1" }, NOW + DAY - 1)).toEqual(outcome);
    expect(runningRecovery(store.guard(), NOW + DAY) === undefined).toBe("kind" in outcome);
  });

  it("by no session that is over, of another account, or of an older password", () => {
    const sessions = [session({ createdAt: NOW - 1 }), session({ id: "s2", createdAt: NOW - 1, passwordVersion: 0 })];
    const store = waiting({ sessions });
    for (const [sessionId, now] of [
      ["s1", NOW + 14 * DAY],
      ["s2", NOW],
      ["s9", NOW],
      ["", NOW],
    ] as const) {
      expect(cancelRecovery(store, { sessionId }, now)).toEqual({ refused: "session_ended" });
    }
    expect(store.guard().life.recovery).toEqual(RUNNING);
  });

  it("by a session finds none where none waits, and tells the owner of nothing", () => {
    for (const life of [{}, { recovery: { ...RUNNING, startedAt: NOW - 9 * DAY, finishAfter: NOW - DAY } }]) {
      const store = busyAccount({ guard: { life } });
      expect(cancelRecovery(store, { sessionId: "s1" }, NOW)).toEqual({ refused: "no_recovery" });
    }
  });

  it("by the link of this very recovery, to the end of the day in which it can be finished, and once", () => {
    const cancel = (store: AccountStore, recoveryId: string, now: number) => cancelRecovery(store, { recoveryId }, now);
    for (const id of ["r2", "", "link"]) expect(cancel(waiting(), id, NOW)).toEqual({ refused: "link_used" });
    expect(cancel(waiting(), "r1", NOW + WAIT + DAY - 1)).toEqual({ kind: "cancelled" });
    expect(cancel(waiting(), "r1", NOW + WAIT + DAY)).toEqual({ refused: "link_used" });
    const store = waiting();
    cancel(store, "r1", NOW);
    expect(cancel(store, "r1", NOW)).toEqual({ refused: "link_used" });
    expect(finish(store, NOW + WAIT)).toEqual({ refused: "link_used" });
  });

  it.each([
    ["a code", CODE, {}],
    ["a passkey", assertion(), {}],
    ["a recovery code", RECOVERY, {}],
    ["a code of a session's step-up", CODE, STEP_UP],
  ])("by any proof, and a link that would start one is dead as well: %s", (_, evidence, open) => {
    const life = { recovery: RUNNING, recoveryRequest: { id: "link", expiresAt: NOW + DAY } };
    const store = accountWith(open, { guard: { life } });
    answer(store, evidence);
    expect(store.guard().life).toEqual({});
  });

  it("by no wrong answer, and by no sign-in of a trusted browser, which proves nothing", () => {
    const browsers = [browser({ trust: trust() })];
    const store = accountWith({}, { guard: { life: { recovery: RUNNING }, browsers } });
    for (const evidence of [WRONG_CODE, { ...RECOVERY, digest: "d9" } as typeof RECOVERY]) answer(store, evidence);
    const knock = { ...claim({ trustIds: ["trust-1"] }), isProven: false };
    expect(openFirstDoor(store, verdict(), TERMS, knock, NOW)).toMatchObject({ kind: "session" });
    expect(store.guard().life).toEqual({ recovery: RUNNING });
  });
});

describe("a reset of factors by operators", () => {
  it("does the same at once, also where there is nothing to remove", () => {
    for (const factors of [OLD_FACTORS, [totpFactor()], []]) {
      const store = busyAccount({ factors, guard: { life: { recovery: RUNNING } } });
      const credentialIds = factors === OLD_FACTORS ? ["AQID"] : [];
      expect(resetFactors(store, verdict(), "op1", NOW)).toEqual({ credentialIds });
      expect(store.factors()).toEqual([]);
      expect(store.guard().life).toEqual({ mustEnrol: true, lastReset: { requestId: "op1", credentialIds } });
      expect(whatIsOpen(store)).toEqual([]);
    }
  });

  it("that is made a second time leaves what has been added since, and another one does not", () => {
    const store = busyAccount();
    resetFactors(store, verdict(), "op1", NOW);
    store.saveFactor(totpFactor({ id: "t5" }));
    store.saveSession(session());
    // Whoever did the first half may not have come to the second: which passkeys are free is said again.
    expect(resetFactors(store, verdict(), "op1", NOW)).toEqual({ credentialIds: ["AQID"] });
    expect(store.factors()).toHaveLength(1);
    expect(store.sessions()).toHaveLength(1);
    resetFactors(store, verdict(), "op2", NOW);
    expect([store.factors(), store.sessions()]).toEqual([[], []]);
  });

  it("that is made a second time gives no passkey away that is in use again", () => {
    const store = busyAccount();
    resetFactors(store, verdict(), "op1", NOW);
    store.saveFactor(passkey({ id: "p5" }));
    expect(resetFactors(store, verdict(), "op1", NOW)).toEqual({ credentialIds: [] });
  });

  it("is refused to an older verdict, and for an account that is no more", () => {
    const refused = (guard: object) => resetFactors(busyAccount({ guard }), verdict(), "op1", NOW);
    for (const guard of [{ passwordVersion: 2 }, { epoch: 2 }, { life: { isBuried: true } }]) {
      expect(refused(guard)).toHaveProperty("refused");
    }
  });
});
