import type { StoredEvent } from "../event-store.ts";
import type { SecurityEvent } from "../security-event.ts";

/** What a throttle says when it refuses a password, whoever's it is (`refusal.ts`). */
const THROTTLED = ["source_throttled", "network_throttled", "pair_throttled", "address_unproven", "address_closed"];
/** Refused by a count over many addresses, so that it says nothing of how often this one was tried. */
const THROTTLED_BY_SOURCE = ["source_throttled", "network_throttled"];

/** One or more passwords that did not open anything. */
export interface PasswordTry {
  at: number;
  source?: string;
  account?: string;
  address?: string;
  outcome: "known" | "unknown" | "throttled";
  /** Refused before anybody looked, because of what others have done from there. */
  bySource: boolean;
  tries: number;
  /** Different addresses among them that were not told before in their minute, and all that the minute has told. */
  addresses: number;
  ofMinute: number;
}

/** What an event says of failed passwords, or nothing. */
export function passwordTryOf(event: SecurityEvent): PasswordTry | undefined {
  const outcome = outcomeOf(event);
  if (!outcome) return undefined;
  const { at, source, account, address, count = 1, addresses = 1, about, reason = "" } = event;
  return {
    at,
    ...(source ? { source } : {}),
    ...(account ? { account } : {}),
    ...(address ? { address } : {}),
    outcome,
    bySource: THROTTLED_BY_SOURCE.includes(reason),
    tries: count,
    addresses,
    ofMinute: Number(about?.addresses_of_minute ?? addresses),
  };
}

function outcomeOf({ kind, factor, reason = "" }: SecurityEvent): PasswordTry["outcome"] | undefined {
  if (factor !== undefined && factor !== "pwd") return undefined;
  if (kind === "excess_rate_limit_exceeded") return THROTTLED.includes(reason) ? "throttled" : undefined;
  if (kind !== "authn_login_fail") return undefined;
  if (reason === "unknown_email") return "unknown";
  return reason === "wrong_password" || reason === "account_not_active" ? "known" : undefined;
}

/** Whether it names one person: a tally of several does not, whatever address it began with. */
export function namesOne({ account, address, addresses }: PasswordTry): boolean {
  return (account !== undefined || address !== undefined) && addresses === 1;
}

/** Whether a sign-in is complete, with every factor that was asked for: whoever that is, is the owner. */
export function opensSession({ kind }: SecurityEvent): boolean {
  return kind === "authn_login_success" || kind === "authn_login_successafterfail";
}

/** Whether a second factor was wrong. */
export function isWrongFactor({ kind, factor }: SecurityEvent): boolean {
  return kind === "authn_login_fail" && factor !== undefined && factor !== "pwd" && factor !== "turnstile";
}

/** Subject of an alert about one person. */
export function personOf({ account, address }: { account?: string; address?: string }): string {
  return account ? `account:${account}` : `address:${address}`;
}

/** Enough of an account's id or of a digest to tell two apart; the beginning of an id is a time or a version. */
export function short(id: string): string {
  return id.replaceAll("-", "").slice(-10);
}

/**
 * The events of a step in the order of their times, none of them later than now: outboxes ship when they can, and clocks
 * are set back.
 */
export function inOrder(events: readonly StoredEvent[], now: number): readonly StoredEvent[] {
  const isInOrder = events.every(({ at }, index) => at <= now && (events[index - 1]?.at ?? at) <= at);
  return isInOrder
    ? events
    : events
        .map((event) => (event.at > now ? { ...event, at: now } : event))
        .sort((a, b) => a.at - b.at || a.seq - b.seq);
}

/**
 * What tells the owner's programs from other people's, as far as events can: the program and the country. The networks of
 * a phone change; program and country do not change with them.
 */
export function programOf({ agent, country }: SecurityEvent): string {
  return agent ? `${agent.slice(0, 6)}${country ?? ""}` : "";
}

/** Whether something came from where a complete sign-in came from: the same group, or the same program in the same country. */
export function isSamePlace(a: { source: string; program: string }, b: { source: string; program: string }): boolean {
  return a.source === b.source || (a.program !== "" && a.program === b.program);
}
