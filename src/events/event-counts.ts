import type { StoredEvent } from "./event-store.ts";
import { EVENT_KINDS, type EventKind } from "./security-event.ts";

/** What counts are taken over, milliseconds. */
export const SPANS = { minute: 60_000, hour: 3_600_000 } as const;
export type Span = keyof typeof SPANS;

/** How often a kind of event has happened in one minute or hour. `at`: its beginning, epoch milliseconds. */
export interface EventCount {
  at: number;
  kind: EventKind;
  count: number;
}

/** How many events a kind had, or all of them (`kind` empty), and between which numbers of arrival they lie. */
export interface CountRow {
  span: number;
  kind: EventKind | "";
  at: number;
  count: number;
  firstSeq: number;
  lastSeq: number;
}

/** A stretch of arrivals, both ends included. */
export interface Stretch {
  first: number;
  last: number;
}

/** The counts of events. They are written by the steps of the detectors alone (`detection-store.ts`). */
export interface EventCounts {
  /** Counts by kind for every minute or hour that begins in `[from, to)` and had events, the oldest first. Epoch milliseconds. */
  of(from: number, to: number, per: Span): Promise<EventCount[]>;
  /**
   * Where the events of `[from, to)` lie, of one kind or (empty) of all, among those that have been counted: none when there
   * are none. Others may lie there too. Reads a row an hour, and one a minute of the hours at both ends.
   */
  stretch(from: number, to: number, kind: EventKind | ""): Promise<Stretch | undefined>;
  /** The last event that has been counted, by its number of arrival. */
  counted(): Promise<number>;
  /** Drops counts from before a time, epoch milliseconds. */
  forget(before: number): Promise<void>;
}

const OF = `
  SELECT at, kind, count FROM counts
  WHERE span = ?1 AND kind IN (SELECT value FROM json_each(?2)) AND at >= ?3 AND at < ?4`;
const STRETCH = `
  SELECT min(first_seq) AS first, max(last_seq) AS last FROM (
    SELECT first_seq, last_seq FROM counts WHERE span = ${SPANS.minute} AND kind = ?1 AND at >= ?2 AND at < ?3
    UNION ALL
    SELECT first_seq, last_seq FROM counts WHERE span = ${SPANS.hour} AND kind = ?1 AND at >= ?3 AND at < ?4
    UNION ALL
    SELECT first_seq, last_seq FROM counts WHERE span = ${SPANS.minute} AND kind = ?1 AND at >= ?4 AND at < ?5)`;
const FORGET = `
  DELETE FROM counts
  WHERE span IN (${SPANS.minute}, ${SPANS.hour}) AND kind IN (SELECT value FROM json_each(?1)) AND at < ?2`;

/** The counts of one database. */
export function eventCountsOf(db: D1Database): EventCounts {
  return {
    async of(from, to, per) {
      const kinds = JSON.stringify(EVENT_KINDS);
      const { results } = await db.prepare(OF).bind(SPANS[per], kinds, from, to).all<EventCount>();
      // Here and not there, where a sort would read every row once more.
      return results.sort((a, b) => a.at - b.at || (a.kind < b.kind ? -1 : 1));
    },
    async stretch(from, to, kind) {
      const row = await db
        .prepare(STRETCH)
        .bind(kind, ...boundsOf(from, to))
        .first<{ first: number | null; last: number | null }>();
      return row?.first == null || row.last == null ? undefined : { first: row.first, last: row.last };
    },
    async counted() {
      return (await db.prepare("SELECT seq FROM detection").first<number>("seq")) ?? 0;
    },
    async forget(before) {
      await db
        .prepare(FORGET)
        .bind(JSON.stringify(["", ...EVENT_KINDS]), before)
        .run();
    },
  };
}

/** The whole hours of a time, with its minutes before and after them: from, first hour, last hour, to. */
function boundsOf(from: number, to: number): [number, number, number, number] {
  const since = startOf(from, SPANS.minute);
  const firstHour = Math.min(Math.ceil(since / SPANS.hour) * SPANS.hour, to);
  return [since, firstHour, Math.max(firstHour, startOf(to, SPANS.hour)), to];
}

/** Counts events by minute and hour of their own time, for each kind and for all; an event that stands for many tries as many. */
export function countsOf(events: readonly StoredEvent[]): CountRow[] {
  const rows = new Map<string, CountRow>();
  for (const event of events) {
    for (const span of Object.values(SPANS)) {
      for (const kind of [event.kind, ""] as const) count(rows, span, kind, event);
    }
  }
  return [...rows.values()];
}

function count(rows: Map<string, CountRow>, span: number, kind: EventKind | "", event: StoredEvent): void {
  const at = startOf(event.at, span);
  const row = rows.get(`${span} ${kind} ${at}`) ?? {
    span,
    kind,
    at,
    count: 0,
    firstSeq: event.seq,
    lastSeq: event.seq,
  };
  row.count += event.count ?? 1;
  row.firstSeq = Math.min(row.firstSeq, event.seq);
  row.lastSeq = Math.max(row.lastSeq, event.seq);
  rows.set(`${span} ${kind} ${at}`, row);
}

function startOf(at: number, span: number): number {
  return Math.floor(at / span) * span;
}
