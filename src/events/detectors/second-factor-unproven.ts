import type { StoredEvent } from "../event-store.ts";
import type { Detector } from "./detector.ts";
import { Draft, newest } from "./kept.ts";
import { CHALLENGE_LEFT_MS, KEPT, UNPROVEN_GROUP_WINDOW_MS, UNPROVEN_WINDOW_MS } from "./thresholds.ts";
import { inOrder, isSamePlace, opensSession, programOf, short } from "./tries.ts";
import { findingsOf, type UnprovenAccount, type UnprovenGroup, type UnprovenPasswords } from "./unproven-passwords.ts";

/** A right password that opened a challenge. */
interface Challenge {
  account: string;
  at: number;
  source: string;
  program: string;
}

export interface Unproven extends UnprovenPasswords {
  /** Such as may still be met, the oldest first. */
  open: Challenge[];
}

/**
 * Right passwords without a second factor: wrong codes, or none at all. A challenge is left when no sign-in from the same
 * place or program follows; an owner who comes back with his phone clears those of the day.
 */
export const secondFactorUnproven: Detector<Unproven> = {
  pattern: "second_factor_unproven",
  empty: { open: [], accounts: {}, groups: {} },
  step(before, events, now) {
    const draft = draftOf(before, now);
    for (const event of inOrder(events, now)) {
      if (!event.account) continue;
      if (isChallenge(event)) draft.open.push(challengeOf(event));
      // Proof mode: the password was right, and opened nothing.
      if (event.reason === "mailbox_unproven") leave(draft, challengeOf(event));
      if (opensSession(event)) addOwner(draft, event);
    }
    const isLeft = ({ at }: Challenge) => now - at >= CHALLENGE_LEFT_MS;
    for (const challenge of draft.open.filter(isLeft)) leave(draft, challenge);
    const state = {
      open: draft.open.filter((challenge) => !isLeft(challenge)).slice(-KEPT.pendingChallenges),
      accounts: draft.accounts.close(KEPT.unprovenItems, ({ left }) => left.length + 1),
      groups: draft.groups.close(KEPT.unprovenItems, ({ left, opened }) => Object.keys({ ...left, ...opened }).length),
    };
    return { state, findings: findingsOf(state) };
  },
};

interface Drafts {
  open: Challenge[];
  accounts: Draft<UnprovenAccount>;
  groups: Draft<UnprovenGroup>;
}

function draftOf({ open, accounts, groups }: Unproven, now: number): Drafts {
  return {
    open: [...open],
    accounts: new Draft(accounts, now, UNPROVEN_WINDOW_MS),
    groups: new Draft(groups, now, UNPROVEN_GROUP_WINDOW_MS),
  };
}

function isChallenge({ kind, reason }: StoredEvent): boolean {
  return kind === "authn_token_created" && reason === "challenge";
}

function challengeOf(event: StoredEvent): Challenge {
  return { account: event.account ?? "", at: event.at, source: event.source ?? "unknown", program: programOf(event) };
}

/** Clears what the owner has left himself. */
function addOwner(draft: Drafts, event: StoredEvent): void {
  const { account = "", at, source = "unknown" } = event;
  const owner = { source, program: programOf(event) };
  const row = draft.accounts.find(account);
  if (row) {
    for (const left of row.left.filter((each) => isSamePlace(each, owner))) {
      delete draft.groups.find(left.source)?.left[short(account)];
    }
    row.left = row.left.filter((left) => !isSamePlace(left, owner));
    if (row.left.length === 0) draft.accounts.drop(account);
  }
  const group = draft.groups.find(source);
  if (group) {
    group.opened[short(account)] = at;
    group.opened = newest(group.opened, KEPT.accountsOfGroup, (time) => time);
  }
  draft.open = draft.open.filter((challenge) => challenge.account !== account || !isSamePlace(challenge, owner));
}

function leave(draft: Drafts, { account, at, source, program }: Challenge): void {
  const row = draft.accounts.open(account, { left: [] });
  const recent = row.left.filter((left) => left.at > at - UNPROVEN_WINDOW_MS);
  row.left = [...recent, { at, source, program }].slice(-KEPT.timesOfSource);
  if (source === "unknown") return;
  const group = draft.groups.open(source, { left: {}, opened: {} });
  group.left[short(account)] = at;
  group.left = newest(group.left, KEPT.addressesOfGroup, (time) => time);
}
