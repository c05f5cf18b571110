-- What operators can ask for is known to the code that executes it, and no longer to a list here: SQLite cannot change a
-- CHECK, so that each new kind would need a new table.
CREATE TABLE operations_of_any_kind (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
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
INSERT INTO operations_of_any_kind
  SELECT seq, id, kind, state, payload, requested_by, requested_at, approved_by, attempts, begun_at, finished_at, result
  FROM operations;
DROP TABLE operations;
ALTER TABLE operations_of_any_kind RENAME TO operations;
CREATE INDEX operations_waiting ON operations (seq) WHERE state = 'waiting';
