import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { digestFor, makeRecoveryCodes, type NewRecoveryCodes, spendCode } from "../../../src/account/recovery-codes.ts";
import { normalizeRecoveryCode } from "../../../src/factors/recovery-code.ts";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { newRing } from "../support/rings.ts";

const ACCOUNT = "account-1";

let ring: KeyRing;
let made: NewRecoveryCodes;

beforeAll(async () => {
  ring = await newRing();
  made = await makeRecoveryCodes(ring, ACCOUNT);
});

const digest = (code: string, account = ACCOUNT, keys = ring) =>
  digestFor(keys, account, made.kept, normalizeRecoveryCode(code) ?? "");

describe("a new set of recovery codes", () => {
  it("is ten to be shown, and ten digests to be kept with the id of their key", () => {
    expect(made.codes).toHaveLength(10);
    expect(made.kept.keyId).toBe(ring.active("recovery").id);
    expect(made.kept.digests).toHaveLength(10);
    expect(new Set(made.kept.digests).size).toBe(10);
  });

  it("keeps nothing of the codes themselves", () => {
    const kept = JSON.stringify(made.kept).toUpperCase();
    for (const code of made.codes) {
      expect(kept).not.toContain(code);
      expect(kept).not.toContain(code.replaceAll("-", ""));
    }
  });

  it("is another one each time", async () => {
    const other = await makeRecoveryCodes(ring, ACCOUNT);
    expect(new Set([...made.kept.digests, ...other.kept.digests]).size).toBe(20);
  });
});

describe("a typed code", () => {
  it("has the digest that was kept, for each of the ten", async () => {
    expect(await Promise.all(made.codes.map((code) => digest(code)))).toEqual(made.kept.digests);
  });

  it("has another digest in another account, and under another ring", async () => {
    const [code = ""] = made.codes;
    expect(made.kept.digests).not.toContain(await digest(code, "account-2"));
    expect(made.kept.digests).not.toContain(await digest(code, ACCOUNT, await newRing()));
  });

  it("has none where the set's key is gone, or where there never was a set", async () => {
    const [code = ""] = made.codes;
    expect(await digestFor(ring, ACCOUNT, { ...made.kept, keyId: 99 }, code)).toBeUndefined();
    expect(await digestFor(ring, ACCOUNT, { keyId: 0, digests: [] }, code)).toBeUndefined();
  });
});

describe("spending a code", () => {
  it("takes it out, and the second time there is nothing to take", () => {
    const [first = "", ...others] = made.kept.digests;
    const left = spendCode(made.kept, first);
    expect(left).toEqual({ keyId: made.kept.keyId, digests: others });
    expect(left && spendCode(left, first)).toBeUndefined();
  });

  it("leaves what it was given untouched", () => {
    spendCode(made.kept, made.kept.digests[3]);
    expect(made.kept.digests).toHaveLength(10);
  });

  it.each([
    ["no digest", undefined],
    ["an empty one", ""],
    ["a digest of no code in the set", "0".repeat(64)],
    ["the place of a code", "0"],
  ])("finds nothing with %s", (_, given) => {
    expect(spendCode(made.kept, given)).toBeUndefined();
  });

  it("finds no part of a digest, and no digest in another spelling", () => {
    const [first = ""] = made.kept.digests;
    for (const given of [first.slice(1), first.slice(0, -1), `${first} `, first.toUpperCase()]) {
      expect(spendCode(made.kept, given), given).toBeUndefined();
    }
  });

  it("finds nothing in an empty set", () => {
    expect(spendCode({ keyId: 0, digests: [] }, undefined)).toBeUndefined();
    expect(spendCode({ keyId: 0, digests: [] }, "")).toBeUndefined();
  });

  it("works once for each code, in any order, and then the set is empty", () => {
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 3, 7], { minLength: 13 });
    fc.assert(
      fc.property(order, (picks) => {
        let set = made.kept;
        let spent = 0;
        for (const pick of picks) {
          const left = spendCode(set, made.kept.digests[pick]);
          if (!left) continue;
          expect(left.digests).toHaveLength(set.digests.length - 1);
          set = left;
          spent += 1;
        }
        expect([spent, set.digests]).toEqual([10, []]);
      }),
    );
  });
});
