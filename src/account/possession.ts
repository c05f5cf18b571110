import type { Refusal } from "../refusal.ts";

/** A key that whoever asks has shown to hold, for this one request (RFC 9449). Checked by the Worker. */
export interface Possession {
  /** RFC 7638 thumbprint of the key. */
  jkt: string;
  /** Names the proof. */
  proofId: string;
  /** Until when the same proof would pass the Worker's checks, epoch milliseconds. */
  expiresAt: number;
}

/** A proof that was used. */
export interface SpentProof {
  id: string;
  jkt: string;
  expiresAt: number;
}

/**
 * Proofs of one key that a session remembers at a time. They live two minutes, so that this is more than two requests a
 * second. What is spent is never pushed out by what comes later; another key, such as that of a back end which exchanges
 * the session's tokens, has as many for itself.
 */
export const PROOFS_OF_KEY_MAX = 256;
/** And of all keys together; beyond it a session knows its own key alone, which no back end can keep out. */
export const PROOFS_OF_SESSION_MAX = 1024;
const FULL_RETRY_AFTER_SECONDS = 30;
/**
 * Proofs of sign-ins that an account remembers. Whoever has the password can show any number of keys, and must not keep
 * the owner's proofs out by it: here the oldest goes. Shown again it is worth nothing but a sign-in that is bound to
 * the owner's own key.
 */
export const SIGN_IN_PROOFS_MAX = 64;

/** Whether somebody may use what is bound to this key, or to none: by the same key alone, and without one if there is none. */
export function bindingRefusal(jkt: string | undefined, possession: { jkt: string } | undefined): Refusal | undefined {
  return jkt === possession?.jkt ? undefined : { refused: "proof_of_another_key" };
}

/**
 * The proofs that a session has spent after this one, or why it is not good. `elsewhere` are those of the account's other
 * sessions, which one key may have opened. The list is left to be saved.
 */
export function withSpent(
  session: { spentProofs?: SpentProof[]; terms: { jkt?: string } },
  possession: Possession | undefined,
  now: number,
  elsewhere: SpentProof[] = [],
): SpentProof[] | Refusal {
  const remembered = stillGood(session.spentProofs, now);
  if (!possession) return remembered;
  const refusal = refusalOf(possession, [...remembered, ...elsewhere], now);
  if (refusal) return refusal;
  const ofKey = remembered.filter(({ jkt }) => jkt === possession.jkt).length;
  const isStranger = possession.jkt !== session.terms.jkt;
  if (ofKey >= PROOFS_OF_KEY_MAX || (isStranger && remembered.length >= PROOFS_OF_SESSION_MAX)) {
    return { refused: "too_many_proofs", retryAfterSeconds: FULL_RETRY_AFTER_SECONDS };
  }
  return [...remembered, spentProofOf(possession)];
}

/** The proofs that sign-ins have spent after this one, or why it is not good. The list is left to be saved. */
export function withSpentAtSignIn(
  spent: SpentProof[],
  possession: Possession | undefined,
  now: number,
): SpentProof[] | Refusal {
  const remembered = stillGood(spent, now);
  if (!possession) return remembered;
  const refusal = refusalOf(possession, remembered, now);
  return refusal ?? [...remembered, spentProofOf(possession)].slice(-SIGN_IN_PROOFS_MAX);
}

function stillGood(spent: SpentProof[] | undefined, now: number): SpentProof[] {
  return (spent ?? []).filter(({ expiresAt }) => now < expiresAt);
}

function refusalOf({ proofId, expiresAt }: Possession, spent: SpentProof[], now: number): Refusal | undefined {
  if (now >= expiresAt) return { refused: "proof_expired" };
  return spent.some(({ id }) => id === proofId) ? { refused: "proof_replayed" } : undefined;
}

function spentProofOf({ proofId: id, jkt, expiresAt }: Possession): SpentProof {
  return { id, jkt, expiresAt };
}
