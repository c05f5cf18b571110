import { EVENT_SCAN } from "../event-policy.ts";
import type { EventCounts } from "./event-counts.ts";
import { EVENT_COLUMNS, type EventRow, eventOf, type StoredEvent } from "./event-store.ts";
import { type EventKind, earliestIdAt, isRoutine } from "./security-event.ts";

/** Which events are asked for: all that is said has to hold. `from` (included) and `to` (not) in epoch milliseconds. */
export interface EventFilter {
  kind?: EventKind;
  account?: string;
  /** A group of sources, as events name it. */
  source?: string;
  from?: number;
  to?: number;
  /** What the page before gave as its `next`. */
  before?: string;
  /** How many events a page has at most. */
  limit: number;
}

/**
 * A page of events, the newest first: those of an account by their time, others by their arrival. It may have fewer events
 * than the limit, or none, where matches are rare; there are no more only when `next` is missing.
 */
export interface EventPage {
  events: StoredEvent[];
  next?: string;
}

/** The events as operators look through them. */
export interface EventList {
  /** A page; nothing when `before` is not what a page with this filter could have given. */
  page(filter: EventFilter): Promise<EventPage | undefined>;
}

/**
 * One way through the events, along an index. Places are numbers of arrival, or ids. Events that are part of every sign-in
 * are in no index of kinds and sources (`routine`): a kind of theirs is looked for among all events, and a source's list
 * goes without them unless their kind is named.
 */
interface Way<Place extends number | string> {
  query: string;
  /** What the query takes beside both ends and the limit. */
  bound: string[];
  /** Where to look, the newest first: the end of each is not part of it. */
  stretches: { first: Place; end: Place }[];
  /** Where an event stands. */
  placeOf(event: StoredEvent): Place;
}

const SELECT = `SELECT ${EVENT_COLUMNS} FROM events`;
const STRETCH = "seq >= ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3";
/** The queries by what they go along; each reads the rows it answers with, and no others. */
export const EVENT_LIST_QUERIES = {
  all: `${SELECT} WHERE ${STRETCH}`,
  kind: `${SELECT} WHERE kind = ?4 AND routine = 0 AND ${STRETCH}`,
  source: `${SELECT} WHERE source = ?4 AND routine = 0 AND ${STRETCH}`,
  account: `${SELECT} WHERE account = ?4 AND id >= ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3`,
} as const;

const SEQ = /^[1-9]\d{0,15}$/;
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Sorts behind every id. */
const BEHIND_ALL = "g";

/** The events of one database. */
export function eventListOf(db: D1Database, counts: EventCounts): EventList {
  return {
    async page(filter) {
      const { account, before } = filter;
      if (before !== undefined && !(account === undefined ? SEQ : ID).test(before)) return undefined;
      if (account !== undefined) return walk(db, byAccount(account, filter), filter, before);
      return walk(db, await byArrival(counts, filter), filter, before === undefined ? undefined : Number(before));
    },
  };
}

/** Along the index of the source, of the kind, or of all events; a time is a stretch of arrivals. */
async function byArrival(counts: EventCounts, filter: EventFilter): Promise<Way<number>> {
  const { kind, source } = filter;
  const stretches = await stretchesOf(counts, filter);
  const way = { stretches, placeOf: ({ seq }: StoredEvent) => seq };
  if (kind !== undefined && isRoutine({ kind })) return { ...way, query: EVENT_LIST_QUERIES.all, bound: [] };
  if (source !== undefined) return { ...way, query: EVENT_LIST_QUERIES.source, bound: [source] };
  if (kind !== undefined) return { ...way, query: EVENT_LIST_QUERIES.kind, bound: [kind] };
  return { ...way, query: EVENT_LIST_QUERIES.all, bound: [] };
}

/**
 * Where events of a time lie, the newest first. The counts know it of every event that they have seen, however late it
 * came; those that came since are few, and may be of any time.
 */
async function stretchesOf(counts: EventCounts, { kind, from, to }: EventFilter): Promise<Way<number>["stretches"]> {
  if (from === undefined && to === undefined) return [{ first: 1, end: Number.MAX_SAFE_INTEGER }];
  const counted = await counts.counted();
  const known = await counts.stretch(from ?? 0, to ?? Number.MAX_SAFE_INTEGER, kind ?? "");
  const uncounted = { first: counted + 1, end: Number.MAX_SAFE_INTEGER };
  // What was counted between the two questions is among the uncounted, and must not come twice.
  return known ? [uncounted, { first: known.first, end: Math.min(known.last, counted) + 1 }] : [uncounted];
}

/** Along the index that keeps ids unique: they begin with their time. */
function byAccount(account: string, { from, to }: EventFilter): Way<string> {
  const first = from === undefined ? "" : earliestIdAt(from);
  const end = to === undefined ? BEHIND_ALL : earliestIdAt(to);
  return {
    query: EVENT_LIST_QUERIES.account,
    bound: [account],
    stretches: [{ first, end }],
    placeOf: ({ id }) => id,
  };
}

/** Goes a way until the page is full, or until it has looked at as much as one page may cost. */
async function walk<Place extends number | string>(
  db: D1Database,
  { query, bound, stretches, placeOf }: Way<Place>,
  filter: EventFilter,
  before: Place | undefined,
): Promise<EventPage> {
  const events: StoredEvent[] = [];
  let turns = 0;
  for (const { first, end } of stretches) {
    let until = before !== undefined && before < end ? before : end;
    // Where all that is asked for is in the index, the first question of a stretch is its last one.
    let limit = filter.limit + 1;
    while (first < until) {
      if (turns === EVENT_SCAN.turns) return { events, next: String(until) };
      turns += 1;
      const { results } = await db
        .prepare(query)
        .bind(first, until, limit, ...bound)
        .all<EventRow>();
      for (const event of results.map(eventOf).filter((event) => isAskedFor(event, filter))) {
        const last = events.at(-1);
        if (events.length === filter.limit && last) return { events, next: String(placeOf(last)) };
        events.push(event);
      }
      const oldest = results.at(-1);
      if (results.length < limit || !oldest) break;
      until = placeOf(eventOf(oldest));
      limit = EVENT_SCAN.rows;
    }
  }
  return { events };
}

function isAskedFor(
  event: StoredEvent,
  { kind, account, source, from = 0, to = Number.MAX_SAFE_INTEGER }: EventFilter,
) {
  const isNamed =
    (kind === undefined || event.kind === kind) &&
    (account === undefined || event.account === account) &&
    (source === undefined || event.source === source);
  return isNamed && event.at >= from && event.at < to;
}
