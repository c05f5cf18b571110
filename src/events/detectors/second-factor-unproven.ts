import type { StoredEvent } from "../event-store.ts";
import type { Detector, Finding } from "./detector.ts";
import { Draft, type Kept, newest, type Table } from "./kept.ts";
import {
  CHALLENGE_LEFT_MS,
  FAILING_SHARE_OF_GROUP,
  KEPT,
  UNPROVEN_ACCOUNTS,
  UNPROVEN_CHALLENGES,
  UNPROVEN_GROUP_WINDOW_MS,
  UNPROVEN_WINDOW_MS,
} from "./thresholds.ts";
import { inOrder, isSamePlace, opensSession, programOf, short } from "./tries.ts";

/** A right password that opened a challenge. */
interface Challenge {
  account: string;
  at: number;
  source: string;
  program: string;
}

/** Challenges of one account that nobody has met. */
interface Account extends Kept {
  left: { at: number; source: string; program: string }[];
}

/** Accounts whose challenges were left by one group of sources, and how many have signed in from there since. */
interface Group extends Kept {
  left: Record<string, number>;
  opened: Record<string, number>;
}

export interface Unproven {
  /** Such as may still be met, the oldest first. */
  open: Challenge[];
  accounts: Table<Account>;
  groups: Table<Group>;
}

/**
 * Right passwords without a second factor: wrong codes, or none at all. A challenge is left when no sign-in from the same
 * place or program follows; an owner who comes back with his phone clears those of the day.
 */
export const secondFactorUnproven: Detector<Unproven> = {
  pattern: "second_factor_unproven",
  empty: { open: [], accounts: {}, groups: {} },
  step(before, events, now) {
    const accounts = new Draft(before.accounts, now, UNPROVEN_WINDOW_MS);
    const groups = new Draft(before.groups, now, UNPROVEN_GROUP_WINDOW_MS);
    let open = before.open;
    for (const event of inOrder(events, now)) {
      if (isChallenge(event)) open = [...open, challengeOf(event)];
      if (opensSession(event)) open = redeemed(open, accounts, groups, event);
    }
    const isLeft = ({ at }: Challenge) => now - at >= CHALLENGE_LEFT_MS;
    for (const challenge of open.filter(isLeft)) leave(accounts, groups, challenge);
    const state = {
      open: open.filter((challenge) => !isLeft(challenge)).slice(-KEPT.pendingChallenges),
      accounts: accounts.close(KEPT.factorItems / 2, ({ left }) => left.length + 1),
      groups: groups.close(KEPT.factorItems / 2, ({ left, opened }) => Object.keys({ ...left, ...opened }).length),
    };
    return { state, findings: [...accountFindings(state.accounts), ...groupFindings(state.groups)] };
  },
};

function isChallenge({ kind, reason, account }: StoredEvent): boolean {
  return kind === "authn_token_created" && reason === "challenge" && account !== undefined;
}

function challengeOf(event: StoredEvent): Challenge {
  return { account: event.account ?? "", at: event.at, source: event.source ?? "unknown", program: programOf(event) };
}

function redeemed(open: Challenge[], accounts: Draft<Account>, groups: Draft<Group>, event: StoredEvent): Challenge[] {
  const { account = "", at } = event;
  const owner = { source: event.source ?? "unknown", program: programOf(event) };
  const row = accounts.find(account);
  if (row) {
    for (const { source } of row.left.filter((left) => isSamePlace(left, owner))) {
      delete groups.find(source)?.left[short(account)];
    }
    row.left = row.left.filter((left) => !isSamePlace(left, owner));
  }
  const group = groups.find(owner.source);
  if (group) {
    group.opened[short(account)] = at;
    group.opened = newest(group.opened, KEPT.accountsOfGroup, (time) => time);
  }
  return open.filter((challenge) => challenge.account !== account || !isSamePlace(challenge, owner));
}

function leave(accounts: Draft<Account>, groups: Draft<Group>, { account, at, source, program }: Challenge): void {
  const row = accounts.open(account, { left: [] });
  const recent = row.left.filter((left) => left.at > at - UNPROVEN_WINDOW_MS);
  row.left = [...recent, { at, source, program }].slice(-KEPT.timesOfSource);
  if (source === "unknown") return;
  const group = groups.open(source, { left: {}, opened: {} });
  group.left[short(account)] = at;
  group.left = newest(group.left, KEPT.addressesOfGroup, (time) => time);
}

function accountFindings(accounts: Table<Account>): Finding[] {
  return Object.entries(accounts).flatMap(([account, { left }]) => {
    if (left.length < UNPROVEN_CHALLENGES) return [];
    const times = left.map(({ at }) => at);
    const sources = new Set(left.map(({ source }) => source)).size;
    return [findingOf(`account:${account}`, times, { addresses: 1, sources }, left.length >= 2 * UNPROVEN_CHALLENGES)];
  });
}

function groupFindings(groups: Table<Group>): Finding[] {
  return Object.entries(groups).flatMap(([source, { left, opened }]) => {
    const from = Math.max(...Object.values(left)) - UNPROVEN_GROUP_WINDOW_MS;
    const times = Object.values(left).filter((at) => at > from);
    const met = Object.values(opened).filter((at) => at > from).length;
    if (times.length < Math.max(UNPROVEN_ACCOUNTS, FAILING_SHARE_OF_GROUP * met)) return [];
    const isHigh = times.length >= 2 * UNPROVEN_ACCOUNTS;
    return [findingOf(`source:${source}`, times, { addresses: times.length, sources: 1 }, isHigh)];
  });
}

function findingOf(
  subject: string,
  times: number[],
  of: { addresses: number; sources: number },
  isHigh: boolean,
): Finding {
  const severity = isHigh ? "high" : "medium";
  const seen = { firstAt: Math.min(...times), lastAt: Math.max(...times), tries: times.length };
  return { pattern: "second_factor_unproven", subject, severity, ...seen, ...of };
}
