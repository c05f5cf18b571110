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
 * A memory of proofs in this process: at most 50,000. When it is full the key that has most of them loses its oldest, so
 * that whoever has a few tokens of his own cannot push out what others have shown. Where a service runs in several
 * processes (every isolate of a Worker is one), a proof can be shown once to each; put a store that they share in its
 * place where that matters, such as a Durable Object. `now` in epoch milliseconds.
 */
export function proofMemory(now: () => number = Date.now): SeenProof {
  // The key that was shown longest ago stands in front, and of each key the proof that was shown first.
  const keys = new Map<string, Map<string, number>>();
  let size = 0;

  function forget(jkt: string, proofs: Map<string, number>, jti: string): void {
    proofs.delete(jti);
    size -= 1;
    if (proofs.size === 0) keys.delete(jkt);
  }

  function forgetPast(): void {
    for (const [jkt, proofs] of keys) {
      for (const [jti, expiresAt] of proofs) {
        // One that lives a little longer than those behind it keeps them for that long.
        if (now() <= expiresAt) return;
        forget(jkt, proofs, jti);
      }
    }
  }

  function makeRoom(): void {
    let [most] = keys;
    for (const entry of keys) if (entry[1].size > (most?.[1].size ?? 0)) most = entry;
    const [oldest] = most?.[1].keys() ?? [];
    if (most && oldest !== undefined) forget(...most, oldest);
  }

  return ({ jkt, jti, expiresAt }) => {
    const proofs = keys.get(jkt) ?? new Map<string, number>();
    if (proofs.has(jti)) return true;
    proofs.set(jti, expiresAt);
    size += 1;
    keys.delete(jkt);
    keys.set(jkt, proofs);
    forgetPast();
    if (size > DPOP_PROOFS_REMEMBERED) makeRoom();
    return false;
  };
}
