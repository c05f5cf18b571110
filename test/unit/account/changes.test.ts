import { describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import { openSession } from "../../../src/account/admission.ts";
import { abandonChange, admitVerdict, commitChange, type Verdict } from "../../../src/account/changes.ts";
import { NOW, TERMS } from "../support/account-samples.ts";
import { busyAccount, DAY, prepared, SAMPLES, verdict, whatIsOpen } from "../support/changing.ts";

const KINDS = Object.keys(SAMPLES) as (keyof typeof SAMPLES)[];
const LINKS = KINDS.filter((kind) => SAMPLES[kind].isLink);
const MINUTE = 60_000;
/** How old a request may be that asks for a change. */
const IN_TIME_MS = 10_000;
const NOTHING = { credentialIds: [] };

const commit = (store: AccountStore, key: string) => commitChange(store, store.guard(), key);
const abandon = (store: AccountStore, key: string) => abandonChange(store, store.guard(), key);
const admitted = (store: AccountStore, said: Verdict, now: number) => admitVerdict(store, store.guard(), said, now);

/** Somebody comes in between two steps by a passkey, which needs no word of the directory. */
const signInMeanwhile = (store: AccountStore) => openSession(store, store.guard(), {}, TERMS, NOW);

/** What the account remembers, its prepared change and its floor apart. */
function remembered(store: AccountStore) {
  const { passwordVersion: _, life, ...guard } = store.guard();
  const { prepared: _p, ...rest } = life;
  return { guard, life: rest, factors: store.factors() };
}

describe.each(KINDS)("a change of what the directory holds: %s", (kind) => {
  it("signs everybody out at its first step, and nothing of the old version is let in", () => {
    const { store } = prepared(kind);
    expect(whatIsOpen(store)).toEqual([]);
    expect(store.guard().passwordVersion).toBe(2);
    for (const readAfter of [NOW, NOW + MINUTE - 1]) {
      expect(admitted(store, verdict(1, readAfter), NOW + 20_000)).toEqual({
        refused: "change_under_way",
        retryAfterSeconds: 40,
      });
    }
    expect(store.guard().life.prepared).toMatchObject({ version: 2, at: NOW });
  });

  it("is rolled back once the directory was read a minute later and still does not hold it", () => {
    const before = remembered(prepared(kind).store);
    const { store, key } = prepared(kind);
    expect(admitted(store, verdict(1, NOW + MINUTE), NOW + MINUTE)).toBeUndefined();
    expect(store.guard().life.prepared).toBeUndefined();
    expect(store.guard().passwordVersion).toBe(1);
    expect(remembered(store)).toEqual(before);
    // Who comes back late finds nothing to finish.
    expect(commit(store, key)).toEqual(NOTHING);
    expect(remembered(store)).toEqual(before);
  });

  it("is finished by whoever hears from the directory that it is made, as if its request had come back", () => {
    const { store, key } = prepared(kind);
    const other = prepared(kind).store;
    signInMeanwhile(other);
    commit(store, key);
    expect(admitted(other, verdict(2, NOW), NOW)).toBeUndefined();
    expect(remembered(other)).toEqual(remembered(store));
    expect(other.sessions()).toEqual([]);
    expect(other.guard()).toEqual(store.guard());
    // Its own request finds that out, and changes nothing.
    const after = other.guard();
    expect(commit(other, key)).toEqual(NOTHING);
    expect(other.guard()).toEqual(after);
  });

  it("ends whatever was opened between its steps", () => {
    const { store, key } = prepared(kind);
    signInMeanwhile(store);
    commit(store, key);
    expect(whatIsOpen(store)).toEqual([]);
  });

  it("leaves nothing of the links that were on their way before it", () => {
    const awaited = { id: "other", expiresAt: NOW + DAY };
    const sample = SAMPLES[kind];
    const life = { reset: awaited, emailChange: awaited, recoveryRequest: awaited, ...sample.account.guard.life };
    const store = busyAccount({ ...sample.account, guard: { ...sample.account.guard, life } });
    const answer = sample.prepare(store, verdict(), NOW);
    expect(store.guard().life).toMatchObject(life);
    commit(store, "key" in answer ? answer.key : "");
    for (const link of ["reset", "emailChange", "recoveryRequest", "prepared"]) {
      expect(store.guard().life).not.toHaveProperty(link);
    }
  });

  it("is made once: a second commit, or one by another name, changes nothing", () => {
    const { store, key } = prepared(kind);
    const before = store.guard();
    expect(commit(store, "another")).toEqual(NOTHING);
    expect(store.guard()).toEqual(before);
    commit(store, key);
    const after = store.guard();
    expect(after.life.prepared).toBeUndefined();
    expect(commit(store, key)).toEqual(NOTHING);
    expect(store.guard()).toEqual(after);
  });

  it("is never rolled back once it is made, however late an old word of the directory comes", () => {
    const { store, key } = prepared(kind);
    commit(store, key);
    const after = store.guard();
    expect(admitted(store, verdict(1, NOW + 30 * DAY), NOW + 30 * DAY)).toEqual({ refused: "verdict_overtaken" });
    abandon(store, key);
    expect(store.guard()).toEqual(after);
  });

  it("that the directory has refused leaves the account as before, and everybody signed out", () => {
    const before = remembered(prepared(kind).store);
    const { store, key } = prepared(kind);
    abandon(store, "another");
    expect(store.guard().passwordVersion).toBe(2);
    abandon(store, key);
    expect(store.guard().passwordVersion).toBe(1);
    expect(store.guard().life.prepared).toBeUndefined();
    expect(remembered(store)).toEqual(before);
    expect(admitted(store, verdict(1), NOW)).toBeUndefined();
  });

  it("is not prepared for a request that would come too late for the directory, and nobody is signed out for it", () => {
    const { account, prepare } = SAMPLES[kind];
    const store = busyAccount(account);
    const before = [store.guard(), store.sessions()];
    expect(prepare(store, verdict(1, NOW - IN_TIME_MS), NOW)).toEqual({ refused: "request_too_slow" });
    expect([store.guard(), store.sessions()]).toEqual(before);
    expect(prepare(store, verdict(1, NOW - IN_TIME_MS + 1), NOW)).toMatchObject({ kind: "prepared" });
  });

  it("is not prepared from an older version, an older epoch, or for an account that is no more", () => {
    const { account, prepare } = SAMPLES[kind];
    const refused = (guard: object, said: Verdict) => {
      const store = busyAccount({ ...account, guard: { ...account.guard, ...guard } });
      const sessions = store.sessions();
      const answer = prepare(store, said, NOW);
      expect(store.guard().life.prepared).toBeUndefined();
      expect(store.sessions()).toEqual(sessions);
      return answer;
    };
    expect(refused({ passwordVersion: 2 }, verdict(1))).toHaveProperty("refused");
    expect(refused({ epoch: 2 }, verdict(1))).toHaveProperty("refused");
    const life = { ...account.guard.life, isBuried: true as const };
    expect(refused({ life }, verdict(1))).toHaveProperty("refused");
  });
});

describe.each(LINKS)("a link that is used twice: %s", (kind) => {
  it("asks for the same change while it is under way, for the directory to choose", () => {
    const { store, key, sample } = prepared(kind);
    expect(sample.prepare(store, verdict(), NOW + 1000)).toEqual({ kind: "prepared", key, version: 2 });
    expect(store.guard().passwordVersion).toBe(2);
  });

  it("signs out again whoever has come in between", () => {
    const { store, sample } = prepared(kind);
    signInMeanwhile(store);
    sample.prepare(store, verdict(), NOW + 1000);
    expect(whatIsOpen(store)).toEqual([]);
  });

  it("is used up once the change is made", () => {
    const { store, key, sample } = prepared(kind);
    commit(store, key);
    expect(sample.prepare(store, verdict(2, NOW + 1000), NOW + 1000)).toEqual({ refused: "link_used" });
    expect(store.guard().life.prepared).toBeUndefined();
    const other = prepared(kind).store;
    expect(sample.prepare(other, verdict(2, NOW + 1000), NOW + 1000)).toEqual({ refused: "link_used" });
    expect(other.guard().life.prepared).toBeUndefined();
  });

  it("is good again where the first request has died on the way", () => {
    const { store, key, sample } = prepared(kind);
    abandon(store, key);
    expect(sample.prepare(store, verdict(1, NOW + 1000), NOW + 1000)).toMatchObject({ kind: "prepared", version: 2 });
  });

  it("long after its first request died is not rolled back under the second one", () => {
    const { store, key, sample } = prepared(kind);
    const later = NOW + 5 * MINUTE;
    expect(sample.prepare(store, verdict(1, later), later)).toMatchObject({ kind: "prepared", version: 2 });
    // Somebody has read the directory just before it was written.
    expect(admitted(store, verdict(1, later), later + 10)).toMatchObject({ refused: "change_under_way" });
    expect(store.guard().life.prepared).toMatchObject({ key, version: 2 });
  });
});

describe("two different changes at once", () => {
  it.each(LINKS)("do not mix: %s waits until the other one has lapsed", (kind) => {
    const other = kind === "freeze" ? "email" : "freeze";
    const { store } = prepared(kind);
    const before = store.guard();
    const asked = SAMPLES[other].prepare(store, verdict(1, NOW + 20_000), NOW + 20_000);
    expect(asked).toEqual({ refused: "change_under_way", retryAfterSeconds: 40 });
    expect(store.guard()).toEqual(before);
  });

  it("make the second one wait at least a second, whatever the clocks say", () => {
    const { store } = prepared("email");
    const asked = admitted(store, verdict(1, NOW + MINUTE - 1), NOW + 2 * MINUTE);
    expect(asked).toEqual({ refused: "change_under_way", retryAfterSeconds: 1 });
  });

  it("are made one after the other where the first one is in the directory already", () => {
    const { store } = prepared("email");
    expect(SAMPLES.freeze.prepare(store, verdict(2, NOW + 10), NOW + 10)).toMatchObject({ version: 3 });
    expect(store.guard().life).toMatchObject({
      undo: { expiresAt: NOW + 3 * DAY },
      prepared: { change: { kind: "freeze" }, version: 3 },
    });
    expect(store.guard().passwordVersion).toBe(3);
  });

  it("a lapsed one makes room, and cannot be committed any more", () => {
    const { store, key } = prepared("email");
    const later = NOW + MINUTE;
    expect(SAMPLES.freeze.prepare(store, verdict(1, later), later)).toMatchObject({ kind: "prepared", version: 2 });
    commit(store, key);
    abandon(store, key);
    expect(store.guard().life).toMatchObject({ prepared: { change: { kind: "freeze" } }, emailChange: { id: "link" } });
    expect(store.guard().life.undo).toBeUndefined();
  });
});
