import { randomInt } from "node:crypto";

/** Words whose passwords the blocklist lets pass. Of random ones it refuses one in nine thousand. */
const WORDS = ["amber", "birch", "cedar", "delta", "ember", "flint", "grove", "heron", "iris", "jade", "kelp", "larch"];
const PAIRS = WORDS.flatMap((first) => WORDS.map((second) => `${first} ${second}`));

let made = randomInt(PAIRS.length);

/** A password that the service accepts, and another one each time: a test may count on two people's being different. */
export function goodPassword(): string {
  made += 1;
  return `two doors ${PAIRS[made % PAIRS.length]} apart`;
}
