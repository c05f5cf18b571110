import { DPOP_PROOFS_REMEMBERED } from "../token-policy.ts";

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
 * A memory of proofs in this process: at most 50,000, the oldest is forgotten first. Where a service runs in several
 * processes (every isolate of a Worker is one), a proof can be shown once to each; put a store that they share in its
 * place where that matters, such as a Durable Object. `now` in epoch milliseconds.
 */
export function proofMemory(now: () => number = Date.now): SeenProof {
  const shown = new Map<string, number>();

  /** The oldest are in front. One that lives a little longer than those behind it keeps them for that long. */
  function forget(): void {
    for (const [key, expiresAt] of shown) {
      if (now() <= expiresAt && shown.size <= DPOP_PROOFS_REMEMBERED) return;
      shown.delete(key);
    }
  }

  return ({ jkt, jti, expiresAt }) => {
    // A thumbprint has one length: no other pair is spelt like this.
    const key = `${jkt}${jti}`;
    if (shown.has(key)) return true;
    shown.set(key, expiresAt);
    forget();
    return false;
  };
}
