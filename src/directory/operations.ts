/** What operators can ask for. */
export type OperationKind =
  | "import_key"
  | "import_users"
  | "invite"
  | "reset_factors"
  | "list_keys"
  | "rotate_key"
  | "drop_key"
  | "rewrap_keys"
  | "verify_events"
  | "grant_admin"
  | "revoke_admin"
  | "disable_account"
  | "enable_account"
  | "sign_out_account"
  | "unlock_account"
  | "unlock_source";

/** An operation that is being executed. */
export interface Operation {
  id: string;
  /** One of {@link OperationKind}, unless a newer version's command or a slip of the hand has written it. */
  kind: string;
  payload: string;
  requestedBy: string;
  /** Of a reset of factors: who has approved it. */
  approvedBy?: string;
  /** How often it was begun, this time included. */
  attempts: number;
}

/** Which operation may be executed now. Times in epoch milliseconds. */
export interface Turn {
  now: number;
  /** What was begun before this and is not done was interrupted. */
  begunBefore: number;
  /** Whether a reset of factors waits for a second operator. */
  needsApproval: boolean;
}

/** The operations table: the only SQL over it but for the operators' commands, which insert and approve. */
export interface Operations {
  /** Takes the oldest operation that may be executed, an emergency drop before all others. The write is the check, so of two crons one gets it. */
  begin(turn: Turn): Promise<Operation | undefined>;
  /** Keeps what came of an operation in place of what it was given. `payload`: what has to outlive it, sealed. */
  finish(id: string, result: object, now: number, payload?: string): Promise<void>;
  /** The sealed private part of an import key made after `madeAfter`. */
  importKey(id: string, madeAfter: number): Promise<string | undefined>;
  /** Forgets import keys made up to `until`. */
  forgetImportKeys(until: number): Promise<void>;
  /** Gives up resets of factors asked for up to `until` that nobody has approved. */
  lapseResets(until: number, now: number): Promise<void>;
  /** Asks for a reset of factors that waits for approval. False, and nothing is asked, when one waits for it already. */
  askReset(asked: AskedReset & { id: string; now: number }): Promise<boolean>;
  /** The reset of an account that waits for approval. */
  waitingReset(asked: Omit<AskedReset, "by">): Promise<WaitingReset | undefined>;
  /** Approves a reset and begins it. The write is the check: once, in time, and never by who has asked for it. */
  approveReset(id: string, by: string, askedAfter: number, now: number): Promise<boolean>;
}

/** A reset of factors that an admin asks for. Times in epoch milliseconds. */
export interface AskedReset {
  /** Every name by which somebody may have asked for a reset of this account, its id the first. */
  names: [id: string, ...others: string[]];
  by: string;
  /** What was asked for before this has lapsed. */
  askedAfter: number;
}

/** A reset of factors that nobody has approved yet. */
export interface WaitingReset {
  id: string;
  requestedBy: string;
  requestedAt: number;
}

/** The operations of one database. */
export function operationsOf(db: D1Database): Operations {
  return {
    async begin({ now, begunBefore, needsApproval }) {
      const row = await db.prepare(BEGIN).bind(now, begunBefore, Number(needsApproval)).first<Row>();
      if (!row) return undefined;
      const { requested_by: requestedBy, approved_by, ...rest } = row;
      return { ...rest, requestedBy, ...(approved_by === null ? {} : { approvedBy: approved_by }) };
    },
    async finish(id, result, now, payload = "") {
      const update =
        "UPDATE operations SET state = 'done', result = ?, finished_at = ?, payload = ? WHERE id = ? AND state = 'waiting'";
      await db.prepare(update).bind(JSON.stringify(result), now, payload, id).run();
    },
    async importKey(id, madeAfter) {
      const select =
        "SELECT payload FROM operations WHERE id = ? AND kind = 'import_key' AND state = 'done' AND finished_at > ?";
      return (await db.prepare(select).bind(id, madeAfter).first<string>("payload")) ?? undefined;
    },
    async forgetImportKeys(until) {
      const update =
        "UPDATE operations SET payload = '' WHERE kind = 'import_key' AND state = 'done' AND payload <> '' AND finished_at <= ?";
      await db.prepare(update).bind(until).run();
    },
    async lapseResets(until, now) {
      const update =
        "UPDATE operations SET state = 'lapsed', payload = '', finished_at = ? WHERE kind = 'reset_factors' AND state = 'waiting' AND approved_by IS NULL AND requested_at <= ?";
      await db.prepare(update).bind(now, until).run();
    },
    ...approvalsOf(db),
  };
}

function approvalsOf(db: D1Database): Pick<Operations, "askReset" | "waitingReset" | "approveReset"> {
  return {
    async askReset({ id, names, by, askedAfter, now }) {
      const insert = `INSERT INTO operations (id, kind, payload, requested_by, requested_at)
        SELECT ?3, 'reset_factors', ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 ${WAITING_RESETS}) RETURNING id`;
      const payload = JSON.stringify({ account: names[0] });
      const bound = db.prepare(insert).bind(askedAfter, JSON.stringify(names), id, payload, by, now);
      return (await bound.first()) !== null;
    },
    async waitingReset({ names, askedAfter }) {
      const select = `SELECT id, requested_by AS requestedBy, requested_at AS requestedAt ${WAITING_RESETS} ORDER BY seq LIMIT 1`;
      return (await db.prepare(select).bind(askedAfter, JSON.stringify(names)).first<WaitingReset>()) ?? undefined;
    },
    async approveReset(id, by, askedAfter, now) {
      const update = `UPDATE operations SET approved_by = ?2, begun_at = ?3, attempts = attempts + 1
        WHERE id = ?1 AND kind = 'reset_factors' AND state = 'waiting' AND approved_by IS NULL
          AND requested_by <> ?2 AND requested_at > ?4 RETURNING id`;
      return (await db.prepare(update).bind(id, by, now, askedAfter).first()) !== null;
    },
  };
}

interface Row extends Omit<Operation, "requestedBy" | "approvedBy"> {
  requested_by: string;
  approved_by: string | null;
}

/** Resets that can be approved: asked for after ?1, of an account that has one of the names ?2. */
const WAITING_RESETS = `FROM operations WHERE kind = 'reset_factors' AND state = 'waiting' AND approved_by IS NULL
  AND requested_at > ?1 AND payload ->> 'account' IN (SELECT value FROM json_each(?2))`;

/** Parameters: now, begun before, whether a reset needs approval. */
const BEGIN = `
  UPDATE operations SET begun_at = ?1, attempts = attempts + 1 WHERE seq = (
    SELECT seq FROM operations
    WHERE state = 'waiting' AND (begun_at IS NULL OR begun_at <= ?2)
      AND (?3 = 0 OR kind <> 'reset_factors' OR approved_by IS NOT NULL)
    ORDER BY kind = 'drop_key' DESC, seq LIMIT 1
  ) RETURNING id, kind, payload, requested_by, approved_by, attempts`;
