import { HASH_PLACES } from "../policy.ts";

/** A place in the queue for a password hash. */
export interface HashPlace {
  /** Runs hashing work when its turn comes. The place is given back afterwards. */
  use<T>(work: () => Promise<T>): Promise<T>;
  /** Gives the place back unused. Safe to call after use. */
  giveBack(): void;
}

/**
 * The queue for password hashes of one isolate. Each blocks everything else for about fifty milliseconds, so only so
 * many may wait, they run one at a time, and between two of them the event loop gets a turn: any other request waits
 * for two or three, never for all.
 */
export class HashPlaces {
  #taken = 0;
  #running = false;
  #waiting: (() => void)[] = [];

  /** Takes a place, or none when all are taken. Synchronous: to be called before the first `await` of a request. */
  take(): HashPlace | undefined {
    if (this.#taken >= HASH_PLACES) return undefined;
    this.#taken += 1;
    let held = true;
    const giveBack = () => {
      if (held) this.#taken -= 1;
      held = false;
    };
    return { giveBack, use: (work) => this.#inTurn(work).finally(giveBack) };
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running = true;
    try {
      // A timer, not a microtask: only a timer lets the runtime take in other requests.
      await new Promise((resolve) => setTimeout(resolve, 0));
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running = false;
    }
  }
}
