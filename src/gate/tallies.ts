import { TALLIES_AT_ONCE, TALLY_ADDRESSES, TALLY_WINDOW_MS } from "../event-policy.ts";
import type { Circumstances, Occurrence } from "../events/security-event.ts";

/** Something to be recorded now, and where it came from, if it came from one place. */
export interface Tallied {
  occurrence: Occurrence;
  from: Circumstances | undefined;
}

interface Tally extends Tallied {
  closesAt: number;
  /** How many there were after the first, and which addresses they have named. */
  count: number;
  addresses: Set<string>;
}

/**
 * What happens again and again: the first of a kind, a reason, a factor and a source is told at once, and what follows within a
 * minute when that is over, as one with a number. So a flood of refusals is a trickle of events. The numbers live in
 * memory: with the object's memory they are lost, but for the first.
 */
export class Tallies {
  #tallies = new Map<string, Tally>();

  /** Takes note, and answers what is to be recorded now: the first of its window, after the end of the window before. */
  note(occurrence: Occurrence, from: Circumstances, now: number): Tallied[] {
    const { key, from: place } = this.#placeOf(occurrence, from, now);
    const running = this.#tallies.get(key);
    if (running && now < running.closesAt) {
      running.count += occurrence.count ?? 1;
      const { address, about } = occurrence;
      if (address !== undefined && running.addresses.size < TALLY_ADDRESSES) running.addresses.add(address);
      if (about) running.occurrence.about = about;
      return [];
    }
    const { kind, reason, factor } = occurrence;
    const kept = { kind, ...(reason === undefined ? {} : { reason }), ...(factor === undefined ? {} : { factor }) };
    this.#tallies.set(key, {
      occurrence: kept,
      from: place,
      closesAt: now + TALLY_WINDOW_MS,
      count: 0,
      addresses: new Set(),
    });
    return [...(running ? closing(running) : []), { occurrence, from }];
  }

  /** Ends the windows that are over, and answers what they have counted. */
  close(now: number): Tallied[] {
    const over = [...this.#tallies].filter(([, { closesAt }]) => closesAt <= now);
    for (const [key] of over) this.#tallies.delete(key);
    return over.flatMap(([, tally]) => closing(tally));
  }

  /** When the next window ends that has counted something, epoch milliseconds. */
  closesAt(): number | undefined {
    const counting = [...this.#tallies.values()].filter(({ count }) => count > 0).map(({ closesAt }) => closesAt);
    return counting.length > 0 ? Math.min(...counting) : undefined;
  }

  /** Where something is counted. A flood from more sources than are told apart is counted as one without a source. */
  #placeOf(
    { kind, reason, factor }: Occurrence,
    from: Circumstances,
    now: number,
  ): Pick<Tallied, "from"> & { key: string } {
    const key = `${kind} ${reason} ${factor} ${from.source}`;
    if (!this.#tallies.has(key) && this.#tallies.size >= TALLIES_AT_ONCE) this.#dropEmpty(now);
    if (!this.#tallies.has(key) && this.#tallies.size >= TALLIES_AT_ONCE) {
      return { key: `${kind} ${reason} ${factor}`, from: undefined };
    }
    // Its own request and program belong to the first alone.
    const { request: _, agent: __, ...place } = from;
    return { key, from: place };
  }

  /** Windows that are over and have nothing to tell beside the first. */
  #dropEmpty(now: number): void {
    for (const [key, { count, closesAt }] of this.#tallies)
      if (count === 0 && closesAt <= now) this.#tallies.delete(key);
  }
}

function closing({ occurrence, from, count, addresses }: Tally): Tallied[] {
  if (count === 0) return [];
  const [address] = addresses;
  const counted: Occurrence = { ...occurrence };
  if (count > 1) counted.count = count;
  if (count > 1 && addresses.size > 0) counted.addresses = addresses.size;
  if (address !== undefined && addresses.size === 1) counted.address = address;
  return [{ occurrence: counted, from }];
}
