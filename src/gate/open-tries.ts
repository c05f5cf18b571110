import { RESERVATION_TTL_MS } from "../policy.ts";
import type { OpenTries } from "./address.ts";
import type { Subject } from "./subjects.ts";

interface OpenTry {
  /** Epoch milliseconds. */
  since: number;
  isSpokenFor: boolean;
}

/** Tries that were let through and are not settled yet, by subject. In memory alone: a good sign-in writes nothing. */
export class OpenReservations {
  #open = new Map<string, Map<string, OpenTry>>();

  add({ key, capOnly }: Subject, reservation: string, now: number): void {
    const open = this.#open.get(key) ?? new Map<string, OpenTry>();
    this.#open.set(key, open.set(reservation, { since: now, isSpokenFor: capOnly === true }));
  }

  /** How many there are. What never came back is forgotten after a minute. */
  count(key: string, now: number): OpenTries {
    const open = this.#open.get(key);
    if (!open) return { all: 0, unproven: 0 };
    for (const [reservation, { since }] of open) if (now >= since + RESERVATION_TTL_MS) open.delete(reservation);
    if (open.size === 0) this.#open.delete(key);
    return { all: open.size, unproven: [...open.values()].filter(({ isSpokenFor }) => !isSpokenFor).length };
  }

  close(key: string, reservation: string): void {
    const open = this.#open.get(key);
    open?.delete(reservation);
    if (open?.size === 0) this.#open.delete(key);
  }
}
