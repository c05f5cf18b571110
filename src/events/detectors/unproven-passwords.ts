import type { Finding } from "./detector.ts";
import type { Kept, Table } from "./kept.ts";
import {
  FAILING_SHARE_OF_GROUP,
  UNPROVEN_ACCOUNTS,
  UNPROVEN_CHALLENGES,
  UNPROVEN_GROUP_WINDOW_MS,
} from "./thresholds.ts";

/** Right passwords of one account that no second factor has followed. */
export interface UnprovenAccount extends Kept {
  left: { at: number; source: string; program: string }[];
}

/** Accounts whose right passwords came from one group of sources and nothing else, and those that have signed in from there since. */
export interface UnprovenGroup extends Kept {
  left: Record<string, number>;
  opened: Record<string, number>;
}

export interface UnprovenPasswords {
  accounts: Table<UnprovenAccount>;
  groups: Table<UnprovenGroup>;
}

/** Accounts of which somebody has the password, and groups that have the passwords of many. */
export function findingsOf({ accounts, groups }: UnprovenPasswords): Finding[] {
  return [...Object.entries(accounts).flatMap(ofAccount), ...Object.entries(groups).flatMap(ofGroup)];
}

function ofAccount([account, { left }]: [string, UnprovenAccount]): Finding[] {
  if (left.length < UNPROVEN_CHALLENGES) return [];
  const times = left.map(({ at }) => at);
  const sources = new Set(left.map(({ source }) => source)).size;
  return [findingOf(`account:${account}`, times, { addresses: 1, sources }, left.length >= 2 * UNPROVEN_CHALLENGES)];
}

function ofGroup([source, { left, opened }]: [string, UnprovenGroup]): Finding[] {
  const from = Math.max(...Object.values(left)) - UNPROVEN_GROUP_WINDOW_MS;
  const times = Object.values(left).filter((at) => at > from);
  const met = Object.values(opened).filter((at) => at > from).length;
  if (times.length < Math.max(UNPROVEN_ACCOUNTS, FAILING_SHARE_OF_GROUP * met)) return [];
  const isHigh = times.length >= 2 * UNPROVEN_ACCOUNTS;
  return [findingOf(`source:${source}`, times, { addresses: times.length, sources: 1 }, isHigh)];
}

function findingOf(
  subject: string,
  times: number[],
  of: Pick<Finding, "addresses" | "sources">,
  isHigh: boolean,
): Finding {
  const seen = { firstAt: Math.min(...times), lastAt: Math.max(...times), tries: times.length };
  return { pattern: "second_factor_unproven", subject, severity: isHigh ? "high" : "medium", ...seen, ...of };
}
