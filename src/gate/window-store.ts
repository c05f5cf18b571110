import { GATE_ROWS } from "../policy.ts";
import type { FailureWindow } from "./windows.ts";

/** How long a row is kept. */
export interface Keeping {
  /** Epoch milliseconds. */
  forgettableAt: number;
  /** Whether it must not make room for others before that. */
  isSticky: boolean;
}

/**
 * The failures a gate has counted, a row a subject. The table is made by the first failure: a shard that has only seen
 * good sign-ins has written nothing.
 */
export class WindowStore {
  #sql: SqlStorage;
  #exists: boolean;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#exists = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'windows'").toArray().length > 0;
  }

  read(key: string): FailureWindow {
    if (!this.#exists) return { failures: [], inARow: 0 };
    const [row] = this.#sql.exec<{ state: string }>("SELECT state FROM windows WHERE key = ?", key).toArray();
    return row ? (JSON.parse(row.state) as FailureWindow) : { failures: [], inARow: 0 };
  }

  write(key: string, window: FailureWindow, { forgettableAt, isSticky }: Keeping): void {
    this.#create();
    this.#sql.exec(
      "INSERT INTO windows VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET state = ?2, forgettable_at = ?3",
      key,
      JSON.stringify(isSticky ? { ...window, sticky: 1 } : { ...window, sticky: undefined }),
      forgettableAt,
    );
  }

  forget(key: string): void {
    if (this.#exists) this.#sql.exec("DELETE FROM windows WHERE key = ?", key);
  }

  /** Forgets every subject whose key begins so. */
  forgetAll(prefix: string): void {
    if (this.#exists) this.#sql.exec("DELETE FROM windows WHERE substr(key, 1, length(?1)) = ?1", prefix);
  }

  /**
   * Drops what can no longer hold anybody back. When there is still too much, what would be forgotten soonest makes room,
   * addresses last, and what is sticky never. Answers when the next row may be forgotten, epoch milliseconds, while there
   * are rows.
   */
  sweep(now: number): number | undefined {
    if (!this.#exists) return undefined;
    this.#sql.exec("DELETE FROM windows WHERE forgettable_at <= ?", now);
    const { rows, next } = this.#sql
      .exec<{ rows: number; next: number | null }>("SELECT COUNT(*) AS rows, MIN(forgettable_at) AS next FROM windows")
      .one();
    if (rows > GATE_ROWS) this.#sql.exec(MAKE_ROOM, rows - GATE_ROWS);
    return next ?? undefined;
  }

  #create(): void {
    if (this.#exists) return;
    this.#sql.exec(
      "CREATE TABLE windows (key TEXT PRIMARY KEY, state TEXT NOT NULL, forgettable_at INTEGER NOT NULL) WITHOUT ROWID",
    );
    this.#exists = true;
  }
}

const MAKE_ROOM = `
  DELETE FROM windows WHERE key IN (
    SELECT key FROM windows WHERE state ->> 'sticky' IS NULL
    ORDER BY key LIKE 'address:%', forgettable_at LIMIT ?)`;
