import {
  ASSERTIONS_FROM_NETWORK,
  ASSERTIONS_FROM_SOURCE,
  MAIL_WINDOW_MS,
  MAILS_FROM_NETWORK,
  MAILS_FROM_SOURCE,
  MAILS_TO_ADDRESS,
  NETWORK_FAILURES,
  PAIR_FIRST_WAIT_MS,
  PAIR_FORGET_MS,
  PAIR_FREE_FAILURES,
  PAIR_MAX_WAIT_MS,
  PROOF_ATTEMPTS,
  PROOF_MEMORY_MS,
  PROOFS_TO_ADDRESS,
  PROOFS_TO_ADDRESS_WINDOW_MS,
  SOURCE_FAILURES,
  SOURCE_WINDOW_MS,
} from "../policy.ts";

/**
 * Which rule counts a subject: failures of a client (`source`), of its surroundings (`network`), of one email key tried
 * from one client or browser (`pair`) and over all that nobody recognises (`address`, in `address.ts`); failed sign-ins by passkey alone, of a client and of its surroundings; tries with
 * one mailed proof; mails asked for by a client, by its surroundings, and mails to one address, proofs apart.
 */
export type SubjectKind = CountedKind | "address";

/** Those that time alone lets go on: all but the address. */
export type CountedKind = RollingKind | "pair";

type RollingKind =
  | "source"
  | "network"
  | "assertions_from_source"
  | "assertions_from_network"
  | "proof"
  | "mails_from_source"
  | "mails_from_network"
  | "mails_to_address"
  | "proofs_to_address";

/** What was counted of a subject: the moments that may still count (epoch milliseconds), and how many came in a row. */
export interface FailureWindow {
  failures: number[];
  inARow: number;
  /** Of a proof: a right password came with it. */
  usedUp?: true;
  /** Of a network: which address each failure has tried, in a few digits, in the order of `failures`. */
  marks?: string[];
  /** Of a network: refused until then whatever was counted, epoch milliseconds. */
  refusedUntil?: number;
  /** Of an address: failures that nothing spoke for. `inARow` has all of them. */
  unproven?: number;
  /** Of an address: asks for a proof, however few have failed. */
  proofAsked?: true;
}

const ROLLING: Record<RollingKind, { limit: number; windowMs: number }> = {
  source: { limit: SOURCE_FAILURES, windowMs: SOURCE_WINDOW_MS },
  network: { limit: NETWORK_FAILURES, windowMs: SOURCE_WINDOW_MS },
  assertions_from_source: { limit: ASSERTIONS_FROM_SOURCE, windowMs: SOURCE_WINDOW_MS },
  assertions_from_network: { limit: ASSERTIONS_FROM_NETWORK, windowMs: SOURCE_WINDOW_MS },
  proof: { limit: PROOF_ATTEMPTS, windowMs: PROOF_MEMORY_MS },
  mails_from_source: { limit: MAILS_FROM_SOURCE, windowMs: MAIL_WINDOW_MS },
  mails_from_network: { limit: MAILS_FROM_NETWORK, windowMs: MAIL_WINDOW_MS },
  mails_to_address: { limit: MAILS_TO_ADDRESS, windowMs: MAIL_WINDOW_MS },
  proofs_to_address: { limit: PROOFS_TO_ADDRESS, windowMs: PROOFS_TO_ADDRESS_WINDOW_MS },
};
/** A try that is refused only because others are still open is soon worth another attempt. */
const OPEN_WAIT_MS = 1_000;

/**
 * How long a subject must wait before the next try, in milliseconds; 0 when it may try now. `open` tries count as
 * failures until they are settled, so that fifty at once do not slip through together.
 */
export function waitMs(kind: CountedKind, window: FailureWindow, open: number, now: number): number {
  const wait = kind === "pair" ? pairWaitMs(window, open, now) : rollingWaitMs(ROLLING[kind], window, open, now);
  return Math.max(wait, (window.refusedUntil ?? 0) - now, 0);
}

