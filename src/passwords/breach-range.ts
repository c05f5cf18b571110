import { BREACH_PREFIX_DIGITS } from "../policy.ts";

/** Where a password would stand among those of known breaches: the range that is asked for, and the line in it. */
export interface BreachPlace {
  /** The first digits of its SHA-1, upper case: all that leaves. Hundreds of other passwords share them. */
  prefix: string;
  /** The other digits, which are looked for here. */
  suffix: string;
}

/** What a range says of a password. `unreadable`: it is no range at all. */
export type RangeVerdict = "breached" | "clean" | "unreadable";

/** The place of a password, in its normal form and as UTF-8. SHA-1 since ranges are made of it; it protects nothing. */
export async function breachPlaceOf(password: string): Promise<BreachPlace> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(password)));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const digits = hex.toUpperCase();
  return { prefix: digits.slice(0, BREACH_PREFIX_DIGITS), suffix: digits.slice(BREACH_PREFIX_DIGITS) };
}

/** One password of a range: the other 35 digits of its SHA-1, and how often it was seen. */
const LINE = /^([0-9A-F]{35}):(\d{1,15})$/i;

/**
 * Looks for a suffix in a range, lines of `SUFFIX:COUNT`. A count of 0 is padding, which hides from the network which
 * range was asked for, and counts as not there.
 */
export function lookUp(suffix: string, range: string): RangeVerdict {
  const lines = range.split(/\r?\n/).filter((line) => line !== "");
  const entries = lines.map((line) => LINE.exec(line));
  const isBreached = entries.some((entry) => entry?.[1]?.toUpperCase() === suffix && Number(entry[2]) > 0);
  if (isBreached) return "breached";
  return entries.every((entry) => entry !== null) ? "clean" : "unreadable";
}
