import {
  MAIL_WINDOW_MS,
  MAILS_FROM_NETWORK,
  MAILS_FROM_SOURCE,
  MAILS_TO_ADDRESS,
  NETWORK_FAILURES,
  PAIR_FIRST_WAIT_MS,
  PAIR_FORGET_MS,
  PAIR_FREE_FAILURES,
  PAIR_MAX_WAIT_MS,
  SOURCE_FAILURES,
  SOURCE_WINDOW_MS,
} from "../policy.ts";

/**
 * Which rule counts a subject: failures of a client (`source`), of its surroundings (`network`), of one email key tried
 * from one client (`pair`); mails asked for by a client, by its surroundings, and mails to one address.
 */
export type SubjectKind = RollingKind | "pair";

type RollingKind = "source" | "network" | "mails_from_source" | "mails_from_network" | "mails_to_address";

/** What was counted of a subject: the moments that may still count (epoch milliseconds), and how many came in a row. */
export interface FailureWindow {
  failures: number[];
  inARow: number;
}

const ROLLING: Record<RollingKind, { limit: number; windowMs: number }> = {
  source: { limit: SOURCE_FAILURES, windowMs: SOURCE_WINDOW_MS },
  network: { limit: NETWORK_FAILURES, windowMs: SOURCE_WINDOW_MS },
  mails_from_source: { limit: MAILS_FROM_SOURCE, windowMs: MAIL_WINDOW_MS },
  mails_from_network: { limit: MAILS_FROM_NETWORK, windowMs: MAIL_WINDOW_MS },
  mails_to_address: { limit: MAILS_TO_ADDRESS, windowMs: MAIL_WINDOW_MS },
};
/** A try that is refused only because others are still open is soon worth another attempt. */
const OPEN_WAIT_MS = 1_000;

/**
 * How long a subject must wait before the next try, in milliseconds; 0 when it may try now. `open` tries count as
 * failures until they are settled, so that fifty at once do not slip through together.
 */
export function waitMs(kind: SubjectKind, window: FailureWindow, open: number, now: number): number {
  return kind === "pair" ? pairWaitMs(window, open, now) : rollingWaitMs(ROLLING[kind], window, open, now);
}

/** The window after one more failure. Keeps no more moments than the rule can ask for. */
export function withFailure(kind: SubjectKind, window: FailureWindow, now: number): FailureWindow {
  const keep = kind === "pair" ? 1 : ROLLING[kind].limit;
  const forgotten = kind === "pair" && now > lastFailure(window) + PAIR_FORGET_MS;
  return {
    failures: [...window.failures, now].sort((a, b) => a - b).slice(-keep),
    inARow: (forgotten ? 0 : window.inARow) + 1,
  };
}

/** When a window can no longer hold anybody back, epoch milliseconds. */
export function forgettableAt(kind: SubjectKind, window: FailureWindow): number {
  return lastFailure(window) + (kind === "pair" ? PAIR_FORGET_MS : ROLLING[kind].windowMs);
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
