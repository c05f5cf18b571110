/** What an import adds to the directory. Times in epoch milliseconds. */
export interface NewImportedUser {
  id: string;
  email: string;
  emailKey: string;
  emailVerified: boolean;
  status: "active" | "disabled";
  /** An imported hash, or nothing where there is none that can be compared. */
  password: string;
  roles: string[];
  createdAt: number;
}

/** Many users at once: the SQL over the users table for imports, in a few statements whatever their number. */
export interface ImportedUsers {
  /** Whose account each of these email keys is; keys without one are left out. */
  ownersOf(emailKeys: string[]): Promise<Map<string, string>>;
  /** Adds those whose address is free, not even reserved. The unique key is the check; the others are left untouched. */
  add(users: NewImportedUser[], now: number): Promise<void>;
}

/** The imported users of one database. */
export function importedUsersOf(db: D1Database): ImportedUsers {
  return {
    async ownersOf(emailKeys) {
      const select = "SELECT email_key, id FROM users WHERE email_key IN (SELECT value FROM json_each(?))";
      const { results } = await db
        .prepare(select)
        .bind(JSON.stringify(emailKeys))
        .all<{ email_key: string; id: string }>();
      return new Map(results.map(({ email_key, id }) => [email_key, id]));
    },
    async add(users, now) {
      await db.prepare(ADD).bind(JSON.stringify(users), now).run();
    },
  };
}

/** Parameters: the users as JSON, now. */
const ADD = `
  INSERT INTO users (id, email, email_key, email_verified, status, password, roles, created_at)
  SELECT value ->> 'id', value ->> 'email', value ->> 'emailKey', value ->> 'emailVerified', value ->> 'status', value ->> 'password',
    value -> 'roles', value ->> 'createdAt'
  FROM json_each(?1)
  WHERE NOT EXISTS (SELECT 1 FROM reserved_emails WHERE email_key = value ->> 'emailKey' AND until > ?2)
  ON CONFLICT DO NOTHING`;
