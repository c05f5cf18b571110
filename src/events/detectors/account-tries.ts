import type { StoredEvent } from "../event-store.ts";
import { Draft, type Kept, newest, type Table } from "./kept.ts";
import { KEPT } from "./thresholds.ts";
import { inOrder, namesOne, opensSession, type PasswordTry, passwordTryOf, short } from "./tries.ts";

/** What is kept of one person whose passwords fail. */
export interface Person extends Kept {
  /** Id of the account, once a try has shown that there is one: throttled tries name an address that may be nobody's. */
  account?: string;
  /** By source group: the moments of tries there, with how many. */
  sources: Record<string, [at: number, tries: number][]>;
  /** Since when the rule holds. */
  since?: number;
}

/** People whose passwords fail, by a short form of their address's digest. */
export interface AccountTries {
  people: Table<Person>;
  /** Which of them an account is. */
  names: Table<Kept & { person: string }>;
}

const EMPTY: Omit<Person, "seen"> = { sources: {} };

/** How long tries count, and how much longer a person is remembered after the last one. */
export interface Memory {
  windowMs: number;
  patienceMs: number;
}

/** The people after the events of a step. Whoever gets in, or asks for a link, takes the tries of that source group back. */
export function withAccountTries(
  state: AccountTries,
  events: readonly StoredEvent[],
  now: number,
  { windowMs, patienceMs }: Memory,
): AccountTries {
  const people = new Draft(state.people, now, windowMs + patienceMs);
  const names = new Draft(state.names, now, windowMs + patienceMs);
  for (const event of inOrder(events, now)) {
    const tried = passwordTryOf(event);
    if (tried && tried.outcome !== "unknown" && namesOne(tried)) addTry(tried);
    if (event.account && isOwner(event)) {
      const person = people.find(names.find(event.account)?.person ?? "");
      if (person) delete person.sources[event.source ?? ""];
      if (person && Object.keys(person.sources).length === 0) people.drop(names.find(event.account)?.person ?? "");
    }
  }
  const limit = KEPT.accountItems;
  return {
    people: people.close(limit, ({ sources }) =>
      Object.values(sources).reduce((sum, tries) => sum + 1 + tries.length, 1),
    ),
    names: names.close(limit, () => 0),
  };

  function addTry({ account, address, source = "unknown", at, tries }: PasswordTry): void {
    const key = short(address ?? account ?? "");
    const person = people.open(key, EMPTY);
    if (account) {
      person.account = account;
      names.open(account, { person: key }).person = key;
    }
    const before = (person.sources[source] ?? []).filter(([time]) => time > at - windowMs);
    person.sources[source] = merged([...before, [at, tries]]);
    person.sources = newest(person.sources, KEPT.sourcesOfAccount, (all) => all.at(-1)?.[0] ?? 0);
  }
}

function isOwner(event: StoredEvent): boolean {
  return opensSession(event) || (event.kind === "authn_token_created" && event.reason === "reset_link");
}

/** So that a flood takes no more room than a slow attack: the two moments that are closest become the later one. */
function merged(tries: [number, number][]): [number, number][] {
  if (tries.length <= KEPT.timesOfSource) return tries;
  const gaps = tries.slice(1).map(([at], index) => at - (tries[index]?.[0] ?? 0));
  const closest = gaps.indexOf(Math.min(...gaps));
  const [, earlier] = tries[closest] ?? [0, 0];
  return tries
    .map(([at, count], index): [number, number] => (index === closest + 1 ? [at, count + earlier] : [at, count]))
    .filter((_, index) => index !== closest);
}

/** A person's last tries, counted back from the newest one. */
export interface Measure {
  tries: number;
  sources: number;
  firstAt: number;
  lastAt: number;
}

export function measureOf({ sources }: Person, windowMs: number): Measure {
  const lastAt = Math.max(...Object.values(sources).flatMap((tries) => tries.map(([at]) => at)));
  const recent = Object.values(sources)
    .map((tries) => tries.filter(([at]) => at > lastAt - windowMs))
    .filter((tries) => tries.length > 0);
  return {
    tries: recent.flat().reduce((sum, [, tries]) => sum + tries, 0),
    sources: recent.length,
    firstAt: Math.min(...recent.flat().map(([at]) => at)),
    lastAt,
  };
}
