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
 * Habits of the accounts that have signed in last, as texts that begin with the account, in parts, and in each part in the
 * order of arrival: thousands have to fit into a row, and a step copies only the parts it touches.
 */
export type Familiar = string[][];

const MINUTE = 60_000;
const PARTS = 128;
const REMEMBERED = 3;
const COUNTED = 16;

/** The habits of accounts while a step changes them; what it was made of stays as it was. */
export class Habitual {
  #parts: Familiar;
  #accounts: number;

  constructor(parts: Familiar) {
    this.#parts = parts.length === PARTS ? [...parts] : Array.from({ length: PARTS }, (_, part) => parts[part] ?? []);
    this.#accounts = this.#parts.reduce((sum, part) => sum + part.length, 0);
  }

  of(account: string): Habits | undefined {
    const [part, key] = keysOf(account);
    const text = this.#parts[part]?.find((each) => each.startsWith(key));
    return text === undefined ? undefined : read(text);
  }

  /** A complete sign-in, or with `counts` 0 only a program of it. One that comes late does not change which place was the last. */
  add(account: string, at: number, place: string, program: string, counts = 1): void {
    const [number, key] = keysOf(account);
    const part = this.#parts[number] ?? [];
    const known = part.find((each) => each.startsWith(key));
    const before = known === undefined ? { at: 0, signIns: 0, places: [], programs: [] } : read(known);
    const places = before.places.filter((other) => other !== place);
    const isLate = at < before.at;
    const after = written(key, {
      at: Math.max(at, before.at),
      signIns: Math.min(before.signIns + counts, COUNTED),
      places: (isLate ? [...places.slice(0, 1), place, ...places.slice(1)] : [place, ...places]).slice(0, REMEMBERED),
      programs: [program, ...before.programs.filter((other) => other !== program)].slice(0, REMEMBERED),
    });
    this.#parts[number] = [...part.filter((each) => each !== known), after];
    if (known === undefined) this.#accounts += 1;
    while (this.#accounts > KEPT.familiarAccounts) this.#forgetOne();
  }

  /** Of the fullest part the account that has not signed in for the longest time: parts are never equally full. */
  #forgetOne(): void {
    let fullest = 0;
    for (let part = 1; part < PARTS; part += 1) if (this.#sizeOf(part) > this.#sizeOf(fullest)) fullest = part;
    this.#parts[fullest] = (this.#parts[fullest] ?? []).slice(1);
    this.#accounts -= 1;
  }

  #sizeOf(part: number): number {
    return this.#parts[part]?.length ?? 0;
  }

  /** All of it: no more accounts than a row has room for, those that have signed in last. */
  close(): Familiar {
    return this.#parts;
  }
}

/** Part and key of an account. */
function keysOf(account: string): [part: number, key: string] {
  const id = short(account);
  let sum = 0;
  for (let index = 0; index < id.length; index += 1) sum = (sum * 31 + id.charCodeAt(index)) % 65_536;
  return [sum % PARTS, `${id.slice(-6)},`];
}

function written(key: string, { at, signIns, places, programs }: Habits): string {
  return key + [Math.floor(at / MINUTE).toString(36), signIns, places.join("."), programs.join(".")].join(",");
}

function read(text: string): Habits {
  const [, at = "0", signIns = "0", places = "", programs = ""] = text.split(",");
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
