import { describe, expect, it } from "vitest";
import type { Guard } from "../../../src/account/account-store.ts";
import type { BrowserClaim } from "../../../src/account/browsers.ts";
import { becomeFamiliar, forgetNetwork } from "../../../src/account/familiarity.ts";
import { openFirstDoor } from "../../../src/account/first-door.ts";
import { MAIL_WINDOW_MS } from "../../../src/policy.ts";
import { browser, claim, NOW, TERMS, totpFactor, trust } from "../support/account-samples.ts";
import { accountWith, answer, CODE, RECOVERY, STEP_UP } from "../support/answering.ts";
import { storeWith } from "../support/memory-store.ts";

const guardWith = (guard: Partial<Guard>) => storeWith({ guard }).guard();
const known = { networks: ["home"], browsers: [browser()] };

describe("a complete sign-in", () => {
  it.each<[string, Partial<BrowserClaim>, ReturnType<typeof becomeFamiliar>]>([
    ["a known browser and network", { recognisedIds: ["b1"] }, undefined],
    ["another network", { recognisedIds: ["b1"], network: "cafe" }, "network"],
    ["another browser", {}, "browser"],
    ["a browser of another account", { recognisedIds: ["b9"] }, "browser"],
    ["another browser in another network", { network: "cafe" }, "both"],
    ["a known network and something without cookies", { isBrowser: false }, undefined],
    ["another network and something without cookies", { isBrowser: false, network: "cafe" }, "network"],
  ])("with %s", (_, changes, expected) => {
    expect(becomeFamiliar(guardWith(known), claim(changes), NOW)).toBe(expected);
  });

  it("that is the account's first is like no other, and what comes next is compared with it", () => {
    const guard = guardWith({});
    expect(becomeFamiliar(guard, claim(), NOW)).toBeUndefined();
    expect(guard.networks).toEqual(["home"]);
    expect(becomeFamiliar(guard, claim({ network: "cafe" }), NOW)).toBe("both");
    expect(becomeFamiliar(guard, claim({ isBrowser: false, network: "cafe" }), NOW)).toBeUndefined();
  });

  it("of an account older than the list of networks is compared by its browser alone", () => {
    const browsers = [browser()];
    expect(becomeFamiliar(guardWith({ browsers }), claim({ recognisedIds: ["b1"] }), NOW)).toBeUndefined();
    expect(becomeFamiliar(guardWith({ browsers }), claim(), NOW)).toBe("browser");
  });

  it("leaves the list as it is where the network is known, and keeps ten of them", () => {
    const guard = guardWith({});
    const networks = Array.from({ length: 12 }, (_, index) => `network-${index}`);
    for (const network of [...networks, "network-5"]) becomeFamiliar(guard, claim({ network }), NOW);
    expect(guard.networks).toEqual(networks.slice(2));
    expect(becomeFamiliar(guard, claim({ isBrowser: false, network: "network-0" }), NOW + MAIL_WINDOW_MS)).toBe(
      "network",
    );
  });

  it("that nobody got leaves no network behind", () => {
    const guard = guardWith({ networks: ["home", "cafe"] });
    forgetNetwork(guard, "cafe");
    expect(guard.networks).toEqual(["home"]);
  });

  it("is told a few times an hour, and again when the hour is over", () => {
    const guard = guardWith({ networks: ["home"] });
    const told = (network: string, at: number) => becomeFamiliar(guard, claim({ isBrowser: false, network }), at);
    expect(["a", "b", "c", "d"].map((network) => told(network, NOW))).toEqual([
      "network",
      "network",
      "network",
      undefined,
    ]);
    expect(told("d", NOW + MAIL_WINDOW_MS)).toBeUndefined();
    expect(told("e", NOW + MAIL_WINDOW_MS)).toBe("network");
  });
});

describe("the grant says what was unfamiliar", () => {
  const elsewhere = { network: "cafe" };

  it("by password alone, once, and writes nothing the second time", () => {
    const store = storeWith({ guard: known });
    const knock = { ...claim({ isBrowser: false, ...elsewhere }), isProven: false };
    const verdict = { passwordVersion: 1, epoch: 1, readAfter: NOW };
    expect(openFirstDoor(store, verdict, TERMS, knock, NOW)).toMatchObject({ kind: "session", unfamiliar: "network" });
    const before = store.guard();
    expect(openFirstDoor(store, verdict, TERMS, knock, NOW)).not.toHaveProperty("unfamiliar");
    expect(store.guard()).toEqual(before);
  });

  it("by the trust in a browser", () => {
    const browsers = [browser({ trust: trust() })];
    const store = storeWith({ factors: [totpFactor()], guard: { ...known, browsers } });
    const knock = { ...claim({ recognisedIds: ["b1"], trustIds: ["trust-1"], ...elsewhere }), isProven: false };
    const verdict = { passwordVersion: 1, epoch: 1, readAfter: NOW };
    expect(openFirstDoor(store, verdict, TERMS, knock, NOW)).toMatchObject({ kind: "session", unfamiliar: "network" });
  });

  it.each([CODE, RECOVERY])("by a second factor: $method", (evidence) => {
    const open = accountWith({}, { guard: known });
    open.saveGuard({ ...accountWith().guard(), ...known });
    expect(answer(open, evidence, elsewhere)).toMatchObject({ kind: "session", unfamiliar: "both" });
  });

  it("and not by the password that still has a second factor before it, nor by a step-up", () => {
    const store = storeWith({ factors: [totpFactor()], guard: known });
    const knock = { ...claim(elsewhere), isProven: false };
    const verdict = { passwordVersion: 1, epoch: 1, readAfter: NOW };
    expect(openFirstDoor(store, verdict, TERMS, knock, NOW)).toMatchObject({ kind: "challenge" });
    expect(store.guard().networks).toEqual(["home"]);
    const session = accountWith(STEP_UP);
    session.saveGuard({ ...session.guard(), ...known });
    expect(answer(session, CODE, elsewhere)).not.toHaveProperty("unfamiliar");
    expect(session.guard().networks).toEqual(["home"]);
  });
});
