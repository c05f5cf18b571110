import type { StoredEvent } from "../event-store.ts";
import type { Finding, Pattern } from "./detector.ts";
import { Draft, type Kept, newest, type Table } from "./kept.ts";
import { KEPT, SOURCE_TRIES_WINDOW_MS, SPRAYED_TRIES_EACH } from "./thresholds.ts";
import { inOrder, namesOne, opensSession, type PasswordTry, passwordTryOf, short } from "./tries.ts";

/** One address that fails from a group. */
interface Failing {
  /** Its last tries. */
  at: number[];
  account?: string;
  unknown?: 1;
  /** Such as are counted by windows: the first of a window is named, the others are in a tally. */
  tallied?: 1;
}

/** Tries that came without their addresses. */
interface Tally {
  at: number;
  tries: number;
  addresses: number;
  /** With those that its minute had told before, if there are any. */
  ofMinute?: number;
  unknown: 0 | 1;
}

/** What is kept of one group of sources. */
export interface Group extends Kept {
  failing: Record<string, Failing>;
  tallies: Tally[];
  /** Who has signed in from there since the group is watched, and when last. */
  opened: Record<string, number>;
}

/** Source groups from which passwords fail. */
export interface SourceTries {
  groups: Table<Group>;
}

/** What a group looks like now. `unknownShare` is NaN as long as no try's outcome is known. */
export interface Measure {
  /** Addresses that fail with few tries each, and have not been signed in to from there since. */
  addresses: number;
  tries: number;
  sample: number;
  unknownShare: number;
  /** Accounts that have signed in from there. */
  opened: number;
  firstAt: number;
  lastAt: number;
}

const EMPTY: Omit<Group, "seen"> = { failing: {}, tallies: [], opened: {} };

/** The groups after the events of a step. */
export function withSourceTries(state: SourceTries, events: readonly StoredEvent[], now: number): SourceTries {
  const groups = new Draft(state.groups, now, SOURCE_TRIES_WINDOW_MS);
  for (const event of inOrder(events, now)) {
    if (opensSession(event)) addOpened(groups, event);
    const tried = passwordTryOf(event);
    if (tried?.source && tried.source !== "unknown") addTry(groups.open(tried.source, EMPTY), tried);
  }
  const itemsOf = ({ failing, tallies, opened }: Group) =>
    Object.keys(failing).length * 2 + tallies.length + Object.keys(opened).length / 2;
  return { groups: groups.close(KEPT.sourceItems, itemsOf) };
}

function addOpened(groups: Draft<Group>, { source = "", account, at }: StoredEvent): void {
  const group = account && groups.find(source);
  if (!group) return;
  group.opened[short(account)] = at;
  group.opened = newest(group.opened, KEPT.accountsOfGroup, (time) => time);
}

function addTry(group: Group, tried: PasswordTry): void {
  const { at, account, address, tries, addresses, ofMinute, outcome } = tried;
  const unknown = outcome === "unknown";
  if (!namesOne(tried)) {
    const tally: Tally = { at, tries, addresses, unknown: unknown ? 1 : 0 };
    if (ofMinute > addresses) tally.ofMinute = ofMinute;
    group.tallies = [...group.tallies, tally].slice(-KEPT.talliesOfGroup);
    return;
  }
  const key = short(address ?? account ?? "");
  const before = group.failing[key];
  const times = Array(Math.min(tries, SPRAYED_TRIES_EACH + 1)).fill(at);
  group.failing[key] = {
    ...before,
    at: [...(before?.at ?? []), ...times].slice(-KEPT.timesOfAddress),
    ...(account ? { account: short(account) } : {}),
    ...(unknown ? { unknown: 1 } : {}),
    ...(outcome === "known" ? {} : { tallied: 1 }),
  };
  group.failing = newest(group.failing, KEPT.addressesOfGroup, ({ at: all }) => all.at(-1) ?? 0);
}

/**
 * A group in its last ten minutes, counted from its newest try, so that events that arrive late are measured like others.
 * A tally says how many addresses it stands for, and not whether they are those of the minute before: how often the named
 * ones (the first of each window) repeat says how many there are to draw from.
 */
export function measureOf(group: Group): Measure {
  const newestAt = Math.max(
    ...Object.values(group.failing).flatMap(({ at }) => at),
    ...group.tallies.map(({ at }) => at),
  );
  const from = newestAt - SOURCE_TRIES_WINDOW_MS;
  const recent = Object.values(group.failing)
    .map((failing) => ({ ...failing, at: failing.at.filter((at) => at > from) }))
    .filter(({ at }) => at.length > 0);
  const firsts = recent.filter(({ tallied }) => tallied);
  const firstTries = firsts.reduce((sum, { at }) => sum + at.length, 0);
  const tallies = group.tallies.filter(({ at }) => at > from);
  const distinct = distinctShare(tallies, firsts.length, firstTries);
  const victims = recent.filter((failing) => failing.at.length <= SPRAYED_TRIES_EACH && !isRedeemed(group, failing));
  const sprayed = tallies.filter(({ tries, addresses }) => tries <= addresses * SPRAYED_TRIES_EACH);
  const unknown = recent.filter((failing) => failing.unknown).length + distinct * sum(tallies.filter((t) => t.unknown));
  const known = recent.filter((failing) => !failing.unknown && !failing.tallied).length;
  const times = [...recent.flatMap(({ at }) => at), ...tallies.map(({ at }) => at)];
  return {
    addresses: Math.floor(victims.length + distinct * sum(sprayed)),
    tries: recent.reduce((all, { at }) => all + at.length, 0) + tallies.reduce((all, { tries }) => all + tries, 0),
    sample: unknown + known,
    unknownShare: unknown / (unknown + known),
    opened: Object.values(group.opened).filter((at) => at > from).length,
    firstAt: Math.min(...times),
    lastAt: newestAt,
  };
}

/**
 * The share of tallied addresses that are different ones: as many as would let `tries` draws show `different` ones, and no
 * fewer than the largest minute has.
 */
function distinctShare(tallies: Tally[], different: number, tries: number): number {
  const all = sum(tallies);
  if (all === 0 || different >= tries) return 1;
  let [few, many] = [different, different * tries];
  for (let halving = 0; halving < 20; halving += 1) {
    const middle = (few + many) / 2;
    if (middle * (1 - (1 - 1 / middle) ** tries) < different) few = middle;
    else many = middle;
  }
  return Math.min(1, Math.max(few, ...tallies.map(({ addresses, ofMinute = addresses }) => ofMinute)) / all);
}

function sum(tallies: Tally[]): number {
  return tallies.reduce((all, { addresses }) => all + addresses, 0);
}

/** Somebody who fails and then gets in from the same place is no victim. */
function isRedeemed({ opened }: Group, { account, at }: Failing): boolean {
  return account !== undefined && (opened[account] ?? Number.NEGATIVE_INFINITY) >= (at.at(-1) ?? 0);
}

/** What there is to say of the groups that a rule holds for. */
export function findingsOf(
  pattern: Pattern,
  { groups }: SourceTries,
  holds: (measure: Measure) => boolean,
  severityOf: (measure: Measure) => Finding["severity"],
): Finding[] {
  return Object.entries(groups).flatMap(([source, group]) => {
    const measure = measureOf(group);
    if (!holds(measure)) return [];
    const { tries, addresses, firstAt, lastAt } = measure;
    const subject = `source:${source}`;
    return [{ pattern, subject, severity: severityOf(measure), firstAt, lastAt, tries, addresses, sources: 1 }];
  });
}
