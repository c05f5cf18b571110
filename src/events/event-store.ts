import { isRoutine, type SecurityEvent } from "./security-event.ts";

/** An event that has arrived. */
export interface StoredEvent extends SecurityEvent {
  /** The order of arrival: rises, and leaves no way to come in between later. */
  seq: number;
}

/** The events table: who writes to it. What reads it for a purpose of its own has a file beside this one. */
export interface EventStore {
  /** Keeps events. Those that are there already stay as they are, so that a shipment may be repeated. */
  add(events: readonly SecurityEvent[]): Promise<void>;
  /** Events that arrived after `seq`, the oldest first, at most `limit`. Reads no other rows. */
  after(seq: number, limit: number): Promise<StoredEvent[]>;
  /** The newest events of an account, at most `limit`. */
  ofAccount(account: string, limit: number): Promise<StoredEvent[]>;
}

/** One parameter, whatever the number of events. */
const ADD = `
  INSERT INTO events (id, at, kind, account, source, routine, detail)
  SELECT value ->> 'id', value ->> 'at', value ->> 'kind', value ->> 'account', value ->> 'source', value ->> 'routine', value ->> 'detail'
  FROM json_each(?1) WHERE true ON CONFLICT (account, id) DO NOTHING`;

/** Every column but `routine`, which follows from the kind. */
export const EVENT_COLUMNS = "seq, id, at, kind, account, source, detail";

/** The events of one database. */
export function eventStoreOf(db: D1Database): EventStore {
  const list = async (query: string, ...values: unknown[]) => {
    const { results } = await db
      .prepare(query)
      .bind(...values)
      .all<EventRow>();
    return results.map(eventOf);
  };
  return {
    async add(events) {
      if (events.length > 0)
        await db
          .prepare(ADD)
          .bind(JSON.stringify(events.map(rowOf)))
          .run();
    },
    after: (seq, limit) => list(`SELECT ${EVENT_COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?`, seq, limit),
    ofAccount: (account, limit) =>
      list(`SELECT ${EVENT_COLUMNS} FROM events WHERE account = ? ORDER BY id DESC LIMIT ?`, account, limit),
  };
}

/** An event as it is stored. `detail` is JSON of everything that has no column. */
export interface EventRow {
  seq: number;
  id: string;
  at: number;
  kind: SecurityEvent["kind"];
  account: string;
  source: string;
  detail: string;
}

/** An event from its row. */
export function eventOf({ seq, id, at, kind, account, source, detail }: EventRow): StoredEvent {
  const rest = JSON.parse(detail) as Partial<SecurityEvent>;
  return { seq, id, at, kind, ...(account ? { account } : {}), ...(source ? { source } : {}), ...rest };
}

function rowOf(event: SecurityEvent): Omit<EventRow, "seq"> & { routine: number } {
  const { id, at, kind, account = "", source = "", ...rest } = event;
  return { id, at, kind, account, source, routine: Number(isRoutine(event)), detail: JSON.stringify(rest) };
}
