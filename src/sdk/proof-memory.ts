import { DPOP_PROOFS_OF_KEY, DPOP_PROOFS_REMEMBERED } from "../token-policy.ts";

/** A good proof that a request has shown. */
export interface ShownProof {
  /** The thumbprint of its key. */
  jkt: string;
  /** Its id: with the key, what tells it from every other proof. */
  jti: string;
  /** When it stops being good by itself, and may be forgotten. Epoch milliseconds. */
  expiresAt: number;
}

/**
 * Remembers a proof, and tells whether it was remembered before. One step, not two: of two requests with one proof,
 * whichever asks first is told `false`.
 */
export type SeenProof = (proof: ShownProof) => boolean | Promise<boolean>;

/**
 * A memory of proofs in this process: at most 50,000, and of one key as many as two requests a second come to; the oldest
 * are forgotten first, so that whoever has one token of his own cannot push out what others have shown. Where a service
 * runs in several processes (every isolate of a Worker is one), a proof can be shown once to each; put a store that they
 * share in its place where that matters, such as a Durable Object. `now` in epoch milliseconds.
 */
export function proofMemory(now: () => number = Date.now): SeenProof {
  const keys = new Map<string, Map<string, number>>();
  let size = 0;

  /** Takes out the oldest of one key, whose proofs stand in the order in which they were shown. */
  function forget(proofs: Map<string, number>, isEnough: (expiresAt: number) => boolean): void {
    for (const [jti, expiresAt] of proofs) {
      if (isEnough(expiresAt)) return;
      proofs.delete(jti);
      size -= 1;
    }
  }

  /** The key that was shown longest ago stands in front. */
  function makeRoom(): void {
    for (const [jkt, proofs] of keys) {
      forget(proofs, (expiresAt) => now() <= expiresAt && size <= DPOP_PROOFS_REMEMBERED);
      if (proofs.size > 0) return;
      keys.delete(jkt);
    }
  }

  return ({ jkt, jti, expiresAt }) => {
    const proofs = keys.get(jkt) ?? new Map<string, number>();
    if (proofs.has(jti)) return true;
    proofs.set(jti, expiresAt);
    size += 1;
    keys.delete(jkt);
    keys.set(jkt, proofs);
    forget(proofs, (until) => now() <= until && proofs.size <= DPOP_PROOFS_OF_KEY);
    makeRoom();
    return false;
  };
}
