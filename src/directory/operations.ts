/** What operators can ask for. */
export type OperationKind =
  | "import_key"
  | "import_users"
  | "invite"
  | "reset_factors"
  | "list_keys"
  | "rotate_key"
  | "drop_key"
  | "rewrap_keys";

/** An operation that is being executed. */
export interface Operation {
  id: string;
  /** One of {@link OperationKind}, unless a newer version's command or a slip of the hand has written it. */
  kind: string;
  payload: string;
  requestedBy: string;
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
}

/** The operations of one database. */
export function operationsOf(db: D1Database): Operations {
  return {
    async begin({ now, begunBefore, needsApproval }) {
      const row = await db.prepare(BEGIN).bind(now, begunBefore, Number(needsApproval)).first<Row>();
      return row ? { ...row, requestedBy: row.requested_by } : undefined;
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
  };
}

interface Row extends Omit<Operation, "requestedBy"> {
  requested_by: string;
}

/** Parameters: now, begun before, whether a reset needs approval. */
const BEGIN = `
  UPDATE operations SET begun_at = ?1, attempts = attempts + 1 WHERE seq = (
    SELECT seq FROM operations
    WHERE state = 'waiting' AND (begun_at IS NULL OR begun_at <= ?2)
      AND (?3 = 0 OR kind <> 'reset_factors' OR approved_by IS NOT NULL)
    ORDER BY kind = 'drop_key' DESC, seq LIMIT 1
  ) RETURNING id, kind, payload, requested_by, attempts`;
