import { describe, expect, it } from "vitest";
import {
  bindingRefusal,
  type Possession,
  PROOFS_OF_KEY_MAX,
  PROOFS_OF_SESSION_MAX,
  SIGN_IN_PROOFS_MAX,
  type SpentProof,
  withSpent,
  withSpentAtSignIn,
} from "../../../src/account/possession.ts";

const NOW = 1_800_000_000_000;
const proof = (proofId: string, expiresAt = NOW + 1, jkt = "key") => ({ jkt, proofId, expiresAt });
const spentProof = (id: string, expiresAt = NOW + 1, jkt = "key") => ({ jkt, id, expiresAt });

describe("what is bound to a key", () => {
  it("is for who shows that key, and what is bound to none for who shows none", () => {
    expect(bindingRefusal("key", proof("a"))).toBeUndefined();
    expect(bindingRefusal(undefined, undefined)).toBeUndefined();
    for (const [bound, shown] of [
      ["other", proof("a")],
      ["key", undefined],
      [undefined, proof("a")],
    ] as const) {
      expect(bindingRefusal(bound, shown)).toEqual({ refused: "proof_of_another_key" });
    }
  });
});

const sessionWith = (spentProofs: SpentProof[] = [], jkt = "key") => ({ spentProofs, terms: { jkt } });

describe.each([
  [
    "of a session",
    (spent: SpentProof[], possession: Possession | undefined, now: number) =>
      withSpent(sessionWith(spent), possession, now),
  ],
  ["of a sign-in", withSpentAtSignIn],
])("a proof %s", (_, spend) => {
  it("is remembered until it would be refused anyway, and forgotten then", () => {
    const earlier = [spentProof("a", NOW + 1_000)];
    expect(spend([], proof("a", NOW + 1_000), NOW)).toEqual(earlier);
    expect(spend(earlier, proof("b", NOW + 2_000), NOW + 999)).toHaveLength(2);
    expect(spend(earlier, proof("b", NOW + 2_000), NOW + 1_000)).toHaveLength(1);
  });

  it("is good once", () => {
    expect(spend([spentProof("a")], proof("a"), NOW)).toEqual({ refused: "proof_replayed" });
  });

  it("that took too long on its way is not looked for in a list that has forgotten it", () => {
    expect(spend([], proof("a", NOW), NOW)).toEqual({ refused: "proof_expired" });
  });

  it("is not asked for where nothing is bound", () => {
    expect(spend([], undefined, NOW)).toEqual([]);
  });
});

describe("many proofs", () => {
  const full = (count: number) => Array.from({ length: count }, (_, index) => spentProof(`p${index}`));

  it("of one key in a session: one more is refused and pushes none of them out, and other keys have their own", () => {
    const spent = full(PROOFS_OF_KEY_MAX);
    expect(withSpent(sessionWith(spent), proof("a"), NOW)).toMatchObject({ refused: "too_many_proofs" });
    expect(withSpent(sessionWith(spent), proof("p0"), NOW)).toEqual({ refused: "proof_replayed" });
    expect(withSpent(sessionWith(spent), proof("a", NOW + 1, "other"), NOW)).toHaveLength(PROOFS_OF_KEY_MAX + 1);
    expect(withSpent(sessionWith(spent), proof("a", NOW + 2), NOW + 1)).toHaveLength(1);
  });

  it("of many keys of back ends do not keep the session's own key out", () => {
    const spent = Array.from({ length: PROOFS_OF_SESSION_MAX }, (_, n) => spentProof(`p${n}`, NOW + 1, `key ${n}`));
    const stranger = proof("a", NOW + 1, "another");
    expect(withSpent(sessionWith(spent), stranger, NOW)).toMatchObject({ refused: "too_many_proofs" });
    expect(withSpent(sessionWith(spent.slice(1)), stranger, NOW)).toHaveLength(PROOFS_OF_SESSION_MAX);
    expect(withSpent(sessionWith(spent), proof("a"), NOW)).toHaveLength(PROOFS_OF_SESSION_MAX + 1);
  });

  it("of sign-ins keep nobody out: the oldest is forgotten", () => {
    const spent = withSpentAtSignIn(full(SIGN_IN_PROOFS_MAX), proof("a"), NOW);
    expect(spent).toHaveLength(SIGN_IN_PROOFS_MAX);
    expect(spent).toContainEqual(spentProof("a"));
    expect(spent).not.toContainEqual(spentProof("p0"));
  });

  it("of one key are good once in all sessions of an account together", () => {
    expect(withSpent(sessionWith(), proof("a"), NOW, [spentProof("a")])).toEqual({ refused: "proof_replayed" });
  });
});
