import type { StoredEvent } from "../event-store.ts";
import type { SecurityEvent } from "../security-event.ts";
import type { Detector, Finding } from "./detector.ts";
import { Draft, type Kept, newest, type Table } from "./kept.ts";
import { FAILING_SHARE_OF_GROUP, KEPT, RESET_WINDOW_MS, RESETS_FROM_GROUP, RESETS_OF_ADDRESS } from "./thresholds.ts";
import { inOrder, opensSession, personOf, short } from "./tries.ts";

/** Somebody whose mailbox is asked to be written to. */
interface Mailbox extends Kept {
  account?: string;
  address?: string;
  asked: [at: number, times: number][];
  sources: Record<string, number>;
}

/** A group of sources that asks for mails. */
interface Group extends Kept {
  /** By address, those that have not been signed in to from there since. */
  asked: Record<string, number>;
  tallies: [at: number, addresses: number][];
  opened: Record<string, number>;
}

export interface Resets {
  mailboxes: Table<Mailbox>;
  groups: Table<Group>;
}

/** Mails that nobody uses: one mailbox is flooded, or one source walks through a list. Those that a throttle kept back count too. */
export const resetFlooding: Detector<Resets> = {
  pattern: "reset_flooding",
  empty: { mailboxes: {}, groups: {} },
  step(before, events, now) {
    const mailboxes = new Draft(before.mailboxes, now, RESET_WINDOW_MS);
    const groups = new Draft(before.groups, now, RESET_WINDOW_MS);
    for (const event of inOrder(events, now)) {
      if (isRequest(event)) {
        addToMailbox(mailboxes, event);
        addToGroup(groups, event);
      }
      if (event.account && isUse(event)) addUse(mailboxes, groups, event);
    }
    const state = {
      mailboxes: mailboxes.close(
        KEPT.resetItems,
        ({ asked, sources }) => asked.length + Object.keys(sources).length + 1,
      ),
      groups: groups.close(
        KEPT.resetItems,
        ({ asked, tallies, opened }) => Object.keys({ ...asked, ...opened }).length + tallies.length,
      ),
    };
    return { state, findings: [...mailboxFindings(state.mailboxes), ...groupFindings(state.groups)] };
  },
};

function isRequest({ kind, reason }: SecurityEvent): boolean {
  return (
    (kind === "authn_token_created" && reason === "reset_link") ||
    (kind === "excess_rate_limit_exceeded" && reason === "mails_throttled")
  );
}

/** A sign-in, or the new password itself: the mail was wanted. */
function isUse(event: SecurityEvent): boolean {
  return opensSession(event) || event.kind === "authn_password_change";
}

function addToMailbox(mailboxes: Draft<Mailbox>, event: SecurityEvent): void {
  const { account, address, at, source = "unknown", count = 1, addresses = 1 } = event;
  if (addresses > 1 || !(account || address)) return;
  const row = mailboxes.open(short(address ?? account ?? ""), { asked: [], sources: {} });
  if (account) row.account = account;
  if (address) row.address = address;
  const recent = row.asked.filter(([time]) => time > at - RESET_WINDOW_MS);
  row.asked = [...recent, [at, count] as [number, number]].slice(-KEPT.timesOfSource);
  row.sources[source] = at;
  row.sources = newest(row.sources, KEPT.sourcesOfAccount, (time) => time);
}

function addToGroup(groups: Draft<Group>, { account, address, at, source, addresses = 1 }: SecurityEvent): void {
  if (!source || source === "unknown") return;
  const group = groups.open(source, { asked: {}, tallies: [], opened: {} });
  if (addresses > 1 || !(account || address)) {
    group.tallies = [...group.tallies, [at, addresses] as [number, number]].slice(-KEPT.talliesOfGroup);
    return;
  }
  group.asked[short(account ?? address ?? "")] = at;
  group.asked = newest(group.asked, KEPT.addressesOfGroup, (time) => time);
}

function addUse(
  mailboxes: Draft<Mailbox>,
  groups: Draft<Group>,
  { account = "", address, source = "", at }: StoredEvent,
): void {
  const mailbox = mailboxes.find(short(address ?? account));
  // Only what was asked for from there: an owner who signs in while others flood his mailbox does not end the flood.
  if (mailbox && source in mailbox.sources && Object.keys(mailbox.sources).length <= 2)
    mailboxes.drop(short(address ?? account));
  const group = groups.find(source);
  if (!group) return;
  delete group.asked[short(account)];
  group.opened[short(account)] = at;
  group.opened = newest(group.opened, KEPT.accountsOfGroup, (time) => time);
}

function mailboxFindings(mailboxes: Table<Mailbox>): Finding[] {
  return Object.values(mailboxes).flatMap((mailbox) => {
    const tries = mailbox.asked.reduce((sum, [, times]) => sum + times, 0);
    if (tries < RESETS_OF_ADDRESS) return [];
    const times = mailbox.asked.map(([at]) => at);
    const of = { tries, addresses: 1, sources: Object.keys(mailbox.sources).length };
    return [findingOf(personOf(mailbox), times, of, tries >= 3 * RESETS_OF_ADDRESS)];
  });
}

function groupFindings(groups: Table<Group>): Finding[] {
  return Object.entries(groups).flatMap(([source, { asked, tallies, opened }]) => {
    const newestAt = Math.max(...Object.values(asked), ...tallies.map(([at]) => at));
    const from = newestAt - RESET_WINDOW_MS;
    const times = [...Object.values(asked), ...tallies.map(([at]) => at)].filter((at) => at > from);
    const named = Object.values(asked).filter((at) => at > from).length;
    const tallied = tallies.filter(([at]) => at > from).reduce((sum, [, addresses]) => sum + addresses, 0);
    const signedIn = Object.values(opened).filter((at) => at > from).length;
    const addresses = named + tallied;
    if (addresses < Math.max(RESETS_FROM_GROUP, FAILING_SHARE_OF_GROUP * signedIn)) return [];
    const of = { tries: addresses, addresses, sources: 1 };
    return [findingOf(`source:${source}`, times, of, addresses >= 4 * RESETS_FROM_GROUP)];
  });
}

function findingOf(
  subject: string,
  times: number[],
  of: Pick<Finding, "tries" | "addresses" | "sources">,
  isHigh: boolean,
): Finding {
  const severity = isHigh ? "high" : "medium";
  return {
    pattern: "reset_flooding",
    subject,
    severity,
    firstAt: Math.min(...times),
    lastAt: Math.max(...times),
    ...of,
  };
}
