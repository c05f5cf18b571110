import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { removeFactor, replaceRecoveryCodes, turnOffSecondFactor } from "../../../src/account/factor-changes.ts";
import { activeFactors, type Factor } from "../../../src/account/factors.ts";
import { finishRecovery } from "../../../src/account/recovery.ts";
import { factorList } from "../../../src/account/views.ts";
import { NOW, passkey, session } from "../support/account-samples.ts";
import { assertion, CODE, RECOVERY } from "../support/answering.ts";
import { addedAt, DAY, FRESH, OLD_FACTORS, verdict, whatIsOpen } from "../support/changing.ts";
import { proveTo, takenBack, takenOver } from "../support/taken-over.ts";

const LATER = NOW + 1000;
const { totp, passkey: key } = addedAt(LATER);
/** A key of the stranger's own making under the credential id of the owner's. */
const DOUBLE = passkey({ id: "p9", createdAt: LATER }, { publicKey: "stranger" });
const NEW_CODES = { keyId: 2, digests: ["n1"] };
const code = (step: number) => ({ ...CODE, matches: [{ factorId: "t1", steps: [step] }] }) as typeof CODE;
const ids = (factors: Factor[]) => factors.map(({ id }) => id).sort();

describe("an email change that is taken back", () => {
  it("where nothing else has happened leaves factors and codes as they were, and nobody signed in", () => {
    const store = takenOver();
    expect(takenBack(store)).toEqual({ credentialIds: [] });
    expect(store.factors()).toEqual(OLD_FACTORS);
    expect(store.guard().recoveryCodes.digests).toEqual(["d1", "d2"]);
    expect(whatIsOpen(store)).toEqual([]);
    expect(store.guard().life).toEqual({});
  });

  it.each([
    ["one by one", (store: ReturnType<typeof takenOver>) => removeFactor(store, FRESH, "t1", "optional", LATER)],
    ["by turning off", (store) => turnOffSecondFactor(store, FRESH, "optional", LATER)],
  ])("brings back what was removed since, as it was: %s", (_, remove) => {
    const store = takenOver();
    expect(remove(store)).toMatchObject({ kind: "removed", credentialIds: [] });
    expect(takenBack(store)).toEqual({ credentialIds: [] });
    expect(store.factors()).toEqual(OLD_FACTORS);
    expect(store.guard().recoveryCodes).toEqual({ keyId: 1, digests: ["d1", "d2"] });
  });

  it("brings back what a recovery has removed since, which was the stranger's as well", () => {
    const recovery = { id: "r1", startedAt: NOW - DAY, finishAfter: NOW };
    const store = takenOver({ guard: { life: { recovery } } });
    expect(finishRecovery(store, verdict(2), "r1", LATER)).toEqual({ credentialIds: [] });
    expect(store.factors()).toEqual([]);
    takenBack(store);
    expect(store.factors()).toEqual(OLD_FACTORS);
  });

  it("brings back no code that has been used, and no counter that has been passed", () => {
    const store = takenOver();
    proveTo(store, code(20));
    proveTo(store, assertion(9));
    turnOffSecondFactor(store, FRESH, "optional", LATER);
    takenBack(store);
    expect(proveTo(store, code(20))).toEqual({ unproven: "replayed_code" });
    expect(proveTo(store, code(19))).toEqual({ unproven: "replayed_code" });
    expect(proveTo(store, assertion(9))).toEqual({ unproven: "sign_count_fell" });
    expect(proveTo(store, code(21))).toMatchObject({ method: "totp" });
    expect(proveTo(store, assertion(10))).toMatchObject({ method: "passkey" });
  });

  it("brings back no recovery code that was used before it or since, whatever took their place", () => {
    const store = takenOver({ guard: { recoveryCodes: { keyId: 1, digests: ["d1", "d2", "d3"] } } });
    proveTo(store, RECOVERY);
    replaceRecoveryCodes(store, FRESH, NEW_CODES, LATER);
    expect(proveTo(store, { ...RECOVERY, digest: "d2" } as typeof RECOVERY)).toHaveProperty("unproven");
    takenBack(store);
    expect(store.guard().recoveryCodes).toEqual({ keyId: 1, digests: ["d2", "d3"] });
    expect(proveTo(store, RECOVERY)).toHaveProperty("unproven");
    expect(proveTo(store, { ...RECOVERY, digest: "n1" } as typeof RECOVERY)).toHaveProperty("unproven");
  });

  it("is possible once, and not after three days", () => {
    const store = takenOver();
    takenBack(store);
    expect(takenBack(store)).toEqual({ refused: "link_used" });
    expect(takenBack(takenOver(), NOW + 3 * DAY)).toEqual({ refused: "link_used" });
    expect(takenBack(takenOver(), NOW + 3 * DAY - 1)).toEqual({ credentialIds: [] });
  });

  it("stops what a stranger may have set going, and nothing that protects the owner", () => {
    const { recovery, deletion } = {
      recovery: { id: "r1", startedAt: NOW, finishAfter: NOW + DAY },
      deletion: { id: "del", deletesAt: NOW + DAY },
    };
    const kept = { frozenSince: NOW - 1, settledAt: NOW - 2, mustEnrol: true } as const;
    const store = takenOver({ guard: { life: { recovery, deletion, ...kept } } });
    takenBack(store);
    expect(store.guard().life).toEqual(kept);
  });
});

