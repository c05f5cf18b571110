import { KEPT } from "./thresholds.ts";
import { short } from "./tries.ts";

/** What an account's last complete sign-ins were like. */
export interface Habits {
  /** Epoch milliseconds of the last one, to the minute. */
  at: number;
  /** How many were seen, up to {@link COUNTED}. */
  signIns: number;
  /** Where they came from, and with which programs, the latest first. What a place is, is its reader's business. */
  places: string[];
  programs: string[];
}

/**
 * Habits of the accounts that have signed in last, as texts, in parts and by the account: thousands have to fit into
 * a row, and a step copies only the parts it touches.
 */
export type Familiar = Record<string, string>[];

const MINUTE = 60_000;
const PARTS = 128;
const REMEMBERED = 3;
const COUNTED = 9;

/** The habits of accounts while a step changes them; what it was made of stays as it was. */
export class Habitual {
  #parts: Familiar;
  #own = new Set<number>();

  constructor(parts: Familiar) {
    this.#parts = Array.from({ length: PARTS }, (_, number) => parts[number] ?? {});
  }

  of(account: string): Habits | undefined {
    const [part, key] = keysOf(account);
    const text = this.#parts[part]?.[key];
    return text === undefined ? undefined : read(text);
  }

  /** A complete sign-in. One that comes late does not change which place was the last. */
  add(account: string, at: number, place: string, program: string): void {
    const [number, key] = keysOf(account);
    const part = this.#own.has(number) ? (this.#parts[number] ?? {}) : { ...this.#parts[number] };
    this.#own.add(number);
    this.#parts[number] = part;
    const before = part[key] === undefined ? { at: 0, signIns: 0, places: [], programs: [] } : read(part[key]);
    const places = before.places.filter((other) => other !== place);
    const isLate = at < before.at;
    part[key] = written({
      at: Math.max(at, before.at),
      signIns: Math.min(before.signIns + 1, COUNTED),
      places: (isLate ? [...places.slice(0, 1), place, ...places.slice(1)] : [place, ...places]).slice(0, REMEMBERED),
      programs: [program, ...before.programs.filter((other) => other !== program)].slice(0, REMEMBERED),
    });
  }

  /** All of it, no more accounts than a row has room for: those that have signed in last. */
  close(): Familiar {
    const limit = Math.floor(KEPT.familiarAccounts / PARTS);
    for (const number of this.#own) this.#parts[number] = latest(this.#parts[number] ?? {}, limit);
    return this.#parts;
  }
}

function latest(part: Record<string, string>, limit: number): Record<string, string> {
  const entries = Object.entries(part);
  if (entries.length <= limit) return part;
  const minuteOf = (text: string) => Number.parseInt(text, 36);
  entries.sort(([a, x], [b, y]) => minuteOf(y) - minuteOf(x) || (a < b ? -1 : 1));
  return Object.fromEntries(entries.slice(0, limit));
}

/** Part and key of an account. */
function keysOf(account: string): [part: number, key: string] {
  const id = short(account);
  let sum = 0;
  for (let index = 0; index < id.length; index += 1) sum = (sum * 31 + id.charCodeAt(index)) % 65_536;
  return [sum % PARTS, id.slice(-6)];
}

function written({ at, signIns, places, programs }: Habits): string {
  return [Math.floor(at / MINUTE).toString(36), signIns, places.join("."), programs.join(".")].join(",");
}

function read(text: string): Habits {
  const [at = "0", signIns = "0", places = "", programs = ""] = text.split(",");
  return {
    at: Number.parseInt(at, 36) * MINUTE,
    signIns: Number(signIns),
    places: places.split("."),
    programs: programs.split("."),
  };
}

/** Three characters that stand for a longer name. */
export function mark(name: string): string {
  let hash = 0;
  for (let index = 0; index < name.length; index += 1) hash = (Math.imul(hash, 31) + name.charCodeAt(index)) >>> 0;
  return (hash % 36 ** 3).toString(36);
}
