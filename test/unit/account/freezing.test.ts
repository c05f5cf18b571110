import { beforeAll, describe, expect, it } from "vitest";
import type { AccountStore } from "../../../src/account/account-store.ts";
import { commitChange } from "../../../src/account/changes.ts";
import { prepareDeletionCancel } from "../../../src/account/deletion.ts";
import { prepareFreeze } from "../../../src/account/email-changes.ts";
import { signInWithPasskey } from "../../../src/account/passkey-sign-in.ts";
import type { Passkey } from "../../../src/account/passkeys.ts";
import { openReset } from "../../../src/account/password-changes.ts";
import { isRefusal } from "../../../src/refusal.ts";
import { browser, challenge, claim, NOW, passkey, TERMS, totpFactor, trust } from "../support/account-samples.ts";
import { answer, assertion } from "../support/answering.ts";
import { busyAccount, DAY, undoOf, verdict } from "../support/changing.ts";
import type { StoredAccount } from "../support/memory-store.ts";
import { assertionOf, CHALLENGES, type Enrolled, enrolled, HANDLE, RP } from "../support/passkey-samples.ts";
import { takenBack, takenOver } from "../support/taken-over.ts";

const SINCE = NOW - DAY;
/** What was prepared so long before is looked at like what came after. */
const FROM = SINCE - 3 * DAY;
let device: Enrolled;

beforeAll(async () => {
  device = await enrolled();
});

/** A passkey that really signs, added at a moment. */
const keyOf = (createdAt: number, changes: Partial<Passkey> = {}): Passkey => ({
  ...passkey({ createdAt, ...changes }),
  credential: { ...device.credential, userVerified: true },
});

let signIns = 0;

/** What somebody gets who has nothing but the passkey. */
async function signIn(store: AccountStore, epoch = 1) {
  const { roles: _, ...terms } = TERMS;
  signIns += 1;
  const answer = await signInWithPasskey(
    store,
    {
      rp: RP,
      response: await assertionOf(device),
      userHandle: HANDLE,
      challengeText: CHALLENGES.get,
      challenge: { id: `challenge-${signIns}`, expiresAt: NOW + DAY },
      epoch,
      terms,
      claim: claim(),
    },
    () => NOW,
  );
  return isRefusal(answer) ? answer.refused : answer.kind;
}

function freeze(store: AccountStore, since = SINCE, now = NOW) {
  const asked = prepareFreeze(store, verdict(store.guard().passwordVersion, now), since, now);
  return isRefusal(asked) ? asked : commitChange(store, store.guard(), asked.key);
}

/** A new password by mail; the account has nothing else to prove. */
function reset(store: AccountStore, now = NOW) {
  const guard = store.guard();
  guard.life.reset = { id: "link", expiresAt: now + 1 };
  guard.recoveryCodes = { keyId: 0, digests: [] };
  store.saveGuard(guard);
  const kept = store.factors();
  for (const { id } of kept) store.deleteFactor(id);
  const request = { linkId: "link", sealedPassword: "sealed", terms: TERMS, claim: claim() };
  const opened = openReset(store, verdict(guard.passwordVersion, now), request, now);
  if (isRefusal(opened) || opened.kind !== "reset_prepared") throw new Error("the password is not reset");
  for (const factor of kept) store.saveFactor(factor);
  commitChange(store, store.guard(), opened.key);
}

const account = (createdAt: number, guard: StoredAccount["guard"] = {}) =>
  busyAccount({ factors: [totpFactor({ createdAt: 0 }), keyOf(createdAt)], guard: { counters: {}, ...guard } });

