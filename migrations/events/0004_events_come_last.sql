-- Events come after all others, and without a gap. Elsewhere than at the end one would break the chain; behind the largest
-- number SQLite would give others at random; and -1 is what a trigger sees of each that has no number yet, so that an
-- event of that number would let none arrive any more.
CREATE TRIGGER events_come_last AFTER INSERT ON events
WHEN NEW.seq <> 1 + coalesce((SELECT seq FROM events WHERE seq <> NEW.seq ORDER BY seq DESC LIMIT 1), 0) BEGIN
  SELECT RAISE(ABORT, 'events come after all others');
END;
