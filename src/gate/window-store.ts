import { GATE_SWEEP_MS } from "../policy.ts";
import type { FailureWindow } from "./windows.ts";

/**
 * The failures a gate has counted, a row a subject. The table is made by the first failure: a shard that has only seen
 * good sign-ins has written nothing.
 */
export class WindowStore {
  #sql: SqlStorage;
  #exists: boolean;
  #sweptAt = 0;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#exists = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'windows'").toArray().length > 0;
  }

  read(key: string): FailureWindow {
    if (!this.#exists) return { failures: [], inARow: 0 };
    const [row] = this.#sql.exec<{ state: string }>("SELECT state FROM windows WHERE key = ?", key).toArray();
    return row ? (JSON.parse(row.state) as FailureWindow) : { failures: [], inARow: 0 };
  }

  write(key: string, window: FailureWindow, forgettableAt: number): void {
    this.#create();
    this.#sql.exec(
      "INSERT INTO windows VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET state = ?2, forgettable_at = ?3",
      key,
      JSON.stringify(window),
      forgettableAt,
    );
  }

  forget(key: string): void {
    if (this.#exists) this.#sql.exec("DELETE FROM windows WHERE key = ?", key);
  }

  /** Drops what can no longer hold anybody back, now and then, on the way of a write. */
  sweep(now: number): void {
    if (!this.#exists || now < this.#sweptAt + GATE_SWEEP_MS) return;
    this.#sweptAt = now;
    this.#sql.exec("DELETE FROM windows WHERE forgettable_at <= ?", now);
  }

  #create(): void {
    if (this.#exists) return;
    this.#sql.exec(
      "CREATE TABLE windows (key TEXT PRIMARY KEY, state TEXT NOT NULL, forgettable_at INTEGER NOT NULL) WITHOUT ROWID",
    );
    this.#exists = true;
  }
}
