import { USER_AGENT_MAX } from "../policy.ts";
import { quoted, utc } from "./layout.ts";

/** When something happened (epoch milliseconds) and, as far as that is known, where and from what. */
export interface Occasion {
  at: number;
  /** What the client called itself; empty where no client asked. */
  userAgent: string;
  /** The client's network, such as 192.0.2.0/24: never its address. */
  network?: string | undefined;
  /** Country, region and city, as the platform guesses them. */
  place?: string | undefined;
}

/** A place has three names at most, none of them longer than a line. */
const PLACE_MAX = 128;

/** What a person needs to know it again: the time, the place, the network and the program. */
export function sentenceOf({ at, userAgent, network, place }: Occasion): string {
  const where = [
    place ? `in or near ${quoted(place, PLACE_MAX)}` : "",
    network ? `from the network ${network}` : "",
    userAgent ? `from a program that calls itself ${quoted(userAgent, USER_AGENT_MAX)}` : "",
  ];
  return `This happened at ${[utc(at), ...where].filter((part) => part !== "").join(", ")}.`;
}
