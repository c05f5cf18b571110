import { ENDED_SESSIONS_REMEMBERED_MS, REVOKED_SESSION_LISTED_MS, REVOKED_SESSIONS_MAX } from "../token-policy.ts";

/** A session that has ended, and until when that is listed (epoch milliseconds). */
export interface EndedSession {
  sid: string;
  until: number;
}

/** The sessions that were listed at a moment. Times in epoch milliseconds. */
export interface EndedSessionList {
  asOf: number;
  /** Sorted. */
  sids: string[];
  /** When the newest session ended that did not fit in; 0 where all did. */
  endedBefore: number;
}

/** The ended sessions: the only SQL over them. The authority is each account object; this is what it has told. */
export interface EndedSessions {
  /** Lists sessions; one that is listed already stays as it is. */
  add(ended: EndedSession[]): Promise<void>;
  /** Those listed at `now`, or a moment ago: an isolate remembers what it has read last. */
  list(now: number): Promise<EndedSessionList>;
  /** Forgets some of those that were listed up to `until`, and tells how many it has found. */
  forget(until: number, limit: number): Promise<number>;
}

/**
 * What this isolate has read last: anybody may ask, and D1 is asked about once a second. Only what has arrived is shared:
 * a read belongs to the request that began it, and is dropped with it.
 */
let lastRead: EndedSessionList | undefined;
/** Raised by whatever is told from here: a read that began before it may lack that. */
let told = 0;

function remembered(now: number): EndedSessionList | undefined {
  return lastRead && Math.abs(now - lastRead.asOf) < ENDED_SESSIONS_REMEMBERED_MS ? lastRead : undefined;
}

/** The ended sessions of one database. */
export function endedSessionsOf(db: D1Database): EndedSessions {
  return {
    async add(ended) {
      const insert = "INSERT OR IGNORE INTO ended_sessions SELECT value ->> 'sid', value ->> 'until' FROM json_each(?)";
      try {
        await db.prepare(insert).bind(JSON.stringify(ended)).run();
      } finally {
        // Even where its answer was lost: it may have been written.
        told += 1;
        lastRead = undefined;
      }
    },
    async list(now) {
      const known = remembered(now);
      if (known) return known;
      const before = told;
      const list = await read(db, now);
      // Whoever has asked at the same moment may have been quicker: one list is signed once.
      if (told === before) lastRead = remembered(now) ?? list;
      return told === before && lastRead ? lastRead : list;
    },
    async forget(until, limit) {
      const remove =
        "DELETE FROM ended_sessions WHERE sid IN (SELECT sid FROM ended_sessions WHERE until <= ? LIMIT ?)";
      const { meta } = await db.prepare(remove).bind(until, limit).run();
      return meta.changes;
    },
  };
}

async function read(db: D1Database, now: number): Promise<EndedSessionList> {
  const select = "SELECT sid, until FROM ended_sessions WHERE until > ? ORDER BY until DESC LIMIT ?";
  const { results } = await db
    .prepare(select)
    .bind(now, REVOKED_SESSIONS_MAX + 1)
    .all<EndedSession>();
  const omitted = results[REVOKED_SESSIONS_MAX];
  return {
    asOf: now,
    sids: results
      .slice(0, REVOKED_SESSIONS_MAX)
      .map(({ sid }) => sid)
      .sort(),
    endedBefore: omitted ? omitted.until - REVOKED_SESSION_LISTED_MS : 0,
  };
}
