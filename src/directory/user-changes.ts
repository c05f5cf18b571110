/** Which version of a user a change starts from: it is made only if the directory still holds that one. */
export interface UserVersion {
  id: string;
  passwordVersion: number;
}

/** An address, and the key that stands for it. */
export interface Address {
  email: string;
  emailKey: string;
}

/**
 * Changes of a user, each one guarded statement (docs/architecture.md): false, and nothing has happened, when the user is
 * not at that version any more. Each raises the version. Times in epoch milliseconds.
 */
export interface UserChanges {
  /** Sets a password. `provesAddress`: whoever chose it came by a link to the stored address. */
  setPassword(user: UserVersion, password: string, provesAddress: boolean): Promise<boolean>;
  /** Moves the account to another address and keeps the old one for it. False as well when the address is taken. */
  changeEmail(user: UserVersion & Address, to: Address, keepUntil: number, now: number): Promise<boolean>;
  /** Gives the account an address back that was kept for it, with another password. It is not closed then. */
  restoreEmail(user: UserVersion, to: Address, password: string): Promise<boolean>;
  /** Replaces the password by one that signs nobody in, and calls a deletion off. */
  freeze(user: UserVersion, password: string): Promise<boolean>;
  /** Closes the account; at `deletesAt` the minute cron looks whether it is to go. */
  close(user: UserVersion, deletesAt: number): Promise<boolean>;
  /** Opens an account again that was to be deleted. */
  reopen(user: UserVersion): Promise<boolean>;
  /** Has an operator close an active account, or open one that was closed so. */
  setDisabled(user: UserVersion, isDisabled: boolean): Promise<boolean>;
  /** Gives the account other roles. */
  setRoles(user: UserVersion, roles: string[]): Promise<boolean>;
  /** Lets go of the addresses that were kept for an account long enough. */
  releaseAddresses(id: string, now: number): Promise<void>;
  /** Removes a closed account and all that the directory has about it, but for the appointment of its deletion. */
  remove(id: string): Promise<void>;
}

// In each statement ?1 is the user and ?2 the version that the change starts from.
const AT_VERSION = "id = ?1 AND password_version = ?2";
const NEXT = "password_version = ?2 + 1";
/** Whether a statement before this one in the same transaction has made the change. */
const MADE = `EXISTS (SELECT 1 FROM users WHERE id = ?1 AND ${NEXT})`;
const REOPENED = "status = CASE status WHEN 'closed' THEN 'active' ELSE status END";
const CALLED_OFF = `DELETE FROM appointments WHERE user_id = ?1 AND ${MADE}`;
const callAt = (kind: string) =>
  `INSERT INTO appointments SELECT ?1, '${kind}', ?3 WHERE ${MADE} ON CONFLICT DO UPDATE SET due_at = excluded.due_at`;

const SET_PASSWORD = `UPDATE users SET password = ?3, email_verified = max(email_verified, ?4), ${NEXT} WHERE ${AT_VERSION}`;
const MOVE = `UPDATE OR IGNORE users SET email = ?3, email_key = ?4, ${NEXT} WHERE ${AT_VERSION}
  AND NOT EXISTS (SELECT 1 FROM reserved_emails WHERE email_key = ?4 AND user_id <> ?1 AND until > ?5)`;
const KEEP_ADDRESS = `INSERT INTO reserved_emails SELECT ?4, ?1, ?3 WHERE ${MADE}
  ON CONFLICT DO UPDATE SET user_id = excluded.user_id, until = excluded.until`;
/** Only to an address that was kept for it. */
const RESTORE = `UPDATE users SET email = ?3, email_key = ?4, password = ?5, ${REOPENED}, ${NEXT} WHERE ${AT_VERSION}
  AND EXISTS (SELECT 1 FROM reserved_emails WHERE email_key = ?4 AND user_id = ?1)`;
const RELEASE_ADDRESS = `DELETE FROM reserved_emails WHERE user_id = ?1 AND ${MADE}`;
const FREEZE = `UPDATE users SET password = ?3, ${REOPENED}, ${NEXT} WHERE ${AT_VERSION}`;
const CLOSE = `UPDATE users SET status = 'closed', ${NEXT} WHERE ${AT_VERSION} AND status = 'active'`;
const REOPEN = `UPDATE users SET status = 'active', ${NEXT} WHERE ${AT_VERSION} AND status = 'closed'`;
const SET_STATUS = `UPDATE users SET status = ?3, ${NEXT} WHERE ${AT_VERSION} AND status = ?4`;
const SET_ROLES = `UPDATE users SET roles = ?3, ${NEXT} WHERE ${AT_VERSION}`;

// The appointment of the deletion stays until the account object has forgotten as well.
const REMOVE = [
  "DELETE FROM users WHERE id = ? AND status = 'closed'",
  "DELETE FROM reserved_emails WHERE user_id = ?",
  "DELETE FROM appointments WHERE user_id = ? AND kind <> 'deletion'",
];

/** The changes of one database. What a password may be is for `passwords/password-hash.ts` to say. */
export function userChangesOf(db: D1Database): UserChanges {
  /** Runs statements as one transaction. The first one is the check, and the others do nothing where it failed. */
  const change = async ({ id, passwordVersion }: UserVersion, ...statements: [string, ...unknown[]][]) => {
    const prepared = statements.map(([sql, ...values]) => db.prepare(sql).bind(id, passwordVersion, ...values));
    const [first] = await db.batch(prepared);
    return first?.meta.changes === 1;
  };
  return {
    setPassword: (user, password, provesAddress) => change(user, [SET_PASSWORD, password, provesAddress ? 1 : 0]),
    changeEmail: (user, { email, emailKey }, keepUntil, now) =>
      change(user, [MOVE, email, emailKey, now], [KEEP_ADDRESS, keepUntil, user.emailKey], [callAt("undo"), keepUntil]),
    restoreEmail: (user, { email, emailKey }, password) =>
      change(user, [RESTORE, email, emailKey, password], [RELEASE_ADDRESS], [CALLED_OFF]),
    freeze: (user, password) => change(user, [FREEZE, password], [`${CALLED_OFF} AND kind <> 'undo'`]),
    close: (user, deletesAt) => change(user, [CLOSE], [callAt("deletion"), deletesAt]),
    reopen: (user) => change(user, [REOPEN], [`${CALLED_OFF} AND kind = 'deletion'`]),
    setDisabled: (user, isDisabled) =>
      change(user, isDisabled ? [SET_STATUS, "disabled", "active"] : [SET_STATUS, "active", "disabled"]),
    setRoles: (user, roles) => change(user, [SET_ROLES, JSON.stringify(roles)]),
    releaseAddresses: async (id, now) => {
      await db.prepare("DELETE FROM reserved_emails WHERE user_id = ? AND until <= ?").bind(id, now).run();
    },
    remove: async (id) => {
      await db.batch(REMOVE.map((sql) => db.prepare(sql).bind(id)));
    },
  };
}
