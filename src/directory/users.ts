/** A person who may sign in. Times in epoch milliseconds. */
export interface User {
  id: string;
  /** As typed; where mail goes. */
  email: string;
  /** PHC string. */
  password: string;
  passwordVersion: number;
  status: "active" | "disabled" | "closed";
  roles: string[];
}

/** The users table: the only SQL over it. Read on the primary, since every read decides something. */
export interface Users {
  findByEmailKey(emailKey: string): Promise<User | undefined>;
  findById(id: string): Promise<User | undefined>;
  /** Adds a verified user. False when the address already has an account: the unique key is the check. */
  add(user: NewUser): Promise<boolean>;
  /** Replaces a hash by a stronger one of the same password. Does nothing when the password changed meanwhile. */
  rehash(id: string, from: string, to: string): Promise<void>;
}

/** What a verified registration adds. */
export interface NewUser {
  id: string;
  email: string;
  emailKey: string;
  password: string;
  createdAt: number;
}

const COLUMNS = "id, email, password, password_version, status, roles";

/** The users of one database. */
export function usersOf(db: D1Database): Users {
  return {
    async findByEmailKey(emailKey) {
      return userOf(await db.prepare(`SELECT ${COLUMNS} FROM users WHERE email_key = ?`).bind(emailKey).first<Row>());
    },
    async findById(id) {
      return userOf(await db.prepare(`SELECT ${COLUMNS} FROM users WHERE id = ?`).bind(id).first<Row>());
    },
    async add({ id, email, emailKey, password, createdAt }) {
      const insert =
        "INSERT INTO users (id, email, email_key, password, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id";
      return (await db.prepare(insert).bind(id, email, emailKey, password, createdAt).first()) !== null;
    },
    async rehash(id, from, to) {
      await db.prepare("UPDATE users SET password = ? WHERE id = ? AND password = ?").bind(to, id, from).run();
    },
  };
}

interface Row {
  id: string;
  email: string;
  password: string;
  password_version: number;
  status: User["status"];
  roles: string;
}

function userOf(row: Row | null): User | undefined {
  if (!row) return undefined;
  const { id, email, password, password_version, status, roles } = row;
  return { id, email, password, passwordVersion: password_version, status, roles: JSON.parse(roles) as string[] };
}
