-- How far the minute cron has read the events, for detectors and counts alike, and when operators were mailed. One row.
-- A step is one transaction that moves `pass` by one: of two that began at the same pass, one finds NULL where a number
-- has to be, and all of it is as if it had never been.
CREATE TABLE detection (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  pass INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  mail TEXT NOT NULL
);
INSERT INTO detection SELECT 1, 0, coalesce(max(seq), 0), '{}' FROM events;

-- What each detector keeps of the events in its window. `behind`: how far it has come, where that is less than the others,
-- because it has failed as often as `tries` says. No row yet: it begins where the others are.
CREATE TABLE detectors (
  name TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  behind INTEGER,
  tries INTEGER NOT NULL
) WITHOUT ROWID;

-- How many events of a kind a minute and an hour had (`span`, milliseconds), by the events' own time, and between which
-- numbers of arrival they lie: that is what leads a question about time to the events. The empty kind stands for all.
CREATE TABLE counts (
  span INTEGER NOT NULL,
  kind TEXT NOT NULL,
  at INTEGER NOT NULL,
  count INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  PRIMARY KEY (span, kind, at)
) WITHOUT ROWID;

-- One row a pattern and subject, for as long as it goes on. Ids begin with the time at which it was opened (UUIDv7).
CREATE TABLE alerts (
  id TEXT PRIMARY KEY,
  pattern TEXT NOT NULL,
  subject TEXT NOT NULL,
  severity TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  addresses INTEGER NOT NULL,
  sources INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX alerts_by_subject ON alerts (pattern, subject, id);

-- What an alert has still to cause: a post to the webhook, a mail to one address, a reaction. Written in the transaction
-- of the alert, gone when it is done. The id is the same at every try.
CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  channel TEXT NOT NULL,
  target TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX deliveries_by_due ON deliveries (due_at);
