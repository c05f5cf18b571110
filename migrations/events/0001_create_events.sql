-- What has happened, one row an event. seq is the order of arrival, which is what the chain, the detectors and the pages
-- of a list go by. An event arrives once: whoever ships it again ships the same id. Ids begin with their time (UUIDv7), so
-- the index that keeps them unique also lists an account's events in order. Events nobody has to look for (`routine`) are
-- in no other index, because each index is a row more for every sign-in.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  account TEXT NOT NULL,
  source TEXT NOT NULL,
  routine INTEGER NOT NULL,
  detail TEXT NOT NULL
);
CREATE UNIQUE INDEX events_once ON events (account, id);
CREATE INDEX events_by_kind ON events (kind, seq) WHERE routine = 0;
CREATE INDEX events_by_source ON events (source, seq) WHERE routine = 0;
