-- Which account a passkey belongs to, by a keyed digest of its credential id: no id is known to two accounts.
CREATE TABLE passkey_owners (
  digest TEXT PRIMARY KEY,
  user_id TEXT NOT NULL
) WITHOUT ROWID;