describe("a factor that was added since", () => {
  const withAdded = (...added: Factor[]) => {
    const store = takenOver();
    for (const factor of added) store.saveFactor(factor);
    return store;
  };

  it("does not count any more, is shown as that, and opens nothing", () => {
    const store = withAdded(totp, key);
    expect(takenBack(store)).toEqual({ credentialIds: [] });
    expect(activeFactors(store)).toEqual(OLD_FACTORS);
    expect(factorList(store).factors).toContainEqual(expect.objectContaining({ id: "p2", suspended: true }));
    expect(proveTo(store, { method: "totp", matches: [{ factorId: "t2", steps: [30] }] })).toHaveProperty("unproven");
    expect(proveTo(store, { ...assertion(), passkeyId: "p2" } as typeof CODE)).toHaveProperty("unproven");
  });

  it("goes where there is no older one, for nobody could ever wake it", () => {
    const store = takenOver({ factors: [], guard: { recoveryCodes: { keyId: 0, digests: [] } } });
    store.saveFactor(totp);
    store.saveFactor(key);
    proveTo(store, { method: "totp", matches: [{ factorId: "t2", steps: [30] }] });
    expect(takenBack(store)).toEqual({ credentialIds: ["BAUG"] });
    expect(store.factors()).toEqual([]);
    expect(store.guard().accepted).not.toHaveProperty("t2");
    expect(store.guard().recoveryCodes.digests).toEqual([]);
  });

  it("that waits for its first code is none", () => {
    const store = withAdded(addedAt(LATER).pending);
    takenBack(store);
    expect(activeFactors(store)).toEqual(OLD_FACTORS);
  });

  it.each([
    ["beside another factor", []],
    ["with every other factor gone as well", ["t1"]],
  ])("does not keep out an older passkey whose credential id it has: %s", (_, others) => {
    const store = takenOver();
    store.saveFactor(totp);
    for (const id of ["p1", ...others]) removeFactor(store, FRESH, id, "optional", LATER);
    store.saveFactor(DOUBLE);
    expect(takenBack(store)).toEqual({ credentialIds: [] });
    expect(activeFactors(store)).toEqual(OLD_FACTORS);
    expect(store.factors()).not.toContainEqual(expect.objectContaining({ id: "p9" }));
  });

  it("may be removed although another one counts alone, which may not", () => {
    const store = takenOver({ factors: OLD_FACTORS.slice(0, 1) });
    store.saveFactor(totp);
    takenBack(store);
    store.saveSession(session({ passwordVersion: 3 }));
    expect(removeFactor(store, FRESH, "t1", "optional", LATER)).toEqual({ refused: "last_factor" });
    expect(removeFactor(store, FRESH, "t2", "optional", LATER)).toMatchObject({ kind: "removed" });
  });
});

describe("whatever a stranger does in three days", () => {
  type Act = (store: ReturnType<typeof takenOver>, now: number) => unknown;
  const ACTS: Record<string, Act> = {
    "removes the app": (store, now) => removeFactor(store, FRESH, "t1", "optional", now),
    "removes the passkey": (store, now) => removeFactor(store, FRESH, "p1", "optional", now),
    "removes his own": (store, now) => removeFactor(store, FRESH, "t2", "optional", now),
    "turns all off": (store, now) => turnOffSecondFactor(store, FRESH, "optional", now),
    "adds an app": (store) => store.saveFactor(totp),
    "adds a key": (store) => store.saveFactor(key),
    "adds a double": (store) => store.saveFactor(DOUBLE),
    "makes new codes": (store, now) => replaceRecoveryCodes(store, FRESH, NEW_CODES, now),
    "uses d1": (store, now) => proveTo(store, RECOVERY, now),
    "uses the app": (store, now) => proveTo(store, code(30), now),
    "uses the passkey": (store, now) => proveTo(store, assertion(30), now),
  };

  it("the old owner has the old factors back, and nothing is good twice", () => {
    const acts = fc.array(fc.constantFrom(...Object.keys(ACTS)), { maxLength: 12 });
    fc.assert(
      fc.property(acts, (names) => {
        const store = takenOver();
        let isUsed = { code: false, app: false, passkey: false };
        for (const name of names) {
          const outcome = ACTS[name]?.(store, LATER);
          const isProven = typeof outcome === "object" && outcome !== null && "method" in outcome;
          isUsed = {
            code: isUsed.code || (isProven && name === "uses d1"),
            app: isUsed.app || (isProven && name === "uses the app"),
            passkey: isUsed.passkey || (isProven && name === "uses the passkey"),
          };
        }
        takenBack(store);
        expect(ids(activeFactors(store))).toEqual(["p1", "t1"]);
        expect(activeFactors(store)).toEqual(OLD_FACTORS);
        expect(store.guard().recoveryCodes).toEqual({ keyId: 1, digests: isUsed.code ? ["d2"] : ["d1", "d2"] });
        if (isUsed.app) expect(proveTo(store, code(30))).toEqual({ unproven: "replayed_code" });
        if (isUsed.passkey) expect(proveTo(store, assertion(30))).toEqual({ unproven: "sign_count_fell" });
        expect(whatIsOpen(store)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
