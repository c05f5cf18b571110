import type { StoredEvent } from "../event-store.ts";
import type { SecurityEvent } from "../security-event.ts";
import type { Detector, Finding } from "./detector.ts";
import {
  KEPT,
  SLOW_ACCOUNTS_MIN,
  SLOW_REDEEMED_MS,
  SLOW_SHARE_WITHOUT_HISTORY,
  SLOW_TIMES_USUAL,
  SLOW_TRIES_EACH,
  SLOW_WINDOW_MS,
  USUAL_DAYS,
  USUAL_RISE_MAX,
} from "./thresholds.ts";
import { inOrder, namesOne, opensSession, passwordTryOf, short } from "./tries.ts";

const HOUR = 3_600_000;

type Sprayed = [firstAt: number, lastAt: number, tries: number, source: string];

/** A day of failed sign-ins, and how the days before were. */
export interface SlowSpraying {
  /** By account: the first try, the last one, how many, and the source group of the last. A day after the first it is forgotten. */
  accounts: Record<string, Sprayed>;
  /** One account of so many (a power of two) is looked at; the others would not fit. */
  oneOf: number;
  /** By hour: sessions opened. */
  opened: Record<string, number>;
  /** By hour: what the day up to it came to. */
  days: Record<string, number>;
  /** Of the last step. */
  hour: number;
}

/** Few passwords on many accounts, over a day, from anywhere: seen in how many accounts fail once or twice and are left alone. */
export const slowPasswordSpraying: Detector<SlowSpraying> = {
  pattern: "slow_password_spraying",
  empty: { accounts: {}, oneOf: 1, opened: {}, days: {}, hour: 0 },
  step(before, events, now) {
    const hour = Math.floor(now / HOUR);
    const state = bounded(withEvents(before.hour === hour ? before : withoutPast(before, now), events, now));
    const sprayed = sprayedOf(state, now);
    const count = sprayed.length * state.oneOf;
    const usual = usualOf(state, hour);
    if (!(hour in state.days)) state.days = withDay(state.days, hour, Math.min(count, usual * USUAL_RISE_MAX + 1));
    const isSpraying = count >= Math.max(SLOW_ACCOUNTS_MIN, SLOW_TIMES_USUAL * usual);
    return { state, findings: isSpraying ? [findingOf(sprayed, state.oneOf, usual)] : [] };
  },
};

function sprayedOf({ accounts }: SlowSpraying, now: number): Sprayed[] {
  const sprayed: Sprayed[] = [];
  for (const key in accounts) {
    const account = accounts[key] as Sprayed;
    if (account[0] > now - SLOW_WINDOW_MS && account[2] <= SLOW_TRIES_EACH) sprayed.push(account);
  }
  return sprayed;
}

/** Once an hour, and when a clock has been set. */
function withoutPast(state: SlowSpraying, now: number): SlowSpraying {
  const hour = Math.floor(now / HOUR);
  const isOfDay = (past: number) => past > hour - 24 && past <= hour;
  return {
    ...state,
    hour,
    accounts: Object.fromEntries(
      Object.entries(state.accounts).filter(([, [firstAt]]) => firstAt > now - SLOW_WINDOW_MS && firstAt <= now),
    ),
    opened: Object.fromEntries(Object.entries(state.opened).filter(([past]) => isOfDay(Number(past)))),
  };
}

