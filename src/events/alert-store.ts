import type { Alert } from "./alert.ts";
import type { Finding } from "./detectors/detector.ts";
import { earliestIdAt } from "./security-event.ts";

/** A page of alerts, and where the next one begins, if there is one. */
export interface AlertPage {
  alerts: Alert[];
  next?: string;
}

/** The alerts. They are written by the steps of the detectors alone (`detection-store.ts`). */
export interface AlertStore {
  /** Alerts by the time at which they were opened, the newest first: those before the alert with the id `before`. */
  list(page: { before?: string; limit: number }): Promise<AlertPage>;
  /** Of each finding the newest alert with its pattern and subject, if there is one. */
  newestOf(findings: readonly Finding[]): Promise<Alert[]>;
  /** Drops alerts that were opened before a time and have not grown since. Epoch milliseconds. */
  forget(before: number): Promise<void>;
}

const COLUMNS = "id, pattern, subject, severity, opened_at, first_at, last_at, tries, addresses, sources";
const LIST = `SELECT ${COLUMNS} FROM alerts WHERE id < ?1 ORDER BY id DESC LIMIT ?2`;
/** One parameter, whatever the number of findings; each costs two rows. */
const NEWEST = `
  SELECT ${COLUMNS} FROM alerts WHERE id IN (
    SELECT (SELECT id FROM alerts WHERE pattern = value ->> 'pattern' AND subject = value ->> 'subject' ORDER BY id DESC LIMIT 1)
    FROM json_each(?1))`;
/** Sorts behind every id. */
const BEHIND_ALL = "g";

/** The alerts of one database. */
export function alertStoreOf(db: D1Database): AlertStore {
  const read = async (query: string, ...values: unknown[]) => {
    const { results } = await db
      .prepare(query)
      .bind(...values)
      .all<AlertRow>();
    return results.map(alertOfRow);
  };
  return {
    async list({ before = BEHIND_ALL, limit }) {
      const alerts = await read(LIST, before, limit + 1);
      const last = alerts[limit - 1];
      return { alerts: alerts.slice(0, limit), ...(alerts.length > limit && last ? { next: last.id } : {}) };
    },
    newestOf: async (findings) => {
      const named = findings.map(({ pattern, subject }) => ({ pattern, subject }));
      return named.length === 0 ? [] : read(NEWEST, JSON.stringify(named));
    },
    async forget(before) {
      await db.prepare("DELETE FROM alerts WHERE id < ?1 AND last_at < ?2").bind(earliestIdAt(before), before).run();
    },
  };
}

interface AlertRow extends Omit<Alert, "openedAt" | "firstAt" | "lastAt"> {
  opened_at: number;
  first_at: number;
  last_at: number;
}

function alertOfRow({ opened_at, first_at, last_at, ...row }: AlertRow): Alert {
  const { id, pattern, subject, severity, ...counted } = row;
  return { id, pattern, subject, severity, openedAt: opened_at, firstAt: first_at, lastAt: last_at, ...counted };
}
