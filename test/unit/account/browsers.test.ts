import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  afterSignIn,
  type Browser,
  isTrusted,
  recognise,
  trustBrowser,
  trustedBrowser,
  withoutTrust,
} from "../../../src/account/browsers.ts";
import { browser, claim, NOW, trust } from "../support/account-samples.ts";
import { storeWith } from "../support/memory-store.ts";

const DAY = 86_400_000;
const FLOOR = { passwordVersion: 1, epoch: 1 };
const TERMS = claim().trustTerms;
const trusting = browser({ id: "dev-1", trust: trust() });

const guardOf = (browsers: Browser[], floor = FLOOR) => ({ ...storeWith().guard(), browsers, ...floor });

describe("a recognised browser", () => {
  const known = ["b1", "b2", "b3"].map((id) => browser({ id }));

  it.each([
    ["by the id in its cookie", ["b2"], "b2"],
    ["among ids of other accounts", ["x", "y", "b3"], "b3"],
    ["not without a cookie", [], undefined],
    ["not by the id of another account", ["x"], undefined],
    ["not by an empty id", [""], undefined],
  ])("is known %s", (_, recognisedIds, id) => {
    expect(recognise(known, claim({ recognisedIds }))?.id).toBe(id);
  });

  it("is not known by the cookie of a trusted one", () => {
    expect(recognise([trusting], claim({ trustIds: ["dev-1", "trust-1"] }))).toBeUndefined();
    expect(recognise([trusting], claim({ recognisedIds: ["trust-1"] }))).toBeUndefined();
  });
});

describe("a trusted browser", () => {
  it("is known by the id of its trust, which its cookie alone holds", () => {
    expect(trustedBrowser(guardOf([trusting]), claim({ trustIds: ["x", "trust-1"] }), NOW)).toBe(trusting);
  });

  it.each([
    ["without a cookie", {}],
    ["by the id that recognises it", { recognisedIds: ["dev-1"] }],
    ["by the id that recognises it, in the cookie of a trusted one", { trustIds: ["dev-1"] }],
    ["by the id of its trust, in the cookie of a recognised one", { recognisedIds: ["trust-1"] }],
    ["by another id", { trustIds: ["trust-2"] }],
    ["by nothing at all", { trustIds: [""] }],
  ])("is not known %s", (_, cookies) => {
    expect(trustedBrowser(guardOf([trusting]), claim(cookies), NOW)).toBeUndefined();
  });

  it("is not known where it was never trusted, whatever it claims", () => {
    const untrusted = guardOf([browser({ id: "dev-1" })]);
    expect(trustedBrowser(untrusted, claim({ recognisedIds: ["dev-1"], trustIds: ["dev-1"] }), NOW)).toBeUndefined();
    expect(trustedBrowser(untrusted, claim({ trustIds: ["undefined", ""] }), NOW)).toBeUndefined();
  });

  it.each([
    ["at once", FLOOR, {}, NOW, true],
    ["in its last millisecond", FLOOR, {}, NOW + 30 * DAY - 1, true],
    ["when its time is over", FLOOR, {}, NOW + 30 * DAY, false],
    ["after a new password", { passwordVersion: 2, epoch: 1 }, {}, NOW, false],
    ["after an emergency drop", { passwordVersion: 1, epoch: 2 }, {}, NOW, false],
    [
      "when trust may last less by now, and its last millisecond of that",
      FLOOR,
      { trustForMs: DAY },
      NOW + DAY - 1,
      true,
    ],
    ["when trust may last less by now, and that is over", FLOOR, { trustForMs: DAY }, NOW + DAY, false],
    ["when nobody is trusted any more", FLOOR, { trustForMs: 0 }, NOW, false],
    [
      "when trust may last longer by now, which was not promised",
      FLOOR,
      { trustForMs: 90 * DAY },
      NOW + 30 * DAY,
      false,
    ],
    ["when more is demanded by now", FLOOR, { secondFactor: "passkey" }, NOW, false],
    ["when other things are demanded by now", FLOOR, { secondFactor: "required" }, NOW, false],
  ] as const)("is trusted or not: %s", (_, floor, terms, now, expected) => {
    const trustTerms = { ...TERMS, ...terms };
    expect(isTrusted(trusting, floor, trustTerms, now)).toBe(expected);
    const found = trustedBrowser(guardOf([trusting], floor), claim({ trustIds: ["trust-1"], trustTerms }), now);
    expect(found !== undefined).toBe(expected);
  });

  it("stands beside one whose trust is over, and is found behind it", () => {
    const over = browser({ id: "dev-0", trust: trust({ id: "trust-0", until: NOW }) });
    const both = claim({ trustIds: ["trust-0", "trust-1"] });
    expect(trustedBrowser(guardOf([over, trusting]), both, NOW)?.id).toBe("dev-1");
  });
});

