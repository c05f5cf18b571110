import { describe, expect, it } from "vitest";
import {
  dropImportedFactors,
  type ImportedFactor,
  keepImportedFactors,
  sealImported,
} from "../../../src/account/imported-factors.ts";
import { matchFactors } from "../../../src/account/totp-factors.ts";
import { hotpCode, totpStep } from "../../../src/factors/totp.ts";
import { storeWith } from "../support/memory-store.ts";
import { NOW, newRing } from "../support/rings.ts";

const FRESH = { guard: { passwordVersion: 0, epoch: 0 } };
const imported = (id: string): ImportedFactor => ({ id, label: "Authenticator app", sealedSecret: "sealed" });
const idsIn = (store: ReturnType<typeof storeWith>) => store.factors().map(({ id }) => id);

describe("factors of an imported account", () => {
  it("count at once", () => {
    const store = storeWith(FRESH);
    keepImportedFactors(store, [imported("one"), imported("two")], NOW);
    expect(store.factors()).toEqual([
      { ...imported("one"), kind: "totp", createdAt: NOW },
      { ...imported("two"), kind: "totp", createdAt: NOW },
    ]);
  });

  it("are kept once, whatever comes after", () => {
    const store = storeWith(FRESH);
    keepImportedFactors(store, [imported("one")], NOW);
    keepImportedFactors(store, [imported("other")], NOW);
    expect(idsIn(store)).toEqual(["one"]);
  });

  it.each([
    ["whose password was shown", { guard: { passwordVersion: 1 } }],
    ["that is buried", { guard: { passwordVersion: 0, life: { isBuried: true as const } } }],
  ])("never go into an account %s, nor out of it", (_, account) => {
    const own = { ...imported("own"), kind: "totp" as const, createdAt: 1 };
    const empty = storeWith(account);
    keepImportedFactors(empty, [imported("one")], NOW);
    expect(idsIn(empty)).toEqual([]);
    const full = storeWith({ ...account, factors: [own] });
    dropImportedFactors(full);
    expect(idsIn(full)).toEqual(["own"]);
  });

  it("are taken back while nobody has used the account", () => {
    const store = storeWith(FRESH);
    keepImportedFactors(store, [imported("one"), imported("two")], NOW);
    dropImportedFactors(store);
    expect(idsIn(store)).toEqual([]);
  });

  it.each([10, 20, 32, 64])("answer with a secret of %i bytes, sealed for this account alone", async (length) => {
    const [ring, secret] = [await newRing(), crypto.getRandomValues(new Uint8Array(length))];
    const store = storeWith(FRESH);
    keepImportedFactors(store, [await sealImported(ring, "account", secret, 0)], NOW);
    const [factor] = store.factors();
    if (factor?.kind !== "totp") throw new Error("no app");
    const code = await hotpCode(secret, totpStep(NOW), 6);
    const stepsFor = async (account: string) => (await matchFactors(ring, account, [factor], code, NOW))[0]?.steps;
    expect(await stepsFor("account")).toContain(totpStep(NOW));
    expect(await stepsFor("another")).toEqual([]);
  });

  it("have names that tell them apart", async () => {
    const ring = await newRing();
    const labels = [0, 1, 2].map(async (index) => (await sealImported(ring, "a", new Uint8Array(20), index)).label);
    expect(await Promise.all(labels)).toEqual(["Authenticator app", "Authenticator app 2", "Authenticator app 3"]);
  });
});
