import type { EndedSession } from "../directory/ended-sessions.ts";
import { EVENTS_IN_GUARD } from "../event-policy.ts";
import { OutboxRows, type Shipment } from "../events/outbox.ts";
import { type Circumstances, type Occurrence, type SecurityEvent, securityEvent } from "../events/security-event.ts";
import { REVOKED_SESSION_LISTED_MS } from "../token-policy.ts";
import type { Browser } from "./browsers.ts";
import type { Pots } from "./budgets.ts";
import type { Challenge } from "./challenges.ts";
import type { EnrolmentGrant, PendingRegistration } from "./enrolment-owners.ts";
import type { Factor } from "./factors.ts";
import type { Life } from "./life.ts";
import type { SpentProof } from "./possession.ts";
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
  /** When sign-ins by passkey alone have failed and that was recorded, lately; epoch milliseconds. */
  failedAssertions: number[];
  /** When the owner was told of unfamiliar sign-ins lately, epoch milliseconds. */
  toldOfSignIns: number[];
  /** Username-less challenges that were answered, until they expire by themselves. */
  spentChallenges: { id: string; expiresAt: number }[];
  /** Proofs of possession that sign-ins have used, until they expire by themselves. */
  spentProofs: SpentProof[];
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
  failedAssertions: [],
  toldOfSignIns: [],
  spentChallenges: [],
  spentProofs: [],
  roles: [],
  life: {},
};

/** What a store needs of the object that it belongs to. */
export interface StoreOwner {
  /** Id of the account, which names the object too. */
  account: string;
  /** Epoch milliseconds. A session can end in the middle of any rule, which need not tell its time for that. */
  now(): number;
  /** Ended sessions may wait to be told to the directory. */
  owes(): void;
  /** Something has been recorded that has to be shipped. Called in the turn in which it is written. */
  recorded(event: SecurityEvent): void;
}

/** For stores that are looked at without their object: what they leave behind, the object tells. */
const NOBODY: StoreOwner = { account: "", now: () => Date.now(), owes: () => {}, recorded: () => {} };

/** A session's row is an object; of one that has ended it is the moment until which that is listed, a number. */
const LIVES = "state LIKE '{%'";

/**
 * The storage of one account object: synchronous, so that a rule can read, decide and write in one turn. One `guard`
 * row, and a row for each session and each factor, without rowids so that a write costs exactly one.
 */
export class AccountStore {
  #sql: SqlStorage;
  /** The guard row as it is stored: what has not changed is not written. */
  #storedGuard: string | undefined;
  #owner: StoreOwner;
  /** Whether ended sessions may be left to be told. Nobody knows before the first look. */
  #mayOwe = true;
  /** Events that travel in the guard row, as they are to be written with it next. Unknown before the first look. */
  #recorded: SecurityEvent[] | undefined;
  /** Id of the account: an object that an alarm has woken is not told its name (cloudflare/workerd#6850), so it keeps it. */
  #account: string;
  #isFlushDue = false;
  #outbox: OutboxRows;

  constructor(sql: SqlStorage, owner: StoreOwner = NOBODY) {
    this.#sql = sql;
    this.#owner = owner;
    this.#account = owner.account;
    sql.exec("CREATE TABLE IF NOT EXISTS guard (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL)");
    sql.exec("CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID");
    sql.exec("CREATE TABLE IF NOT EXISTS factors (id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID");
    this.#outbox = new OutboxRows(sql);
  }