function withEvents(before: SlowSpraying, events: readonly StoredEvent[], now: number): SlowSpraying {
  if (events.length === 0) return { ...before };
  // Most minutes have nobody's failures: thousands of accounts are copied only when one of them changes.
  let accounts = before.accounts;
  const changed = () => {
    accounts = accounts === before.accounts ? { ...accounts } : accounts;
    return accounts;
  };
  const opened = { ...before.opened };
  for (const event of inOrder(events, now)) {
    if (opensSession(event)) {
      const hour = Math.floor(event.at / HOUR);
      opened[hour] = (opened[hour] ?? 0) + 1;
      if (isRedeemed(accounts, event)) delete changed()[short(event.account ?? "")];
    }
    const tried = passwordTryOf(event);
    // Throttles of a person speak after more tries than a slow attack makes.
    const counts = tried && namesOne(tried) && (tried.outcome === "known" || tried.bySource);
    if (!counts || tried.at <= now - SLOW_WINDOW_MS) continue;
    const key = short(tried.account ?? tried.address ?? "");
    if (!isSampled(key, before.oneOf)) continue;
    const known = accounts[key];
    const [firstAt, , tries] = known && known[0] > now - SLOW_WINDOW_MS ? known : [tried.at, tried.at, 0];
    changed()[key] = [firstAt, tried.at, tries + tried.tries, (tried.source ?? "").slice(0, 24)];
  }
  return { ...before, accounts, opened };
}

/** Whoever gets in from where it failed was the owner; from elsewhere only if it is so soon that it is hardly chance. */
function isRedeemed(accounts: SlowSpraying["accounts"], { account, source = "", at }: SecurityEvent): boolean {
  const [, lastAt, , from] = accounts[short(account ?? "")] ?? [];
  if (lastAt === undefined || at < lastAt) return false;
  return from === source.slice(0, 24) || at - lastAt <= SLOW_REDEEMED_MS;
}

/** More accounts than fit are sampled: every second one, every fourth, until a quiet day makes room for all again. */
function bounded(state: SlowSpraying): SlowSpraying {
  let { accounts, oneOf } = state;
  let size = Object.keys(accounts).length;
  while (size > KEPT.slowAccounts) {
    oneOf *= 2;
    const half = oneOf;
    accounts = Object.fromEntries(Object.entries(accounts).filter(([key]) => isSampled(key, half)));
    size = Object.keys(accounts).length;
  }
  if (size === 0) oneOf = 1;
  return { ...state, accounts, oneOf };
}

/** Ids and digests end in random hexadecimal digits. */
function isSampled(key: string, oneOf: number): boolean {
  return (Number.parseInt(key.slice(-6), 16) || 0) % oneOf === 0;
}

/** What a day comes to at this hour: the mean of the days before, or a guess from how many sign in. */
function usualOf({ days, opened }: SlowSpraying, hour: number): number {
  const before = Array.from({ length: USUAL_DAYS.most }, (_, day) => days[hour - 24 * (day + 1)]);
  const known = before.filter((count) => count !== undefined);
  if (known.length >= USUAL_DAYS.fewest) return known.reduce((sum, count) => sum + count, 0) / known.length;
  return Object.values(opened).reduce((sum, count) => sum + count, 0) * SLOW_SHARE_WITHOUT_HISTORY;
}

function withDay(days: SlowSpraying["days"], hour: number, count: number): SlowSpraying["days"] {
  const oldest = hour - 24 * USUAL_DAYS.most;
  const kept = Object.entries(days).filter(([past]) => Number(past) >= oldest && Number(past) <= hour);
  return { ...Object.fromEntries(kept), [hour]: Math.round(count) };
}

function findingOf(sprayed: Sprayed[], oneOf: number, usual: number): Finding {
  const count = sprayed.length * oneOf;
  const isHigh = count >= 2 * Math.max(SLOW_ACCOUNTS_MIN, SLOW_TIMES_USUAL * usual);
  return {
    pattern: "slow_password_spraying",
    subject: "service",
    severity: isHigh ? "high" : "medium",
    firstAt: Math.min(...sprayed.map(([firstAt]) => firstAt)),
    lastAt: Math.max(...sprayed.map(([, lastAt]) => lastAt)),
    tries: sprayed.reduce((sum, [, , tries]) => sum + tries, 0) * oneOf,
    addresses: count,
    sources: new Set(sprayed.map(([, , , source]) => source)).size,
  };
}
