import { KEPT } from "./thresholds.ts";

/**
 * Source groups that somebody has signed in from, as marks of four characters side by side, in parts, and in each part in
 * the order of the last sign-in: a provider, a carrier or a tunnel is there after its first user, a rented machine is not.
 */
export type KnownGroups = string[];

const PARTS = 64;
const LENGTH = 4;

/** The groups while a step changes them; what they were made of stays as it was. */
export class Groups {
  #parts: KnownGroups;

  constructor(parts: KnownGroups) {
    this.#parts = Array.from({ length: PARTS }, (_, part) => parts[part] ?? "");
  }

  has(source: string): boolean {
    const [part, mark] = keysOf(source);
    return indexOf(this.#parts[part] ?? "", mark) >= 0;
  }

  add(source: string): void {
    const [part, mark] = keysOf(source);
    const marks = this.#parts[part] ?? "";
    const index = indexOf(marks, mark);
    const others = index < 0 ? marks : marks.slice(0, index) + marks.slice(index + LENGTH);
    this.#parts[part] = (others + mark).slice((-LENGTH * KEPT.groupsOfSignIns) / PARTS);
  }

  /** All of them: no more than fit, those that were used last. */
  close(): KnownGroups {
    return this.#parts;
  }
}

function indexOf(marks: string, mark: string): number {
  for (let index = 0; index < marks.length; index += LENGTH) if (marks.startsWith(mark, index)) return index;
  return -1;
}

/** Part and mark of a group (FNV-1a). */
function keysOf(source: string): [part: number, mark: string] {
  let hash = 0x811c9dc5;
  for (let index = 0; index < source.length; index += 1)
    hash = Math.imul(hash ^ source.charCodeAt(index), 0x01000193) >>> 0;
  const mark = Math.floor(hash / PARTS) % 36 ** LENGTH;
  return [hash % PARTS, mark.toString(36).padStart(LENGTH, "0")];
}
