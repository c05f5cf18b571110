/** A person who may sign in. Times in epoch milliseconds. */
export interface User {
  id: string;
  /** As typed; where mail goes. */
  email: string;
  emailKey: string;
  /** Whether somebody has shown to read its mail. Without that nobody signs in. */
  emailVerified: boolean;
  /** PHC string, a hash that was imported, or nothing where there is no password (`passwords/password-hash.ts`). */
  password: string;
  /** Raised by each change of password, address, status or roles. */
  passwordVersion: number;
  status: "active" | "disabled" | "closed";
  roles: string[];
  createdAt: number;
}

/** Whether somebody may sign in at all. */
export function isOpen({ status, emailVerified }: User): boolean {
  return status === "active" && emailVerified;
}

/** The users table: the only SQL over it. Read on the primary, since every read decides something. */
export interface Users {
  findByEmailKey(emailKey: string): Promise<User | undefined>;
  findById(id: string): Promise<User | undefined>;
  /** Whether an address has an account, or is kept for one that may still ask for it back. */
  isTaken(emailKey: string, now: number): Promise<boolean>;
  /** For which account an address is kept that it has left. */
  keptFor(emailKey: string, now: number): Promise<string | undefined>;
  /**
   * Adds a verified user. False when the address is taken: the unique key is the check, and a reservation that lasts
   * beyond the moment of creation is part of the same statement.
   */
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

const COLUMNS = "id, email, email_key, email_verified, password, password_version, status, roles, created_at";

/** The reservation of an email key (1) at a moment (2). */
const RESERVED = "SELECT 1 FROM reserved_emails WHERE email_key = ?1 AND until > ?2";

/** The users of one database. */
export function usersOf(db: D1Database): Users {
  return {
    async findByEmailKey(emailKey) {
      return userOf(await db.prepare(`SELECT ${COLUMNS} FROM users WHERE email_key = ?`).bind(emailKey).first<Row>());
    },
    async findById(id) {
      return userOf(await db.prepare(`SELECT ${COLUMNS} FROM users WHERE id = ?`).bind(id).first<Row>());
    },
    async isTaken(emailKey, now) {
      const taken = `SELECT 1 FROM users WHERE email_key = ?1 UNION ALL ${RESERVED} LIMIT 1`;
      return (await db.prepare(taken).bind(emailKey, now).first()) !== null;
    },
    async keptFor(emailKey, now) {
      const select = "SELECT user_id FROM reserved_emails WHERE email_key = ? AND until > ?";
      return (await db.prepare(select).bind(emailKey, now).first<{ user_id: string }>())?.user_id;
    },
    async add({ id, email, emailKey, password, createdAt }) {
      const insert = `INSERT INTO users (email_key, created_at, id, email, password) SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (${RESERVED}) ON CONFLICT DO NOTHING RETURNING id`;
      return (await db.prepare(insert).bind(emailKey, createdAt, id, email, password).first()) !== null;
    },
    async rehash(id, from, to) {
      await db.prepare("UPDATE users SET password = ? WHERE id = ? AND password = ?").bind(to, id, from).run();
    },
  };
}

interface Row {
  id: string;
  email: string;
  email_key: string;
  email_verified: number;
  password: string;
  password_version: number;
  status: User["status"];
  roles: string;
  created_at: number;
}

function userOf(row: Row | null): User | undefined {
  if (!row) return undefined;
  const { id, email, password, status } = row;
  return {
    id,
    email,
    emailKey: row.email_key,
    emailVerified: row.email_verified === 1,
    password,
    passwordVersion: row.password_version,
    status,
    roles: JSON.parse(row.roles) as string[],
    createdAt: row.created_at,
  };
}