describe("a passkey alone", () => {
  it("signs in where nobody has said anything", async () => {
    expect(await signIn(account(SINCE))).toBe("session");
  });

  it.each([
    ["was added after what the notice tells of", NOW, "user_verification_unproven"],
    ["was added at that moment", SINCE, "user_verification_unproven"],
    ["was added up to three days before", FROM, "user_verification_unproven"],
    ["was there before that", FROM - 1, "session"],
  ])("of a frozen account that %s: %i is %s", async (_, createdAt, outcome) => {
    const store = account(createdAt);
    freeze(store);
    const before = store.guard();
    expect(await signIn(store)).toBe(outcome);
    if (outcome === "session") return;
    // But for the event, which is counted: whoever fails again and again writes no more of them.
    expect(store.guard()).toEqual({ ...before, failedAssertions: [NOW] });
    expect(store.sessions()).toEqual([]);
  });

  it("is let in by no new password, and by being shown beside one", async () => {
    const store = account(NOW);
    freeze(store);
    reset(store, NOW + 1000);
    expect(await signIn(store)).toBe("user_verification_unproven");
    const beside = challenge({ methods: ["passkey"], passwordVersion: 3 });
    store.saveGuard({ ...store.guard(), challenges: [beside] });
    expect(answer(store, assertion(1, false))).toMatchObject({ kind: "session" });
    expect(await signIn(store)).toBe("user_verification_unproven");
    store.saveGuard({ ...store.guard(), challenges: [beside], counters: {} });
    expect(answer(store, assertion(1, true))).toMatchObject({ kind: "session" });
    store.saveGuard({ ...store.guard(), counters: {} });
    expect(await signIn(store)).toBe("session");
  });

  it("does not sign in while a change is half way, since only the directory knows what has become of it", async () => {
    const store = account(SINCE - 1);
    prepareFreeze(store, verdict(), SINCE, NOW);
    const before = store.guard();
    expect(await signIn(store)).toBe("change_under_way");
    expect(store.guard()).toEqual(before);
    expect(store.sessions()).toEqual([]);
  });

  it.each([
    ["does not count", { suspended: true as const }, {}, "wrong_assertion"],
    [
      "is of an account that is to be deleted",
      {},
      { deletion: { id: "del", deletesAt: NOW + DAY } },
      "wrong_assertion",
    ],
    ["is of an account that is no more", {}, { isBuried: true as const }, "account_not_active"],
  ])("does not sign in where it %s", async (_, changes, life, refused) => {
    const factors = [totpFactor(), keyOf(SINCE, changes)];
    const store = busyAccount({ factors, sessions: [], guard: { counters: {}, life } });
    expect(await signIn(store)).toBe(refused);
    expect(store.sessions()).toEqual([]);
  });

  it("is told of a change that is half way before all else, so that somebody asks the directory", async () => {
    const store = account(FROM - 1, { life: { deletion: { id: "del", deletesAt: NOW + DAY } } });
    prepareDeletionCancel(store, verdict(), "del", NOW);
    expect(await signIn(store)).toBe("change_under_way");
  });

  it("ends a recovery, and wakes what was added after it", async () => {
    const asleep = totpFactor({ id: "t2", createdAt: NOW, suspended: true });
    const recovery = { id: "r1", startedAt: NOW, finishAfter: NOW + DAY };
    const factors = [keyOf(SINCE), asleep];
    const recoveryRequest = { id: "link", expiresAt: NOW + DAY };
    const store = busyAccount({ factors, guard: { counters: {}, life: { recovery, recoveryRequest } } });
    await signIn(store);
    expect(store.guard().life).toEqual({});
    expect(store.factors()).toContainEqual(totpFactor({ id: "t2", createdAt: NOW }));
  });

  it("that is not taken ends no recovery and wakes nothing", async () => {
    const asleep = totpFactor({ id: "t2", createdAt: NOW, suspended: true });
    const recovery = { id: "r1", startedAt: NOW, finishAfter: NOW + DAY };
    const store = busyAccount({ factors: [keyOf(SINCE), asleep], guard: { life: { recovery }, epoch: 2 } });
    expect(await signIn(store)).toBe("verdict_overtaken");
    expect(store.guard().life).toEqual({ recovery });
    expect(store.factors()).toContainEqual(asleep);
  });
});

