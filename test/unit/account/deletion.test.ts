import { describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import { commitChange } from "../../../src/account/changes.ts";
import { bury, leaveTombstone, prepareDeletion, prepareDeletionCancel } from "../../../src/account/deletion.ts";
import { prepareEmailUndo, prepareFreeze } from "../../../src/account/email-changes.ts";
import { isRefusal } from "../../../src/refusal.ts";
import { NOW, passkey } from "../support/account-samples.ts";
import { busyAccount, commitPrepared, DAY, FRESH, SAMPLES, undoOf, verdict, whatIsOpen } from "../support/changing.ts";
import { isIn, waysIn } from "../support/ways-in.ts";

const DELETES_AT = NOW + 3 * DAY;
const ASKED = { id: "del", deletesAt: DELETES_AT };
const LATER = NOW + 1000;

/** An account that somebody has closed. */
function closed(guard: Parameters<typeof busyAccount>[0] = {}): AccountStore {
  const store = busyAccount(guard);
  prepareDeletion(store, FRESH, verdict(), ASKED, NOW);
  commitPrepared(store);
  return store;
}

/** The time is up, and everything has been done. */
function deleted(): AccountStore {
  const store = closed();
  bury(store, verdict(2, DELETES_AT), DELETES_AT);
  leaveTombstone(store);
  return store;
}

const keep = (store: AccountStore, id = "del", now = LATER) => prepareDeletionCancel(store, verdict(2, now), id, now);
const commit = (store: AccountStore, asked: ReturnType<typeof keep>) =>
  commitChange(store, store.guard(), isRefusal(asked) ? "" : asked.key);

describe("an account that is to be deleted", () => {
  it("is signed out at once, and keeps all it needs to come back", () => {
    const store = closed();
    expect(whatIsOpen(store)).toEqual([]);
    expect(store.guard().life).toEqual({ deletion: ASKED });
    expect(store.factors()).toHaveLength(2);
    expect(store.guard().recoveryCodes.digests).toEqual(["d1", "d2"]);
  });

  it("needs proof of a moment ago from who asks for it", () => {
    const ask = (bearer: Partial<typeof FRESH>, now = NOW) => {
      const store = busyAccount();
      const answer = prepareDeletion(store, { ...FRESH, ...bearer }, verdict(1, now), ASKED, now);
      expect(store.sessions()).toHaveLength(2);
      expect(store.guard().life).toEqual({});
      return answer;
    };
    expect(ask({}, NOW + 300_000)).toMatchObject({ refused: "proof_too_old" });
    expect(ask({ acr: "aal1", factors: { pwd: NOW / 1000 } })).toMatchObject({ refused: "proof_too_old" });
    expect(ask({ sessionId: "s9" })).toEqual({ refused: "session_ended" });
  });

  it("is kept by the newest link alone, until its time and not at it, and once", () => {
    for (const id of ["", "other", "deletion:del"]) expect(keep(closed(), id)).toEqual({ refused: "link_used" });
    expect(keep(closed(), "del", DELETES_AT)).toEqual({ refused: "link_used" });
    expect(keep(closed(), "del", DELETES_AT - 1)).toMatchObject({ kind: "prepared", version: 3 });
    const store = closed();
    commit(store, keep(store));
    expect(store.guard().life).toEqual({});
    expect(store.sessions()).toEqual([]);
    expect(prepareDeletionCancel(store, verdict(3, LATER), "del", LATER)).toEqual({ refused: "link_used" });
    expect(bury(store, verdict(3, DELETES_AT), DELETES_AT)).toEqual({ kind: "kept" });
  });

  it.each([
    ["a freeze", (store: AccountStore) => prepareFreeze(store, verdict(2, LATER), NOW, LATER), {}],
    [
      "the undo of an email change",
      (store: AccountStore) => prepareEmailUndo(store, verdict(2, LATER), "undo", LATER),
      { guard: { life: { undo: undoOf() } } },
    ],
  ])("is kept by %s as well, and its own link is worthless then", (_, change, account) => {
    const store = closed(account);
    commit(store, change(store));
    expect(store.guard().life.deletion).toBeUndefined();
    expect(prepareDeletionCancel(store, verdict(3, LATER), "del", LATER)).toEqual({ refused: "link_used" });
    expect(bury(store, verdict(3, DELETES_AT), DELETES_AT)).toEqual({ kind: "kept" });
  });
});

describe("an account whose time is up", () => {
  it("is buried then and not before, and answers which passkeys are free as often as it is asked", () => {
    const store = closed();
    // The cron's clock may be ahead of the account's: it has to come again.
    expect(bury(store, verdict(2, DELETES_AT - 1), DELETES_AT - 1)).toEqual({ kind: "undecided" });
    expect(store.guard().life).toEqual({ deletion: ASKED });
    for (const said of [verdict(2, DELETES_AT), verdict(2, DELETES_AT + DAY), undefined]) {
      expect(bury(store, said, DELETES_AT + DAY)).toEqual({ kind: "buried", credentialIds: ["AQID"] });
    }
  });

  it("frees what an undo had kept as well", () => {
    const removed = [passkey({ id: "p7" }, { id: "CCCC" })];
    const store = closed({ guard: { life: { undo: undoOf({ removed }) } } });
    expect(bury(store, verdict(2, DELETES_AT), DELETES_AT)).toEqual({
      kind: "buried",
      credentialIds: ["AQID", "CCCC"],
    });
  });

  it("is buried although nobody came back to say that the directory had closed it", () => {
    const store = busyAccount();
    prepareDeletion(store, FRESH, verdict(), ASKED, NOW);
    expect(bury(store, verdict(2, DELETES_AT), DELETES_AT)).toMatchObject({ kind: "buried" });
  });

  it("is kept where the directory has never closed it", () => {
    const store = busyAccount();
    prepareDeletion(store, FRESH, verdict(), ASKED, NOW);
    expect(bury(store, verdict(1, DELETES_AT), DELETES_AT)).toEqual({ kind: "kept" });
    expect(store.guard()).toMatchObject({ passwordVersion: 1, life: {} });
  });

  it("is not buried under somebody who is just keeping it, until it is clear which of the two it was", () => {
    const half = () => {
      const store = closed();
      keep(store, "del", DELETES_AT - 1);
      return store;
    };
    const undecided = half();
    const before = undecided.guard();
    expect(bury(undecided, verdict(2, DELETES_AT), DELETES_AT)).toEqual({ kind: "undecided" });
    expect(undecided.guard()).toEqual(before);
    expect(bury(undecided, verdict(3, DELETES_AT), DELETES_AT)).toEqual({ kind: "kept" });
    const died = half();
    expect(bury(died, verdict(2, DELETES_AT + 60_000), DELETES_AT + 60_000)).toMatchObject({ kind: "buried" });
  });

  it("was nobody's wish where no deletion was asked for", () => {
    for (const said of [verdict(1, DELETES_AT), undefined]) {
      expect(bury(busyAccount(), said, DELETES_AT)).toEqual({ kind: "kept" });
    }
  });
});

describe("a deleted account", () => {
  it("is a tombstone and nothing else", () => {
    const store = deleted();
    expect(store.guard()).toMatchObject({ life: { isBuried: true }, browsers: [], networks: [], accepted: {} });
    expect(store.guard().recoveryCodes.digests).toEqual([]);
    expect([store.factors(), store.sessions()]).toEqual([[], []]);
  });

  it.each(Object.entries(waysIn()))("lets nobody in: %s", async (_, enter) => {
    // The same request opens something as long as the account is there: the samples are real ones.
    const alive = await enter.account();
    expect(isIn(await enter.by(alive))).toBe(true);
    const buriedHalfWay = await enter.account();
    buriedHalfWay.saveGuard({ ...buriedHalfWay.guard(), life: { ...buriedHalfWay.guard().life, isBuried: true } });
    for (const store of [buriedHalfWay, deleted()]) {
      const before = [store.factors(), store.sessions()];
      expect(isIn(await enter.by(store))).toBe(false);
      // What is answered may be spent; nothing is opened, changed or brought back.
      expect(store.guard().life.isBuried).toBe(true);
      expect([store.factors(), store.sessions()]).toEqual(before);
    }
  });

  it.each(Object.keys(SAMPLES) as (keyof typeof SAMPLES)[])("is not changed any more: %s", (kind) => {
    const store = deleted();
    for (const version of [0, 1, 2, 3]) {
      expect(SAMPLES[kind].prepare(store, verdict(version), NOW)).toHaveProperty("refused");
    }
    expect(store.guard().life).toEqual({ isBuried: true });
  });

  it("is not brought back by a change that comes to its end late", () => {
    const store = deleted();
    for (const key of ["keep:del@3", "deletion:del@2", "undo:undo@1", ""]) {
      expect(commitChange(store, store.guard(), key)).toEqual({ credentialIds: [] });
    }
    expect(store.guard().life).toEqual({ isBuried: true });
  });

  it("stays one, however often it is buried", () => {
    const store = deleted();
    expect(bury(store, undefined, NOW)).toEqual({ kind: "buried", credentialIds: [] });
    leaveTombstone(store);
    expect(store.guard().life).toEqual({ isBuried: true });
  });
});
