-- What operators have asked for: inserted with wrangler, since the Cloudflare account is the authority, and executed by
-- the minute cron in the order of seq. A payload is cleared when its operation is done; an import's is enciphered.
CREATE TABLE operations (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('import_key', 'import_users', 'invite', 'reset_factors')),
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'lapsed')),
  payload TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  approved_by TEXT CHECK (approved_by <> requested_by),
  attempts INTEGER NOT NULL DEFAULT 0,
  begun_at INTEGER,
  finished_at INTEGER,
  result TEXT
);
CREATE INDEX operations_waiting ON operations (seq) WHERE state = 'waiting';
