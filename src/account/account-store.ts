import type { SpentAttempts } from "./budgets.ts";
import type { Challenge } from "./challenges.ts";
import type { Floor, Session } from "./sessions.ts";
import type { TotpFactor } from "./totp-factors.ts";

/** What changes together, kept in one row, because rows written are the price of a sign-in. */
export interface Guard extends Floor {
  challenges: Challenge[];
  /** The budget of unrecognised browsers. */
  spent: SpentAttempts;
  /** Wrong answers of each session to its own step-up or re-proof since the last right one. */
  pots: Record<string, number>;
  /** The last accepted step of each factor, and when. */
  accepted: Record<string, { step: number; at: number }>;
}

const EMPTY_GUARD: Guard = { passwordVersion: 0, epoch: 0, challenges: [], spent: [], pots: {}, accepted: {} };

/**
 * The storage of one account object: synchronous, so that a rule can read, decide and write in one turn. One `guard`
 * row, and a row for each session and each factor, without rowids so that a write costs exactly one.
 */
export class AccountStore {
  #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS guard (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL)");
    sql.exec("CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID");
    sql.exec("CREATE TABLE IF NOT EXISTS factors (id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID");
  }

  guard(): Guard {
    const [row] = this.#sql.exec<Row>("SELECT state FROM guard WHERE id = 1").toArray();
    return row ? (JSON.parse(row.state) as Guard) : structuredClone(EMPTY_GUARD);
  }

  saveGuard(guard: Guard): void {
    const state = JSON.stringify(guard);
    this.#sql.exec("INSERT INTO guard VALUES (1, ?1) ON CONFLICT DO UPDATE SET state = ?1", state);
  }

  session(id: string): Session | undefined {
    return this.#read<Session>("SELECT state FROM sessions WHERE id = ?", id)[0];
  }

  sessions(): Session[] {
    return this.#read<Session>("SELECT state FROM sessions").sort((a, b) => a.createdAt - b.createdAt);
  }

  saveSession(session: Session): void {
    const state = JSON.stringify(session);
    this.#sql.exec("INSERT INTO sessions VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2", session.id, state);
  }

  deleteSession(id: string): void {
    this.#sql.exec("DELETE FROM sessions WHERE id = ?", id);
  }

  factors(): TotpFactor[] {
    return this.#read<TotpFactor>("SELECT state FROM factors").sort((a, b) => a.createdAt - b.createdAt);
  }

  activeFactors(): TotpFactor[] {
    return this.factors().filter((factor) => !factor.pending);
  }

  saveFactor(factor: TotpFactor): void {
    const state = JSON.stringify(factor);
    this.#sql.exec("INSERT INTO factors VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2", factor.id, state);
  }

  deleteFactor(id: string): void {
    this.#sql.exec("DELETE FROM factors WHERE id = ?", id);
  }

  #read<T>(query: string, ...bindings: string[]): T[] {
    return this.#sql
      .exec<Row>(query, ...bindings)
      .toArray()
      .map(({ state }) => JSON.parse(state) as T);
  }
}

type Row = { state: string };
