-- The key ring: exactly one row, sealed by ROOT_SECRET. The fixed primary key is what makes ten isolates that ask at
-- once agree on one ring; version rises with every change, so that an old copy is told from a new one.
CREATE TABLE key_ring (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL,
  sealed TEXT NOT NULL
);
