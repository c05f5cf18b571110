import {
  HASH_PAUSE_LATE_MS,
  HASH_PAUSE_MS,
  HASH_PAUSES_MAX,
  HASH_PLACE_LAPSE_MS,
  HASH_PLACES,
  HASH_PLACES_PER_SOURCE,
} from "../edge-policy.ts";

/** A place in the queue for a password hash. */
export interface HashPlace {
  /** Runs hashing work when its turn comes. The place is given back afterwards. */
  use<T>(work: () => Promise<T>): Promise<T>;
  /** Gives the place back unused. Safe to call after use. */
  giveBack(): void;
}

interface Ticket {
  source: string;
  takenAt: number;
  /** Called when its turn comes. */
  start?: () => void;
}

/**
 * The queue for password hashes of one isolate. Each blocks everything else for about fifty milliseconds, so only so
 * many may wait, they run one at a time, and between two of them everybody who has come meanwhile is taken in: any other
 * request waits for one or two, never for all.
 *
 * A request can be cut off at any moment, and then it neither gives its place back nor passes the turn on. Its place
 * lapses, and the turn with it.
 */
export class HashPlaces {
  #taken = new Set<Ticket>();
  #waiting: Ticket[] = [];
  #running: Ticket | undefined;

  /**
   * Takes a place, or none when all are taken or this source has its share. Synchronous: to be called before anything
   * is waited for. `now` in epoch milliseconds.
   */
  take(source: string, now: number): HashPlace | undefined {
    for (const ticket of this.#taken) if (now >= ticket.takenAt + HASH_PLACE_LAPSE_MS) this.#giveBack(ticket);
    const ofSource = [...this.#taken].filter((ticket) => ticket.source === source).length;
    if (this.#taken.size >= HASH_PLACES || ofSource >= HASH_PLACES_PER_SOURCE) return undefined;
    const ticket = { source, takenAt: now };
    this.#taken.add(ticket);
    const giveBack = () => this.#giveBack(ticket);
    return { giveBack, use: (work) => this.#inTurn(ticket, work).finally(giveBack) };
  }

  async #inTurn<T>(ticket: Ticket, work: () => Promise<T>): Promise<T> {
    // Only one at a time: with a timer for each that waits, one is always due, and nothing else is ever taken in.
    if (this.#running) {
      await this.#turnOf(ticket);
      await othersAreIn(HASH_PAUSE_MS);
    } else {
      this.#running = ticket;
      await othersAreIn(0);
    }
    return work();
  }

  /**
   * Waits for another request to pass the turn on. With a timer of its own: the runtime takes a request that waits for
   * nothing outside of it to have hung, and ends it as soon as nothing else is going on.
   */
  async #turnOf(ticket: Ticket): Promise<void> {
    const waiting = setTimeout(() => {}, HASH_PLACE_LAPSE_MS);
    await new Promise<void>((resolve) => {
      ticket.start = resolve;
      this.#waiting.push(ticket);
    });
    clearTimeout(waiting);
  }

  #giveBack(ticket: Ticket): void {
    this.#taken.delete(ticket);
    this.#waiting = this.#waiting.filter((other) => other !== ticket);
    if (this.#running !== ticket) return;
    this.#running = this.#waiting.shift();
    this.#running?.start?.();
  }
}

/** Lets the runtime take in other requests: by a timer and not a microtask, since it does so for nothing less. */
export async function letOthersIn(ms = 0): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Before each hash: a pause, and another for as long as many others are coming in, which a timer that rings late tells. A
 * hash amid them would be one more that all of them wait for. After some pauses it runs even so: a flood that does not end
 * must not keep everybody from signing in.
 */
async function othersAreIn(pause: number): Promise<void> {
  for (let pauses = 1, wait = pause; pauses <= HASH_PAUSES_MAX; pauses += 1, wait = HASH_PAUSE_MS) {
    const due = Date.now() + wait;
    await letOthersIn(wait);
    if (Date.now() < due + HASH_PAUSE_LATE_MS) return;
  }
}
