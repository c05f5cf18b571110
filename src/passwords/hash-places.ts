import {
  HASH_PAUSE_ARRIVALS,
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
 * many may wait, they run one at a time, and between two of them the event loop gets a turn: any other request waits
 * for one or two, never for all.
 *
 * A request can be cut off at any moment, and then it neither gives its place back nor passes the turn on. Its place
 * lapses, and the turn with it.
 */
export class HashPlaces {
  #taken = new Set<Ticket>();
  #waiting: Ticket[] = [];
  #running: Ticket | undefined;
  #arrivals = 0;

  /** Takes note that a request has come to this isolate, whatever it wants. */
  noteArrival(): void {
    this.#arrivals += 1;
  }

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
      await letOthersIn(HASH_PAUSE_MS);
    } else {
      this.#running = ticket;
      await this.#burstIsIn();
    }
    return work();
  }

  /**
   * Before the first of several hashes: it may be that of a burst, and amid the others it would be one more that all of them
   * wait for. So there is a pause after another for as long as many come in. They are counted and not timed: what a clock
   * says after a timer is when it was due. After some pauses it runs even so, and those behind it do not wait again: a flood
   * that does not end must not keep everybody from signing in.
   */
  async #burstIsIn(): Promise<void> {
    for (let pauses = 0; pauses < HASH_PAUSES_MAX; pauses += 1) {
      const before = this.#arrivals;
      await letOthersIn(pauses === 0 ? 0 : HASH_PAUSE_MS);
      if (this.#arrivals - before < HASH_PAUSE_ARRIVALS) return;
    }
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
