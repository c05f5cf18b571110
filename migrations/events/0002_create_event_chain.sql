-- The chain over what has arrived (src/events/chain.ts): one row a page, written by the minute cron alone. number is the
-- previous one's plus one, so that of two crons the primary key lets one link. prefixes: 16 hexadecimal digits of the link
-- of each event of the page, so that a broken one can be named.
CREATE TABLE event_chain (
  number INTEGER PRIMARY KEY,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  made_at INTEGER NOT NULL,
  hash TEXT NOT NULL,
  prefixes TEXT NOT NULL
);

-- How far the chain had come each hour, signed.
CREATE TABLE event_checkpoints (
  number INTEGER PRIMARY KEY,
  page INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  hash TEXT NOT NULL,
  at INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  public_key TEXT NOT NULL,
  signature TEXT NOT NULL
);

-- What retention has removed, signed: every page up to `page`, in `count` events, the last of them `last_seq`.
CREATE TABLE event_stubs (
  number INTEGER PRIMARY KEY,
  page INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  hash TEXT NOT NULL,
  count INTEGER NOT NULL,
  at INTEGER NOT NULL,
  key_id INTEGER NOT NULL,
  public_key TEXT NOT NULL,
  signature TEXT NOT NULL
);

-- What is stored stays as it is, and goes only when a stub says so. REPLACE fires no trigger of deletion, so whatever is
-- there already is passed over before it is inserted: for a shipment that is repeated this is the same as DO NOTHING.
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN
  SELECT RAISE(ABORT, 'events are never changed');
END;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events
WHEN OLD.seq > coalesce((SELECT last_seq FROM event_stubs ORDER BY number DESC LIMIT 1), 0) BEGIN
  SELECT RAISE(ABORT, 'events are removed by retention alone');
END;
CREATE TRIGGER events_arrive_once BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE account = NEW.account AND id = NEW.id) BEGIN
  SELECT RAISE(IGNORE);
END;
CREATE TRIGGER events_keep_their_place BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE seq = NEW.seq) BEGIN
  SELECT RAISE(ABORT, 'events are never replaced');
END;

CREATE TRIGGER event_chain_stays BEFORE UPDATE ON event_chain BEGIN
  SELECT RAISE(ABORT, 'the chain is never changed');
END;
CREATE TRIGGER event_chain_is_kept BEFORE DELETE ON event_chain
WHEN OLD.number > coalesce((SELECT page FROM event_stubs ORDER BY number DESC LIMIT 1), 0) BEGIN
  SELECT RAISE(ABORT, 'the chain is shortened by retention alone');
END;
CREATE TRIGGER event_chain_links_once BEFORE INSERT ON event_chain
WHEN EXISTS (SELECT 1 FROM event_chain WHERE number = NEW.number) BEGIN
  SELECT RAISE(IGNORE);
END;

CREATE TRIGGER event_checkpoints_stay BEFORE UPDATE ON event_checkpoints BEGIN
  SELECT RAISE(ABORT, 'checkpoints are never changed');
END;
CREATE TRIGGER event_checkpoints_are_kept BEFORE DELETE ON event_checkpoints BEGIN
  SELECT RAISE(ABORT, 'checkpoints are never removed');
END;
CREATE TRIGGER event_checkpoints_are_set_once BEFORE INSERT ON event_checkpoints
WHEN EXISTS (SELECT 1 FROM event_checkpoints WHERE number = NEW.number) BEGIN
  SELECT RAISE(IGNORE);
END;

CREATE TRIGGER event_stubs_stay BEFORE UPDATE ON event_stubs BEGIN
  SELECT RAISE(ABORT, 'stubs are never changed');
END;
CREATE TRIGGER event_stubs_are_kept BEFORE DELETE ON event_stubs BEGIN
  SELECT RAISE(ABORT, 'stubs are never removed');
END;
CREATE TRIGGER event_stubs_are_left_once BEFORE INSERT ON event_stubs
WHEN EXISTS (SELECT 1 FROM event_stubs WHERE number = NEW.number) BEGIN
  SELECT RAISE(IGNORE);
END;
