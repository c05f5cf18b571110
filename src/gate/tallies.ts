import { TALLIES_AT_ONCE, TALLY_ADDRESSES, TALLY_TOLD_AT, TALLY_WINDOW_MS } from "../event-policy.ts";
import type { Circumstances, Occurrence } from "../events/security-event.ts";

/** Something to be recorded now, and where it came from, if it came from one place. */
export interface Tallied {
  occurrence: Occurrence;
  from: Circumstances | undefined;
}

interface Tally extends Tallied {
  closesAt: number;
  /** How many there were since something was told last. */
  count: number;
  /** Which addresses they have named after the first, and how many of them have been told. */
  addresses: Set<string>;
  told: number;
}

/**
 * What happens again and again: the first of a kind, a reason, a factor and a source is told at once, and what follows within a
 * minute when that is over, as one with a number; before that, when it has named as many addresses as somebody waits for. So
 * a flood of refusals is a trickle of events. The numbers live in memory: with the object's memory they are lost, but for
 * the first.
 */
export class Tallies {
  #tallies = new Map<string, Tally>();

  /** Takes note, and answers what is to be recorded now: the first of its window, after the end of the window before. */
  note(occurrence: Occurrence, from: Circumstances, now: number): Tallied[] {
    const { key, from: place } = this.#placeOf(occurrence, from, now);
    const running = this.#tallies.get(key);
    if (running && now < running.closesAt) return counting(running, occurrence);
    const { kind, reason, factor } = occurrence;
    const kept = { kind, ...(reason === undefined ? {} : { reason }), ...(factor === undefined ? {} : { factor }) };
    this.#tallies.set(key, {
      occurrence: kept,
      from: place,
      closesAt: now + TALLY_WINDOW_MS,
      count: 0,
      addresses: new Set(),
      told: 0,
    });
    return [...(running ? counted(running) : []), { occurrence, from }];
  }

  /** Ends the windows that are over, and answers what they have counted. */
  close(now: number): Tallied[] {
    const over = [...this.#tallies].filter(([, { closesAt }]) => closesAt <= now);
    for (const [key] of over) this.#tallies.delete(key);
    return over.flatMap(([, tally]) => counted(tally));
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

/** Counts one more, and answers what is to be told before the minute is over. */
function counting(tally: Tally, { address, about, count = 1 }: Occurrence): Tallied[] {
  const { addresses } = tally;
  const before = addresses.size;
  tally.count += count;
  if (address !== undefined && before < TALLY_ADDRESSES) addresses.add(address);
  if (about) tally.occurrence.about = about;
  return addresses.size > before && TALLY_TOLD_AT.includes(addresses.size) ? counted(tally) : [];
}

/** What has been counted and not been told, as one; from then on it has been. */
function counted(tally: Tally): Tallied[] {
  const { occurrence, from, count, addresses, told } = tally;
  if (count === 0) return [];
  const fresh = [...addresses].slice(told);
  const event: Occurrence = { ...occurrence };
  if (count > 1) event.count = count;
  if (addresses.size > 0 && (count > 1 || fresh.length === 0)) event.addresses = fresh.length;
  if (fresh.length === 1 && (count === 1 || told === 0)) [event.address] = fresh as [string];
  if (told > 0) event.about = { ...event.about, addresses_of_minute: addresses.size };
  tally.count = 0;
  tally.told = addresses.size;
  return [{ occurrence: event, from }];
}
