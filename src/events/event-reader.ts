import { EVENT_COLUMNS, type EventRow, eventOf, type StoredEvent } from "./event-store.ts";
import type { EventKind } from "./security-event.ts";

/** Which events are wanted: all that is said has to hold. `from` (included) and `to` (not) in epoch milliseconds. */
export interface WantedEvents {
  kind?: EventKind | undefined;
  account?: string | undefined;
  source?: string | undefined;
  from?: number | undefined;
  to?: number | undefined;
}

/** The events in the order of their arrival, stretch by stretch: for whoever wants to read all of them. */
export interface EventReader {
  /** The first and the last number of arrival; nothing while there are no events. */
  bounds(): Promise<{ first: number; last: number } | undefined>;
  /** Those wanted of a stretch, both ends included. Reads as many rows as the stretch is long, and no others. */
  stretch(wanted: WantedEvents, first: number, last: number): Promise<StoredEvent[]>;
}

const STRETCH = `SELECT ${EVENT_COLUMNS} FROM events WHERE seq BETWEEN ?1 AND ?2
  AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR account = ?4) AND (?5 IS NULL OR source = ?5)
  AND (?6 IS NULL OR at >= ?6) AND (?7 IS NULL OR at < ?7) ORDER BY seq`;
// Two questions: of min and max together SQLite reads the whole table.
const BOUNDS = "SELECT (SELECT min(seq) FROM events) AS first, (SELECT max(seq) FROM events) AS last";

/** The events of one database. */
export function eventReaderOf(db: D1Database): EventReader {
  return {
    async bounds() {
      const row = await db.prepare(BOUNDS).first<{ first: number | null; last: number | null }>();
      return row?.first == null || row.last == null ? undefined : { first: row.first, last: row.last };
    },
    async stretch({ kind, account, source, from, to }, first, last) {
      const values = [kind, account, source, from, to].map((value) => value ?? null);
      const { results } = await db
        .prepare(STRETCH)
        .bind(first, last, ...values)
        .all<EventRow>();
      return results.map(eventOf);
    },
  };
}
