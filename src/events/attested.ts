import type { Attestation } from "../keys/attestation.ts";

/** How far the chain had come. */
export interface CheckpointFacts {
  /** That of the checkpoint before, plus one. */
  number: number;
  /** The last page, its last event, and its hash. */
  page: number;
  last_seq: number;
  hash: string;
  /** Epoch milliseconds. */
  at: number;
}

/** The same, signed. */
export type Checkpoint = CheckpointFacts & Attestation;

/** What retention has removed: every page up to `page`. */
export interface StubFacts extends CheckpointFacts {
  /** How many events went with this stub; those of earlier ones have theirs. */
  count: number;
}

/** The same, signed. */
export type Stub = StubFacts & Attestation;

/** What the signature of a checkpoint is over: a JSON array of a name and its facts, each as text. In UTF-8. */
export function checkpointText({ number, page, last_seq, hash, at }: CheckpointFacts): string {
  return JSON.stringify(["sallyport checkpoint", number, page, last_seq, hash, at].map(String));
}

/** What the signature of a stub is over: the same with another name, and with the number of events before the moment. */
export function stubText({ number, page, last_seq, hash, count, at }: StubFacts): string {
  return JSON.stringify(["sallyport retention stub", number, page, last_seq, hash, count, at].map(String));
}
