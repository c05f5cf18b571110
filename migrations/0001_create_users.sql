-- Who may sign in. The email key decides identity (one account an address); the email is what the person typed and
-- where mail goes. Every change of the password raises password_version.
CREATE TABLE users (
  id TEXT PRIMARY KEY,
  email TEXT NOT NULL,
  email_key TEXT NOT NULL UNIQUE,
  password TEXT NOT NULL,
  password_version INTEGER NOT NULL DEFAULT 1,
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled', 'closed')),
  roles TEXT NOT NULL DEFAULT '[]',
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