  /**
   * A row of an earlier version lacks what was added since, and that is empty then. Every rule begins here, so here is
   * where an object that woke up or failed is reminded of what is left to be told.
   */
  guard(): Guard {
    if (this.#mayOwe) this.#owner.owes();
    const { recorded: _r, account: _a, ...guard } = this.#guardRow();
    return { ...structuredClone(EMPTY_GUARD), ...guard };
  }

  /** Writes the guard, and with it what has been recorded: the same row. */
  saveGuard(guard: Guard): void {
    const recorded = this.#recorded ?? [];
    this.#isFlushDue = false;
    const name = this.#account === "" ? {} : { account: this.#account };
    const state = JSON.stringify({ ...guard, ...name, ...(recorded.length > 0 ? { recorded } : {}) });
    if (state === this.#storedGuard) return;
    try {
      this.#sql.exec("INSERT INTO guard VALUES (1, ?1) ON CONFLICT DO UPDATE SET state = ?1", state);
    } catch (error) {
      // What was to be recorded has not happened.
      this.#recorded = undefined;
      throw error;
    }
    this.#storedGuard = state;
  }

  session(id: string): Session | undefined {
    return this.#read<Session>(`SELECT state FROM sessions WHERE id = ? AND ${LIVES}`, id)[0];
  }

  sessions(): Session[] {
    return this.#read<Session>(`SELECT state FROM sessions WHERE ${LIVES}`).sort((a, b) => a.createdAt - b.createdAt);
  }

  saveSession(session: Session): void {
    const state = JSON.stringify(session);
    this.#sql.exec("INSERT INTO sessions VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2", session.id, state);
  }

  /**
   * Ends a session: the one place where one dies. While an access token of it may be alive somewhere, its row stays as a
   * mark until the directory lists it: one row written now, as without it, and one when the mark goes. A session of
   * before an emergency drop needs none, since the keys of its tokens are gone.
   */
  deleteSession(id: string, { epoch }: Floor): void {
    const session = this.session(id);
    if (!session) return;
    const now = this.#owner.now();
    const until = Math.min(now, session.idleExpiresAt, session.absoluteExpiresAt) + REVOKED_SESSION_LISTED_MS;
    if (session.epoch < epoch || until <= now) {
      this.#sql.exec("DELETE FROM sessions WHERE id = ?", id);
      return;
    }
    this.#sql.exec("UPDATE sessions SET state = ?2 WHERE id = ?1", id, String(until));
    this.#mayOwe = true;
    this.#owner.owes();
  }

  /** Takes back a session of which nobody has had a token: there is nothing to be listed. */
  forgetSession(id: string): void {
    this.#sql.exec(`DELETE FROM sessions WHERE id = ? AND ${LIVES}`, id);
  }

  /** Ended sessions that the directory may not have heard of. */
  owed(): EndedSession[] {
    const rows = this.#sql.exec<Row & { id: string }>(`SELECT id, state FROM sessions WHERE NOT ${LIVES}`).toArray();
    this.#mayOwe = rows.length > 0;
    return rows.map(({ id, state }) => ({ sid: id, until: Number(state) }));
  }

  /** The directory has heard of them, or nobody needs to any more. */
  forgetOwed(ended: EndedSession[]): void {
    for (const { sid } of ended) this.#sql.exec(`DELETE FROM sessions WHERE id = ? AND NOT ${LIVES}`, sid);
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

  /** Records what is being decided about this account, now. `from`: who has caused it, if anybody did. */
  note(occurrence: Omit<Occurrence, "account">, from: Circumstances | undefined): void {
    if (this.#recorded === undefined) this.#guardRow();
    const account = this.#account === "" ? {} : { account: this.#account };
    this.record(securityEvent({ ...occurrence, ...account }, from, this.#owner.now()));
  }

  /**
   * Records an event with the decision that it is about: in the guard row, when a rule saves that next in the same turn,
   * and otherwise at the end of the turn. Both are one transaction with whatever else the turn has written.
   */
  record(event: SecurityEvent): void {
    if (this.#recorded === undefined) this.#guardRow();
    const recorded = [...(this.#recorded ?? []), event];
    this.#recorded = recorded.length > EVENTS_IN_GUARD ? [] : recorded;
    if (recorded.length > EVENTS_IN_GUARD) this.#outbox.keep(recorded);
    this.#owner.recorded(event);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(() => this.#isFlushDue && this.saveGuard(this.guard()));
  }

  /** What has been recorded and not yet shipped, the oldest first. */
  shipment(): Shipment | undefined {
    const kept = this.#outbox.next();
    if (kept) return kept;
    if (this.#recorded === undefined) this.#guardRow();
    const events = this.#recorded ?? [];
    if (events.length === 0) return undefined;
    return { events, forget: () => this.#forgetRecorded(events) };
  }

  #forgetRecorded(shipped: SecurityEvent[]): void {
    const ids = new Set(shipped.map(({ id }) => id));
    this.#recorded = (this.#recorded ?? []).filter(({ id }) => !ids.has(id));
    this.saveGuard(this.guard());
  }

  /** Forgets everything but which sessions have ended and what has been recorded, until that is told. */
  clear(): void {
    const floor = this.guard();
    if (this.#recorded && this.#recorded.length > 0) this.#outbox.keep(this.#recorded);
    this.#recorded = [];
    for (const { id } of this.sessions()) this.deleteSession(id, floor);
    this.#storedGuard = undefined;
    for (const table of ["guard", "factors"]) this.#sql.exec(`DELETE FROM ${table}`);
  }

  /** The guard row as it is, and with the first look what was recorded and not shipped before this object woke up. */
  #guardRow(): StoredGuard {
    const [row] = this.#sql.exec<Row>("SELECT state FROM guard WHERE id = 1").toArray();
    this.#storedGuard = row?.state;
    const guard = row ? (JSON.parse(row.state) as StoredGuard) : {};
    this.#recorded ??= guard.recorded ?? [];
    this.#account ||= guard.account ?? "";
    return guard;
  }

  #read<T>(query: string, ...bindings: string[]): T[] {
    return this.#sql
      .exec<Row>(query, ...bindings)
      .toArray()
      .map(({ state }) => JSON.parse(state) as T);
  }
}

type Row = { state: string };
type StoredGuard = Partial<Guard> & { recorded?: SecurityEvent[]; account?: string };
