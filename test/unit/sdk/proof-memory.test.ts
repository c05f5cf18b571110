import { describe, expect, it } from "vitest";
import { proofMemory } from "../../../src/sdk/proof-memory.ts";
import { DPOP_PROOFS_REMEMBERED } from "../../../src/token-policy.ts";
import { NOW } from "../support/forged-tokens.ts";

const JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const proof = { jkt: JKT, jti: "j", expiresAt: NOW + 60_000 };

describe("the memory of proofs", () => {
  it("knows a proof that it has seen, by its key and its id", () => {
    const seen = proofMemory(() => NOW);
    expect([seen(proof), seen(proof), seen({ ...proof })]).toEqual([false, true, true]);
    expect(seen({ ...proof, jti: "k" })).toBe(false);
    expect(seen({ ...proof, jkt: JKT.toLowerCase() })).toBe(false);
    // Whatever a client writes into its second proof: its end is no part of what it is.
    expect(seen({ ...proof, expiresAt: NOW + 61_000 })).toBe(true);
  });

  it("is its own", () => {
    const [one, another] = [proofMemory(() => NOW), proofMemory(() => NOW)];
    expect([one(proof), another(proof)]).toEqual([false, false]);
  });

  it("holds a proof for as long as it is good by itself, and no longer", () => {
    let now = NOW;
    const seen = proofMemory(() => now);
    seen(proof);
    now = proof.expiresAt;
    seen({ ...proof, jti: "k" });
    expect(seen(proof)).toBe(true);
    now = proof.expiresAt + 1;
    seen({ ...proof, jti: "l" });
    expect(seen(proof)).toBe(false);
  });

  it("has an end: then it forgets the oldest", () => {
    const seen = proofMemory(() => NOW);
    const shown = (n: number) => seen({ ...proof, jti: `${n}` });
    for (let n = 0; n < DPOP_PROOFS_REMEMBERED; n += 1) shown(n);
    expect(shown(0)).toBe(true);
    expect(shown(DPOP_PROOFS_REMEMBERED)).toBe(false);
    expect([shown(1), shown(DPOP_PROOFS_REMEMBERED)]).toEqual([true, true]);
    expect(shown(0)).toBe(false);
  });

  it.each([1, 100])("lets nobody push out what another key has shown, with %i keys of his own", (count) => {
    const seen = proofMemory(() => NOW);
    seen({ ...proof, jkt: "the owner's" });
    for (let n = 0; n < 1.2 * DPOP_PROOFS_REMEMBERED; n += 1) seen({ ...proof, jkt: `${n % count}`, jti: `${n}` });
    expect(seen({ ...proof, jkt: "the owner's" })).toBe(true);
  });
});
