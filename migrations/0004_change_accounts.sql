-- An account whose address nobody has proven yet (only imports make one) cannot sign in before a reset by mail.
ALTER TABLE users ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 1 CHECK (email_verified IN (0, 1));
-- The address that an account has left: nobody else may take it while its owner can still ask for it back.
CREATE TABLE reserved_emails (
  email_key TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;
-- When the minute cron has to look at an account. A wake-up call and nothing more: the account object decides what is due.
CREATE TABLE appointments (
  user_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('recovery', 'deletion', 'undo')),
  due_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, kind)
) WITHOUT ROWID;
CREATE INDEX appointments_by_due_at ON appointments (due_at);
