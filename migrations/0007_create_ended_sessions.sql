-- Sessions that have ended while an access token of them can still be taken somewhere: a copy of what account objects
-- have decided, for the signed list that other services ask for. Past entries go minute by minute. Whoever reads wants
-- all that is left, so there is no index by until.
CREATE TABLE ended_sessions (
  sid TEXT PRIMARY KEY,
  until INTEGER NOT NULL
) WITHOUT ROWID;
