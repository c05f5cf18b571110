import type { Browser } from "./browsers.ts";
import type { Pots } from "./budgets.ts";
import type { Challenge } from "./challenges.ts";
import type { EnrolmentGrant, PendingRegistration } from "./enrolment-owners.ts";
import type { Factor } from "./factors.ts";
import type { Life } from "./life.ts";
import { NO_STREAKS, type Streaks } from "./proof-mode.ts";
import type { RecoveryCodeSet } from "./recovery-codes.ts";
import type { Floor, Session } from "./sessions.ts";
import type { Warned } from "./warnings.ts";

/** What changes together, kept in one row, because rows written are the price of a sign-in. Times in epoch milliseconds. */
export interface Guard extends Floor {
  challenges: Challenge[];
  /** Enrolment tokens that wait for a factor. */
  enrolments: EnrolmentGrant[];
  /** The one passkey registration that is under way. */
  registration?: PendingRegistration | undefined;
  /** Second-factor attempts of each pot: strangers, proven mailboxes, each recognised browser. */
  attempts: Pots;
  streaks: Streaks;
  /** Wrong answers of each session to its own step-up or re-proof since the last right one. */
  pots: Record<string, number>;
  /** The last accepted step of each TOTP factor, and when. */
  accepted: Record<string, { step: number; at: number }>;
  /** The last signature counter of each passkey, and when. */
  counters: Record<string, { signCount: number; at: number }>;
  recoveryCodes: RecoveryCodeSet;
  browsers: Browser[];
  /** Keyed digests of the networks of complete sign-ins, the newest last. */
  networks: string[];
  /** What the owner was told of lately. */
  warned: Warned;
  /** When the owner was told of unfamiliar sign-ins lately, epoch milliseconds. */
  toldOfSignIns: number[];
  /** Username-less challenges that were answered, until they expire by themselves. */
  spentChallenges: { id: string; expiresAt: number }[];
  /** A copy of the directory's roles as of the last password sign-in, for a sign-in that shows no password. */
  roles: string[];
  life: Life;
}

const EMPTY_GUARD: Guard = {
  passwordVersion: 0,
  epoch: 0,
  challenges: [],
  enrolments: [],
  attempts: {},
  streaks: NO_STREAKS,
  pots: {},
  accepted: {},
  counters: {},
  recoveryCodes: { keyId: 0, digests: [] },
  browsers: [],
  networks: [],
  warned: {},
  toldOfSignIns: [],
  spentChallenges: [],
  roles: [],
  life: {},
};

/**
 * The storage of one account object: synchronous, so that a rule can read, decide and write in one turn. One `guard`
 * row, and a row for each session and each factor, without rowids so that a write costs exactly one.
 */
export class AccountStore {
  #sql: SqlStorage;
  /** The guard row as it is stored: what has not changed is not written. */
  #storedGuard: string | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS guard (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL)");
    sql.exec("CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID");
    sql.exec("CREATE TABLE IF NOT EXISTS factors (id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID");
  }

  /** A row of an earlier version lacks what was added since, and that is empty then. */
  guard(): Guard {
    const [row] = this.#sql.exec<Row>("SELECT state FROM guard WHERE id = 1").toArray();
    this.#storedGuard = row?.state;
    return { ...structuredClone(EMPTY_GUARD), ...(row ? (JSON.parse(row.state) as Partial<Guard>) : {}) };
  }

  saveGuard(guard: Guard): void {
    const state = JSON.stringify(guard);
    if (state === this.#storedGuard) return;
    this.#storedGuard = state;
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

  /** Pending ones included, oldest first. A factor without a kind is of the version that knew TOTP alone. */
  factors(): Factor[] {
    return this.#read<Factor>("SELECT state FROM factors")
      .map((factor) => ({ ...factor, kind: factor.kind ?? "totp" }) as Factor)
      .sort((a, b) => a.createdAt - b.createdAt);
  }

  saveFactor(factor: Factor): void {
    const state = JSON.stringify(factor);
    this.#sql.exec("INSERT INTO factors VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2", factor.id, state);
  }

  deleteFactor(id: string): void {
    this.#sql.exec("DELETE FROM factors WHERE id = ?", id);
  }

  /** Forgets everything. */
  clear(): void {
    this.#storedGuard = undefined;
    for (const table of ["guard", "sessions", "factors"]) this.#sql.exec(`DELETE FROM ${table}`);
  }

  #read<T>(query: string, ...bindings: string[]): T[] {
    return this.#sql
      .exec<Row>(query, ...bindings)
      .toArray()
      .map(({ state }) => JSON.parse(state) as T);
  }
}

type Row = { state: string };
