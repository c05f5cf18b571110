import { describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import { liveSession } from "../../../src/account/admission.ts";
import { admitVerdict } from "../../../src/account/changes.ts";
import { prepareDeletion, prepareDeletionCancel } from "../../../src/account/deletion.ts";
import { prepareFreeze } from "../../../src/account/email-changes.ts";
import {
  commitPasswordChange,
  preparePasswordChange,
  reservePasswordChange,
} from "../../../src/account/password-changes.ts";
import { refreshSession } from "../../../src/account/refreshing.ts";
import { hasSecret } from "../../../src/account/sessions.ts";
import { claim, NOW, SECRET, session, TERMS } from "../support/account-samples.ts";
import { busyAccount, DAY, FRESH, OLD_FACTORS, preparedKey, verdict, whatIsOpen } from "../support/changing.ts";
import type { StoredAccount } from "../support/memory-store.ts";

const LATER = NOW + 1000;
const WRONG = { right: false };
const RIGHT = { right: true };

const change = (store: AccountStore, found: { right: boolean }, version = 1, now = NOW) =>
  preparePasswordChange(store, FRESH, { ...verdict(version, now), ...found }, now);

/** A refresh by a token of this session and generation. */
function refresh(store: AccountStore, sessionId: string, generation: number, secret: Uint8Array<ArrayBuffer>) {
  const { trustTerms } = claim();
  const token = { sessionId, generation, secret, epoch: 1 };
  return refreshSession(
    store,
    { ...token, factorMaxAgeMs: DAY, audiences: [{ name: TERMS.audience }], trustTerms },
    LATER,
  );
}

/** The change is made, and this is what its session gets. */
function changed(account: StoredAccount = {}) {
  const store = busyAccount(account);
  expect(change(store, RIGHT)).toEqual({ kind: "prepared", key: preparedKey(store), version: 2 });
  const grant = commitPasswordChange(store, preparedKey(store), LATER);
  if ("refused" in grant) throw new Error(`the session does not go on: ${grant.refused}`);
  return { store, grant };
}

describe("the session that changes the password", () => {
  it("goes on alone, under the new version and a new refresh token, with its password proven now", () => {
    const { store, grant } = changed();
    expect(whatIsOpen(store)).toEqual([`session ${grant.sessionId}`]);
    expect(grant).toMatchObject({ kind: "session", generation: 2 });
    expect(store.session(grant.sessionId)).toMatchObject({
      generation: 2,
      passwordVersion: 2,
      createdAt: NOW,
      absoluteExpiresAt: session().absoluteExpiresAt,
      factors: { ...session().factors, pwd: NOW / 1000 },
    });
  });

  it("has no use for its older refresh tokens, not even as a lost answer, and the new one is good", () => {
    const { store, grant } = changed();
    for (const id of ["s1", grant.sessionId]) {
      for (const generation of [1, 2]) {
        expect(refresh(store, id, generation, SECRET)).toEqual({ refused: "refresh_token_unknown" });
      }
    }
    expect(refresh(store, grant.sessionId, 1, grant.secret)).toMatchObject({ kind: "session", generation: 2 });
    expect(refresh(store, grant.sessionId, 2, grant.secret)).toMatchObject({ kind: "session", generation: 3 });
  });

  it("has another name from then on: access tokens of the time before name nobody", () => {
    const { store, grant } = changed();
    expect(grant.sessionId).not.toBe("s1");
    expect(liveSession(store, store.guard(), "s1", LATER)).toEqual({ refused: "session_ended" });
  });

  it("is over until the directory holds the new password", () => {
    const store = busyAccount();
    change(store, RIGHT);
    expect(liveSession(store, store.guard(), "s1", NOW)).toEqual({ refused: "session_ended" });
    expect(refresh(store, "s1", 1, SECRET)).toEqual({ refused: "refresh_token_unknown" });
    expect(change(store, RIGHT)).toHaveProperty("refused");
  });

  it("does not go on where somebody else has finished the change, nor twice", () => {
    const store = busyAccount();
    change(store, RIGHT);
    const key = preparedKey(store);
    admitVerdict(store, store.guard(), verdict(2), NOW);
    expect(commitPasswordChange(store, key, LATER)).toEqual({ refused: "session_ended" });
    expect(store.sessions()).toEqual([]);
    const { store: other, grant } = changed();
    expect(commitPasswordChange(other, key, LATER)).toEqual({ refused: "session_ended" });
    expect(other.sessions().map((one) => [one.generation, hasSecret(one, grant.secret)])).toEqual([[2, true]]);
  });

  it("does not go on by the key of another change", () => {
    const store = busyAccount();
    prepareFreeze(store, verdict(), NOW, NOW);
    expect(commitPasswordChange(store, preparedKey(store), LATER)).toEqual({ refused: "session_ended" });
    expect(store.sessions()).toEqual([]);
  });

  it("stays as old as it was: one that came after a recovery had started does not become older than it", () => {
    const { store, grant } = changed({ sessions: [session({ createdAt: NOW - 5 })] });
    expect(store.session(grant.sessionId)).toMatchObject({ createdAt: NOW - 5 });
  });

  it("loses the trust of a browser that stood in for its factor", () => {
    const sessions = [session({ trustedBy: "b1", factors: { pwd: NOW / 1000 } })];
    const { store, grant } = changed({ sessions });
    expect(refresh(store, grant.sessionId, 2, grant.secret)).toMatchObject({ kind: "challenge" });
  });
});

describe("a change of password", () => {
  it("leaves factors, codes and their counters as they were", () => {
    const before = busyAccount().guard();
    const { store } = changed();
    expect(store.factors()).toEqual(OLD_FACTORS);
    const { accepted, counters, recoveryCodes } = store.guard();
    expect({ accepted, counters, recoveryCodes }).toEqual({
      accepted: before.accepted,
      counters: before.counters,
      recoveryCodes: before.recoveryCodes,
    });
  });

  it("leaves a freeze link of before good, for the change may be what it is about", () => {
    const { store } = changed();
    expect(prepareFreeze(store, verdict(2, LATER), NOW, LATER)).toMatchObject({ kind: "prepared" });
  });

  it.each([
    ["reserve", (store: AccountStore, bearer: typeof FRESH, now: number) => reservePasswordChange(store, bearer, now)],
    [
      "prepare",
      (store: AccountStore, bearer: typeof FRESH, now: number) =>
        preparePasswordChange(store, bearer, { ...verdict(1, now), right: true }, now),
    ],
  ])("needs fresh proof at both of its steps: %s", (_, step) => {
    const refused = (bearer: Partial<typeof FRESH>, now = NOW) => {
      const store = busyAccount();
      const before = [store.guard(), store.sessions()];
      const answer = step(store, { ...FRESH, ...bearer }, now);
      expect([store.guard(), store.sessions()]).toEqual(before);
      return answer;
    };
    expect(refused({}, NOW + 300_000)).toMatchObject({ refused: "proof_too_old", acr: "aal2" });
    expect(refused({ acr: "aal1", factors: { pwd: NOW / 1000 } })).toMatchObject({ refused: "proof_too_old" });
    const recovered = { acr: "aal2-recovery", factors: { pwd: NOW / 1000, recovery_code: NOW / 1000 } } as const;
    expect(refused(recovered)).toMatchObject({ refused: "proof_too_old" });
    expect(refused({ sessionId: "s9" })).toEqual({ refused: "session_ended" });
  });

  it("needs no more than a new password where there is no factor", () => {
    const account = { factors: [], guard: { recoveryCodes: { keyId: 0, digests: [] } } };
    const store = busyAccount(account);
    const bearer = { sessionId: "s1", acr: "aal1", factors: { pwd: NOW / 1000 } } as const;
    expect(reservePasswordChange(store, bearer, NOW)).toEqual({ kind: "password_reserved" });
  });
});

describe("a wrong password given for a change", () => {
  const guess = (store: AccountStore) => {
    const reserved = reservePasswordChange(store, FRESH, NOW);
    return "refused" in reserved ? reserved : change(store, WRONG);
  };

  it("changes nothing, and the fifth ends the session and no other", () => {
    const store = busyAccount({ guard: { pots: {} } });
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      expect(store.session("s1")).toBeDefined();
      expect(guess(store)).toEqual({ refused: "wrong_step_up_password" });
    }
    expect(store.sessions().map(({ id }) => id)).toEqual(["s2"]);
    expect(store.guard()).toMatchObject({ passwordVersion: 1, life: {} });
    expect(guess(store)).toEqual({ refused: "session_ended" });
  });

  it("is paid before it is judged: five at once are all there are, even if none is ever judged", () => {
    const store = busyAccount({ guard: { pots: {} } });
    const reserved = Array.from({ length: 6 }, () => reservePasswordChange(store, FRESH, NOW));
    expect(reserved.filter((answer) => "kind" in answer)).toHaveLength(5);
    expect(reserved.at(-1)).toEqual({ refused: "session_ended" });
    expect(change(store, RIGHT)).toEqual({ refused: "session_ended" });
  });
});

