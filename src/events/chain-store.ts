import type { Checkpoint, Stub } from "./attested.ts";
import { type ChainHead, type ChainPage, GENESIS, type StoredRow } from "./chain.ts";

/** The chain over the events, its checkpoints and what retention has left behind. Each of its writes is its own check. */
export interface ChainStore {
  /** Where the chain has come to. */
  head(): Promise<ChainHead>;
  /** Events after `seq`, the oldest first, at most `limit`, as they are stored. */
  rowsAfter(seq: number, limit: number): Promise<StoredRow[]>;
  /** Events from one seq to another, both included. */
  rowsBetween(first: number, last: number): Promise<StoredRow[]>;
  /** Adds a page. False when there is one of that number: somebody else was first. */
  link(page: ChainPage): Promise<boolean>;
  /** Pages after `number`, at most `limit` and only those that end at `lastSeq` or before. */
  pagesAfter(number: number, limit: number, lastSeq: number): Promise<ChainPage[]>;
  /** When the two oldest pages were made, the oldest first. Reads no others. */
  oldestPages(): Promise<{ made_at: number }[]>;
  newestCheckpoint(): Promise<Checkpoint | undefined>;
  /** Adds a checkpoint. False when there is one of that number. */
  addCheckpoint(checkpoint: Checkpoint): Promise<boolean>;
  /** Checkpoints after `number`, at most `limit`. */
  checkpointsAfter(number: number, limit: number): Promise<Checkpoint[]>;
  /** The newest checkpoint about a page before `page`. */
  checkpointBefore(page: number): Promise<Checkpoint | undefined>;
  newestStub(): Promise<Stub | undefined>;
  /** Leaves a stub and removes what it covers, in one transaction. False when there is one of that number. */
  remove(stub: Stub): Promise<boolean>;
  /** The first event and the first page that stand where retention has removed everything. */
  strays(removed: ChainHead): Promise<{ seq: number | undefined; page: number | undefined }>;
  /** How many events after `seq` there are. */
  countAfter(seq: number): Promise<number>;
}

const ROW = "seq, id, at, kind, account, source, routine, detail";
const PAGE = "number, first_seq, last_seq, made_at, hash, prefixes";
const CHECKPOINT = "number, page, last_seq, hash, at, key_id, public_key, signature";
const STUB = "number, page, last_seq, hash, count, at, key_id, public_key, signature";

/** The chain of one database. */
export function chainStoreOf(db: D1Database): ChainStore {
  const sql = new Statements(db);
  return { ...pagesOf(sql), ...checkpointsOf(sql), ...stubsOf(sql) };
}

/** Statements with their values, of one database. */
class Statements {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  async all<T>(query: string, ...values: unknown[]): Promise<T[]> {
    return (await this.of(query, values).all<T>()).results;
  }

  async first<T>(query: string, ...values: unknown[]): Promise<T | undefined> {
    return (await this.of(query, values).first<T>()) ?? undefined;
  }

  async isWritten(query: string, ...values: unknown[]): Promise<boolean> {
    return (await this.of(query, values).run()).meta.changes > 0;
  }

  batch<T>(...statements: D1PreparedStatement[]): Promise<D1Result<T>[]> {
    return this.#db.batch<T>(statements);
  }

  of(query: string, values: unknown[]): D1PreparedStatement {
    return this.#db.prepare(query).bind(...values);
  }
}

function pagesOf(sql: Statements) {
  return {
    head: async () =>
      (await sql.first<ChainHead>(
        "SELECT number AS page, last_seq AS seq, hash FROM event_chain ORDER BY number DESC LIMIT 1",
      )) ?? GENESIS,
    rowsAfter: (seq: number, limit: number) =>
      sql.all<StoredRow>(`SELECT ${ROW} FROM events WHERE seq > ? ORDER BY seq LIMIT ?`, seq, limit),
    rowsBetween: (from: number, to: number) =>
      sql.all<StoredRow>(`SELECT ${ROW} FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq`, from, to),
    link: ({ number, first_seq, last_seq, made_at, hash, prefixes }: ChainPage) =>
      sql.isWritten(
        `INSERT INTO event_chain (${PAGE}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
        ...[number, first_seq, last_seq, made_at, hash, prefixes],
      ),
    // The second bound keeps a page that says of itself that it ends far away from having the whole table read.
    pagesAfter: (number: number, limit: number, lastSeq: number) =>
      sql.all<ChainPage>(
        `SELECT ${PAGE} FROM event_chain WHERE number > ?1 AND number <= ?1 + ?2 AND last_seq <= ?3 ORDER BY number`,
        ...[number, limit, lastSeq],
      ),
    oldestPages: () => sql.all<{ made_at: number }>("SELECT made_at FROM event_chain ORDER BY number LIMIT 2"),
    countAfter: async (seq: number) =>
      (await sql.first<{ n: number }>("SELECT count(*) AS n FROM events WHERE seq > ?", seq))?.n ?? 0,
  };
}

function checkpointsOf(sql: Statements) {
  return {
    newestCheckpoint: () =>
      sql.first<Checkpoint>(`SELECT ${CHECKPOINT} FROM event_checkpoints ORDER BY number DESC LIMIT 1`),
    addCheckpoint: ({ number, page, last_seq, hash, at, key_id, public_key, signature }: Checkpoint) =>
      sql.isWritten(
        `INSERT INTO event_checkpoints (${CHECKPOINT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
        ...[number, page, last_seq, hash, at, key_id, public_key, signature],
      ),
    checkpointsAfter: (number: number, limit: number) =>
      sql.all<Checkpoint>(
        `SELECT ${CHECKPOINT} FROM event_checkpoints WHERE number > ? ORDER BY number LIMIT ?`,
        ...[number, limit],
      ),
    checkpointBefore: (page: number) =>
      sql.first<Checkpoint>(
        `SELECT ${CHECKPOINT} FROM event_checkpoints WHERE page < ? ORDER BY number DESC LIMIT 1`,
        page,
      ),
  };
}

function stubsOf(sql: Statements) {
  return {
    newestStub: () => sql.first<Stub>(`SELECT ${STUB} FROM event_stubs ORDER BY number DESC LIMIT 1`),
    async remove({ number, page, last_seq, hash, count, at, key_id, public_key, signature }: Stub) {
      const stub = [number, page, last_seq, hash, count, at, key_id, public_key, signature];
      const isOurs = "EXISTS (SELECT 1 FROM event_stubs WHERE number = ? AND signature = ?)";
      const [left] = await sql.batch(
        sql.of(`INSERT INTO event_stubs (${STUB}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, stub),
        sql.of(`DELETE FROM events WHERE seq <= ? AND ${isOurs}`, [last_seq, number, signature]),
        sql.of(`DELETE FROM event_chain WHERE number <= ? AND ${isOurs}`, [page, number, signature]),
      );
      return (left?.meta.changes ?? 0) > 0;
    },
    async strays({ seq, page }: ChainHead) {
      const [event, link] = await sql.batch<{ n: number }>(
        sql.of("SELECT seq AS n FROM events WHERE seq <= ? ORDER BY seq LIMIT 1", [seq]),
        sql.of("SELECT number AS n FROM event_chain WHERE number <= ? ORDER BY number LIMIT 1", [page]),
      );
      return { seq: event?.results[0]?.n, page: link?.results[0]?.n };
    },
  };
}
