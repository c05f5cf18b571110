import { ADDRESS_FAILURES, ADDRESS_FAILURES_MAX, ADDRESS_FORGET_MS } from "../policy.ts";
import type { FailureWindow } from "./windows.ts";

/** How one more try at an address stands to it: see `Subject`. */
export interface Standing {
  onlyCounted?: true;
  capOnly?: true;
}

/** Tries at an address that are not settled yet: all of them, and those that nothing speaks for. */
export interface OpenTries {
  all: number;
  unproven: number;
}

/**
 * Whether an address, over all browsers that nobody recognises, takes one more try. Nothing here asks for the time: what
 * is closed opens by a session, by a reset, or by an operator. Open tries count as failures, so that fifty at once come
 * no further than one after another.
 */
export function addressRefusal(
  window: FailureWindow,
  open: OpenTries,
  { onlyCounted, capOnly }: Standing,
): "address_unproven" | "address_closed" | undefined {
  if (onlyCounted) return undefined;
  if (window.inARow + mayStillCount(window, open) >= ADDRESS_FAILURES_MAX) return "address_closed";
  if (capOnly) return undefined;
  const isAsked = window.proofAsked === true || unprovenOf(window) + open.unproven >= ADDRESS_FAILURES;
  return isAsked ? "address_unproven" : undefined;
}

/**
 * The window after one more failure, or the same one when it does not count: beyond the limit only tries that something
 * speaks for may bring an address nearer to its cap, so that no stranger ever gets it there.
 */
export function withAddressFailure(window: FailureWindow, { capOnly }: Standing, now: number): FailureWindow {
  const unproven = unprovenOf(window);
  if (!capOnly && unproven >= ADDRESS_FAILURES) return window;
  return { ...window, failures: [now], inARow: window.inARow + 1, unproven: capOnly ? unproven : unproven + 1 };
}

/** The window of an address that asks for a proof from now on, however few have failed. */
export function askingForProof(window: FailureWindow, now: number): FailureWindow {
  return window.proofAsked ? window : { ...window, failures: [now], proofAsked: true };
}

/** Whether a session that was opened clears the address. At its cap it does not: a reset shows more. */
export function isClearedBySession({ inARow }: FailureWindow): boolean {
  return inARow < ADDRESS_FAILURES_MAX;
}

/** What an address has begun to ask for, if anything, with the failure that lies between these two windows. */
export function beganWith(
  before: FailureWindow,
  after: FailureWindow,
): "address_unproven" | "address_closed" | undefined {
  const reached = (count: (window: FailureWindow) => number, limit: number) =>
    count(before) < limit && count(after) >= limit;
  if (reached(({ inARow }) => inARow, ADDRESS_FAILURES_MAX)) return "address_closed";
  return reached(unprovenOf, ADDRESS_FAILURES) ? "address_unproven" : undefined;
}

/** Whether somebody is held back by this address, so that its row must not make room for others. */
export function holdsBack(window: FailureWindow): boolean {
  return addressRefusal(window, { all: 0, unproven: 0 }, {}) !== undefined;
}

/** When an address is forgotten, epoch milliseconds. */
export function addressForgettableAt({ failures }: FailureWindow): number {
  return (failures.at(-1) ?? 0) + ADDRESS_FORGET_MS;
}

/** How many open tries would count if they failed. Beyond the limit those that nothing speaks for do not: see above. */
function mayStillCount(window: FailureWindow, { all, unproven }: OpenTries): number {
  return all - unproven + Math.min(unproven, Math.max(0, ADDRESS_FAILURES - unprovenOf(window)));
}

function unprovenOf({ unproven = 0 }: FailureWindow): number {
  return unproven;
}
