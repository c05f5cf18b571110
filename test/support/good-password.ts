import { randomInt } from "node:crypto";

/** Words whose passwords the blocklist lets pass. Of random ones it refuses one in nine thousand. */
const WORDS = ["amber", "birch", "cedar", "delta", "ember", "flint", "grove", "heron", "iris", "jade", "kelp", "larch"];

/** A password that the service accepts. */
export function goodPassword(): string {
  return `two doors ${WORDS[randomInt(WORDS.length)]} apart`;
}
