import { DETECTION_PART_MAX } from "../event-policy.ts";
import type { Alert } from "./alert.ts";
import { type Delivery, type MailWindow, NO_MAILS } from "./delivery.ts";
import type { Kept, Standing } from "./detection.ts";
import type { CountRow } from "./event-counts.ts";

/** Where the detectors stand as it is stored. `pass` counts the steps that were stored. */
export interface StoredStanding extends Standing {
  pass: number;
  mail: MailWindow;
}

/** What a step changes: all of it is stored, or nothing. `from`: the pass it began at. */
export interface Changes {
  from: number;
  seq: number;
  mail: MailWindow;
  /** Those of the detectors that have changed. */
  detectors: [name: string, kept: Kept][];
  counts: CountRow[];
  alerts: Alert[];
  deliveries: Delivery[];
}

/** How far the events have been looked at, and what came of it. */
export interface DetectionStore {
  load(): Promise<StoredStanding>;
  /** Stores a step. False, and nothing is stored, when another one has begun at the same pass and was stored first. */
  commit(changes: Changes): Promise<boolean>;
}

const LOAD = ["SELECT pass, seq, mail FROM detection", "SELECT name, state, behind, tries FROM detectors"];
/** Fails where another step was stored meanwhile, and takes the whole transaction with it. */
const GUARD = `
  UPDATE detection SET pass = CASE WHEN pass = ?1 THEN pass + 1 END, seq = ?2, mail = ?3 WHERE id = 1`;
const OVERTAKEN = "NOT NULL constraint failed: detection.pass";

const DETECTORS = `
  INSERT INTO detectors (name, state, behind, tries)
  SELECT value ->> 'name', value ->> 'state', value ->> 'behind', value ->> 'tries' FROM json_each(?1) WHERE true
  ON CONFLICT (name) DO UPDATE SET state = excluded.state, behind = excluded.behind, tries = excluded.tries`;
const COUNTS = `
  INSERT INTO counts (span, kind, at, count, first_seq, last_seq)
  SELECT value ->> 'span', value ->> 'kind', value ->> 'at', value ->> 'count', value ->> 'firstSeq', value ->> 'lastSeq'
  FROM json_each(?1) WHERE true
  ON CONFLICT (span, kind, at) DO UPDATE SET count = count + excluded.count,
    first_seq = min(first_seq, excluded.first_seq), last_seq = max(last_seq, excluded.last_seq)`;
const ALERTS = `
  INSERT INTO alerts (id, pattern, subject, severity, opened_at, first_at, last_at, tries, addresses, sources)
  SELECT value ->> 'id', value ->> 'pattern', value ->> 'subject', value ->> 'severity', value ->> 'openedAt',
    value ->> 'firstAt', value ->> 'lastAt', value ->> 'tries', value ->> 'addresses', value ->> 'sources'
  FROM json_each(?1) WHERE true
  ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, first_at = excluded.first_at, last_at = excluded.last_at,
    tries = excluded.tries, addresses = excluded.addresses, sources = excluded.sources`;
const DELIVERIES = `
  INSERT INTO deliveries (id, channel, target, due_at, tries, body)
  SELECT value ->> 'id', value ->> 'channel', value ->> 'target', value ->> 'dueAt', value ->> 'tries', value ->> 'body'
  FROM json_each(?1)`;

/** The detection of one database. */
export function detectionStoreOf(db: D1Database): DetectionStore {
  return {
    async load() {
      const [[row] = [], detectors = []] = (await db.batch(LOAD.map((query) => db.prepare(query)))).map(
        ({ results }) => results,
      ) as [StandingRow[], DetectorRow[]];
      if (!row) throw new Error("the table detection has lost its row");
      return {
        pass: row.pass,
        seq: row.seq,
        mail: { ...NO_MAILS, ...(JSON.parse(row.mail) as Partial<MailWindow>) },
        detectors: new Map(
          detectors.map(({ name, state, behind, tries }) => [
            name,
            { state, tries, ...(behind === null ? {} : { behind }) },
          ]),
        ),
      };
    },
    async commit({ from, seq, mail, detectors, counts, alerts, deliveries }) {
      const lists: [query: string, rows: object[]][] = [
        [DETECTORS, detectors.map(([name, kept]) => ({ name, ...kept }))],
        [COUNTS, counts],
        [ALERTS, alerts],
        [DELIVERIES, deliveries],
      ];
      try {
        await db.batch([
          db.prepare(GUARD).bind(from, seq, JSON.stringify(mail)),
          ...lists.flatMap(([query, rows]) => inParts(rows).map((part) => db.prepare(query).bind(part))),
        ]);
        return true;
      } catch (error) {
        if (String(error).includes(OVERTAKEN)) return false;
        throw error;
      }
    },
  };
}

interface StandingRow {
  pass: number;
  seq: number;
  mail: string;
}

interface DetectorRow extends Omit<Kept, "behind"> {
  name: string;
  behind: number | null;
}

/**
 * Rows as JSON, in as many parameters as it takes: none may hold more than two megabytes, which states come near, and the
 * counts of a backlog that is weeks old.
 */
function inParts(rows: readonly object[]): string[] {
  const parts: string[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const text of rows.map((row) => JSON.stringify(row))) {
    size += text.length + 1;
    if (size > DETECTION_PART_MAX) {
      parts.push([]);
      size = text.length;
    }
    parts.at(-1)?.push(text);
  }
  return parts.map((part) => `[${part.join(",")}]`);
}
