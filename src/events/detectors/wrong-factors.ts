import type { StoredEvent } from "../event-store.ts";
import type { SecurityEvent } from "../security-event.ts";
import type { Finding, Pattern } from "./detector.ts";
import { Draft, type Kept, newest, type Table } from "./kept.ts";
import { KEPT } from "./thresholds.ts";
import { inOrder, isSamePlace, opensSession, programOf } from "./tries.ts";

/** What is kept of an account whose second factor fails: by source group, when, and the program of the last one. */
interface Guessed extends Kept {
  sources: Record<string, { at: number[]; program: string; isSpent?: true }>;
}

export interface WrongFactors {
  accounts: Table<Guessed>;
}

/** Which wrong factors count, for how long, and from how many on they are a finding. */
export interface Rule {
  pattern: Pattern;
  counts: (event: SecurityEvent) => boolean;
  /** Whether an event says that so many were wrong that the service has put a stop to it. */
  isSpent: (event: SecurityEvent) => boolean;
  windowMs: number;
  tries: number;
}

/** Wrong factors after the events of a step. A complete sign-in takes those back that came from the same place or program. */
export function withWrongFactors(
  state: WrongFactors,
  events: readonly StoredEvent[],
  now: number,
  rule: Rule,
): WrongFactors {
  const accounts = new Draft(state.accounts, now, rule.windowMs);
  for (const event of inOrder(events, now)) {
    const { account, source = "unknown", at } = event;
    if (!account) continue;
    const program = programOf(event);
    if (opensSession(event)) redeem(accounts, account, { source, program });
    const [counts, isSpent] = [rule.counts(event), rule.isSpent(event)];
    if (!counts && !isSpent) continue;
    const row = accounts.open(account, { sources: {} });
    const before = row.sources[source];
    const moments = [...(before?.at ?? []).filter((time) => time > at - rule.windowMs), at];
    row.sources[source] = {
      ...before,
      at: moments.slice(-KEPT.timesOfSource),
      program,
      ...(isSpent ? { isSpent } : {}),
    };
    row.sources = newest(row.sources, KEPT.sourcesOfAccount, ({ at: all }) => all.at(-1) ?? 0);
  }
  const itemsOf = ({ sources }: Guessed) => Object.values(sources).reduce((sum, { at }) => sum + 3 + at.length, 2);
  return { accounts: accounts.close(KEPT.factorItems, itemsOf) };
}

function redeem(accounts: Draft<Guessed>, account: string, owner: { source: string; program: string }): void {
  const row = accounts.find(account);
  if (!row) return;
  for (const [source, { program }] of Object.entries(row.sources)) {
    if (isSamePlace({ source, program }, owner)) delete row.sources[source];
  }
  if (Object.keys(row.sources).length === 0) accounts.drop(account);
}

/** The accounts that somebody is guessing at. */
export function guessedAt({ accounts }: WrongFactors, { pattern, windowMs, tries: limit }: Rule): Finding[] {
  return Object.entries(accounts).flatMap(([account, { sources }]) => {
    const lastAt = Math.max(...Object.values(sources).flatMap(({ at }) => at));
    const recent = Object.values(sources)
      .map((row) => ({ ...row, at: row.at.filter((at) => at > lastAt - windowMs) }))
      .filter(({ at }) => at.length > 0);
    const times = recent.flatMap(({ at }) => at);
    const isSpent = recent.some((row) => row.isSpent);
    if (times.length < limit && !isSpent) return [];
    const severity = isSpent || times.length >= 2 * limit ? ("high" as const) : ("medium" as const);
    const seen = { firstAt: Math.min(...times), lastAt, tries: times.length, addresses: 1, sources: recent.length };
    return [{ pattern, subject: `account:${account}`, severity, ...seen }];
  });
}