describe("a session that ends while its password is compared", () => {
  it("changes nothing where another version has come", () => {
    for (const version of [0, 2]) {
      const store = busyAccount();
      expect(change(store, RIGHT, version)).toHaveProperty("refused");
      expect(store.guard().life.prepared).toBeUndefined();
    }
  });

  /** The directory holds a freeze that the account has not heard the end of, and somebody is in by a newer session. */
  const frozenHalfWay = () => {
    const store = busyAccount();
    prepareFreeze(store, verdict(), NOW, NOW);
    store.saveSession(session({ passwordVersion: 2 }));
    return store;
  };

  it("by a change that the directory holds neither changes the password nor goes on", () => {
    const store = frozenHalfWay();
    expect(change(store, RIGHT, 2)).toEqual({ refused: "session_ended" });
    expect(store.guard().life).toEqual({ settledAt: NOW + 1 });
    expect(store.guard().life.prepared).toBeUndefined();
    expect(store.sessions()).toEqual([]);
  });

  it("by a change that the directory holds does not delete the account", () => {
    const store = frozenHalfWay();
    const asked = { id: "del", deletesAt: NOW + DAY };
    expect(prepareDeletion(store, FRESH, verdict(2), asked, NOW)).toEqual({ refused: "session_ended" });
    expect(store.guard().life.prepared).toBeUndefined();
    expect(prepareDeletionCancel(store, verdict(2), "del", NOW)).toEqual({ refused: "link_used" });
    expect(store.guard().life.deletion).toBeUndefined();
  });
});