/**
 * The window after one more failure. Keeps no more moments than the rule can ask for, and of each which address it tried
 * (`mark`), where that is told.
 */
export function withFailure(kind: CountedKind, window: FailureWindow, now: number, mark?: string): FailureWindow {
  const keep = kind === "pair" ? 1 : ROLLING[kind].limit;
  const forgotten = kind === "pair" && now > lastFailure(window) + PAIR_FORGET_MS;
  const failures = [...window.failures, now].sort((a, b) => a - b).slice(-keep);
  const inARow = (forgotten ? 0 : window.inARow) + 1;
  const { refusedUntil } = window;
  const marks = mark === undefined && !window.marks ? {} : { marks: withMark(window, now, mark ?? "").slice(-keep) };
  return { failures, inARow, ...marks, ...(refusedUntil === undefined ? {} : { refusedUntil }) };
}

/** How many different addresses the failures of a network have tried in its window. */
export function addressesTouched({ failures, marks = [] }: FailureWindow, now: number): number {
  const { windowMs } = ROLLING.network;
  return new Set(marks.filter((mark, index) => mark !== "" && (failures[index] ?? 0) > now - windowMs)).size;
}

/** The window of a network that is refused until then, or the same one when it is for longer already. */
export function refusedUntil(window: FailureWindow, until: number): FailureWindow {
  return until <= (window.refusedUntil ?? 0) ? window : { ...window, refusedUntil: until };
}

/** The window of a proof that has done its work: as good as tried too often, for as long as its link could live. */
export function usedUpProof(now: number): FailureWindow {
  return { failures: Array<number>(PROOF_ATTEMPTS).fill(now), inARow: PROOF_ATTEMPTS, usedUp: true };
}

/** Whether a proof has done its work, which is more than that no attempt is left. */
export function isUsedUp({ usedUp }: FailureWindow): boolean {
  return usedUp === true;
}

/** When a window can no longer hold anybody back, epoch milliseconds. */
export function forgettableAt(kind: CountedKind, window: FailureWindow): number {
  const counted = lastFailure(window) + (kind === "pair" ? PAIR_FORGET_MS : ROLLING[kind].windowMs);
  return Math.max(counted, window.refusedUntil ?? 0);
}

/** The marks of a window with one more failure, in the order of its moments. */
function withMark({ failures, marks = [] }: FailureWindow, now: number, mark: string): string[] {
  const marked = [...failures.map((at, index) => ({ at, mark: marks[index] ?? "" })), { at: now, mark }];
  return marked.sort((a, b) => a.at - b.at).map((one) => one.mark);
}

function rollingWaitMs(
  { limit, windowMs }: { limit: number; windowMs: number },
  { failures }: FailureWindow,
  open: number,
  now: number,
): number {
  const counting = failures.filter((at) => at > now - windowMs);
  if (counting.length + open < limit) return 0;
  const blocking = counting[counting.length - limit];
  return blocking === undefined ? OPEN_WAIT_MS : blocking + windowMs - now;
}

function pairWaitMs(window: FailureWindow, open: number, now: number): number {
  const last = lastFailure(window);
  const inARow = now > last + PAIR_FORGET_MS ? 0 : window.inARow;
  if (inARow + open < PAIR_FREE_FAILURES) return 0;
  if (inARow < PAIR_FREE_FAILURES) return OPEN_WAIT_MS;
  const doubled = Math.min(PAIR_FIRST_WAIT_MS * 2 ** (inARow - PAIR_FREE_FAILURES), PAIR_MAX_WAIT_MS);
  const rest = last + doubled - now;
  return rest > 0 ? rest : open > 0 ? OPEN_WAIT_MS : 0;
}

function lastFailure({ failures }: FailureWindow): number {
  return failures.at(-1) ?? 0;
}