describe("a freeze", () => {
  it("calls off what somebody else may have set going, and leaves the way back to the old address open", () => {
    const recovery = { id: "r1", startedAt: NOW, finishAfter: NOW + DAY };
    const deletion = { id: "del", deletesAt: NOW + DAY };
    const store = account(SINCE, { life: { recovery, deletion, undo: undoOf() } });
    freeze(store);
    expect(store.guard().life).toEqual({ undo: undoOf(), settledAt: NOW + 1 });
  });

  it("is good once, and the reset after it makes every older link worthless", () => {
    const store = account(SINCE);
    freeze(store);
    expect(freeze(store, SINCE, NOW + 1)).toEqual({ refused: "link_used" });
    reset(store, NOW + 1000);
    for (const since of [SINCE, NOW - 1, NOW, NOW + 999]) {
      expect(freeze(store, since, NOW + 2000)).toEqual({ refused: "link_used" });
    }
  });

  it("is good once even if its notice is younger than its request, by whatever clock", () => {
    const store = account(SINCE);
    freeze(store, NOW + 5000, NOW);
    expect(freeze(store, NOW + 5000, NOW + 6000)).toEqual({ refused: "link_used" });
  });

  it("can follow on what the reset itself was told by, if that was somebody else's", () => {
    const store = account(SINCE);
    reset(store, NOW);
    expect(freeze(store, NOW, NOW + 1000)).toEqual({ credentialIds: [] });
    expect(freeze(store, NOW, NOW + 2000)).toEqual({ refused: "link_used" });
  });

  it("of a later notice thaws nothing that an earlier one froze", async () => {
    const store = account(FROM);
    freeze(store, SINCE, NOW);
    freeze(store, NOW + 5000, NOW + 6000);
    expect(await signIn(store)).toBe("user_verification_unproven");
  });

  it("makes strangers of the browsers of that time, and keeps those of before, without their trust", () => {
    const browsers = [
      browser({ id: "new", createdAt: FROM, trust: trust() }),
      browser({ id: "old", createdAt: FROM - 1, trust: trust() }),
    ];
    const store = account(SINCE, { browsers, attempts: { new: [NOW], old: [NOW], unrecognised: [NOW] } });
    freeze(store);
    expect(store.guard().browsers).toEqual([browser({ id: "old", createdAt: FROM - 1 })]);
    expect(store.guard().attempts).toEqual({ old: [NOW], unrecognised: [NOW] });
  });

  it("of one notice is not made by the link of another that waits beside it", () => {
    const store = account(SINCE);
    prepareFreeze(store, verdict(), NOW - 10, NOW);
    expect(prepareFreeze(store, verdict(), SINCE, NOW)).toMatchObject({ refused: "change_under_way" });
  });

  it("outlives the undo of an email change, for the passkey may be older than that", async () => {
    const stranger = keyOf(NOW - 1000);
    const store = takenOver({ factors: [totpFactor({ createdAt: 0 }), stranger], guard: { counters: {} } });
    freeze(store, NOW - 2000, NOW + 1000);
    takenBack(store, NOW + 2000);
    expect(await signIn(store)).toBe("user_verification_unproven");
  });

  it("need not come first: an undo distrusts what was added up to three days before the change", async () => {
    const outcomeFor = async (createdAt: number) => {
      const factors = [totpFactor({ createdAt: 0 }), keyOf(createdAt)];
      const store = takenOver({ factors, guard: { counters: {}, browsers: [browser({ createdAt })] } });
      takenBack(store, NOW + 2000);
      return [await signIn(store), store.guard().browsers.filter(({ id }) => id === "b1").length];
    };
    expect(await outcomeFor(NOW - 3 * DAY)).toEqual(["user_verification_unproven", 0]);
    expect(await outcomeFor(NOW - 3 * DAY - 1)).toEqual(["session", 1]);
  });
});