describe("trust", () => {
  const terms = { trustForMs: DAY, secondFactor: "required" } as const;

  it("is given to one browser, under a name of its own, and under what holds at that moment", () => {
    const guard = guardOf([browser({ id: "dev-1" }), browser({ id: "dev-2" })], { passwordVersion: 4, epoch: 3 });
    const given = trustBrowser(guard, "dev-2", terms, NOW);
    const held = { grantedAt: NOW, until: NOW + DAY, secondFactor: "required", passwordVersion: 4, epoch: 3 };
    expect(given).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/), ...held });
    expect(guard.browsers).toEqual([browser({ id: "dev-1" }), browser({ id: "dev-2", trust: given })]);
    expect(trustedBrowser(guard, claim({ trustIds: [given.id], trustTerms: terms }), NOW)?.id).toBe("dev-2");
  });

  it("given once more has another name, and the old one is worth nothing", () => {
    const guard = guardOf([trusting]);
    expect(trustBrowser(guard, "dev-1", TERMS, NOW).id).not.toBe("trust-1");
    expect(trustedBrowser(guard, claim({ trustIds: ["trust-1"] }), NOW)).toBeUndefined();
  });

  it("is given to nobody where the browser is not known", () => {
    const guard = guardOf([browser()]);
    trustBrowser(guard, "dev-9", TERMS, NOW);
    expect(guard.browsers).toEqual([browser()]);
  });

  it("is taken back, and the browser stays recognised", () => {
    const browsers = [trusting, browser({ id: "dev-2" })].map(withoutTrust);
    expect(browsers).toEqual([browser({ id: "dev-1" }), browser({ id: "dev-2" })]);
    expect(recognise(browsers, claim({ recognisedIds: ["dev-1"] }))?.id).toBe("dev-1");
    expect(trustedBrowser(guardOf(browsers), claim({ trustIds: ["trust-1"] }), NOW)).toBeUndefined();
    expect(trusting.trust).toEqual(trust());
  });
});

describe("a complete sign-in", () => {
  it("makes a new browser known, first in the list", () => {
    const [added, ...others] = afterSignIn([browser()], claim({ userAgent: "new" }), NOW + DAY);
    expect(added).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      userAgent: "new",
      createdAt: NOW + DAY,
      lastUsedAt: NOW + DAY,
    });
    expect(others).toEqual([browser()]);
  });

  it("in a known one is the same browser, seen again, and its trust is as it was", () => {
    const seen = afterSignIn(
      [browser(), trusting],
      claim({ recognisedIds: ["dev-1"], userAgent: "newer" }),
      NOW + 2 * DAY,
    );
    expect(seen).toEqual([{ ...trusting, userAgent: "newer", lastUsedAt: NOW + 2 * DAY }, browser()]);
  });

  it("within a day of the last one is not noted down again", () => {
    const again = (now: number) => afterSignIn([browser(), trusting], claim({ recognisedIds: ["dev-1"] }), now);
    expect(again(NOW + DAY - 1)).toEqual([trusting, browser()]);
    expect(again(NOW + DAY)[0]?.lastUsedAt).toBe(NOW + DAY);
  });

  it("in a sixth browser makes the one forgotten that was unused for longest, to the sign-in", () => {
    let browsers: Browser[] = [];
    for (const hour of [1, 2, 3, 4, 5]) browsers = afterSignIn(browsers, claim(), NOW + hour);
    const first = browsers.at(-1)?.id ?? "";
    const second = browsers.at(-2)?.id ?? "";
    // Seen again on the same day: no newer date is kept, and still it was used last.
    browsers = afterSignIn(browsers, claim({ recognisedIds: [first] }), NOW + 6);
    const ids = afterSignIn(browsers, claim(), NOW + 7).map(({ id }) => id);
    expect(ids).toHaveLength(5);
    expect(ids).toContain(first);
    expect(ids).not.toContain(second);
  });

  it("in a known one makes nobody forgotten", () => {
    const five = [1, 2, 3, 4, 5].map((day) => browser({ id: `day-${day}`, lastUsedAt: NOW + day * DAY }));
    const seen = afterSignIn(five, claim({ recognisedIds: ["day-1"] }), NOW + 9 * DAY);
    expect(seen.map(({ id }) => id).sort()).toEqual(five.map(({ id }) => id).sort());
    expect(seen[0]?.id).toBe("day-1");
  });

  it("leaves what it was given untouched", () => {
    const five = [3, 1, 4, 2, 5].map((day) => browser({ id: `day-${day}`, lastUsedAt: NOW + day * DAY }));
    const before = structuredClone(five);
    afterSignIn(five, claim(), NOW + 9 * DAY);
    expect(five).toEqual(before);
  });

  // Somebody with many browsers: `n` signs in again in the browser of its n-th sign-in, if it is still known.
  it("is always first, of at most five, each of them once; nothing else is ever renamed", () => {
    const signIns = fc.array(fc.record({ again: fc.nat({ max: 8 }), later: fc.nat({ max: 3 * DAY }) }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(signIns, (steps) => {
        let browsers: Browser[] = [];
        let now = NOW;
        const ids: string[] = [];
        for (const { again, later } of steps) {
          now += later;
          const id = ids[again] ?? "";
          const wasKnown = browsers.some((one) => one.id === id);
          const before = browsers;
          browsers = afterSignIn(browsers, claim({ recognisedIds: [id] }), now);
          const [first, ...others] = browsers;
          ids.push(first?.id ?? "");
          expect(first?.id === id).toBe(wasKnown);
          expect(browsers.length).toBe(Math.min(5, before.length + (wasKnown ? 0 : 1)));
          expect(new Set(browsers.map((one) => one.id)).size).toBe(browsers.length);
          for (const one of others) expect(before).toContain(one);
          expect(now - (first?.lastUsedAt ?? 0)).toBeLessThan(DAY);
        }
      }),
    );
  });
});
