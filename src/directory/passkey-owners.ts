/** Which account each passkey belongs to: the only SQL over it. A digest stands for a credential id. */
export interface PasskeyOwners {
  /** Claims a credential for an account. False when it is another account's: the primary key is the check. */
  claim(digest: string, userId: string): Promise<boolean>;
  /** Gives credentials of an account up. */
  release(digests: string[], userId: string): Promise<void>;
}

/** The passkey owners of one database. */
export function passkeyOwnersOf(db: D1Database): PasskeyOwners {
  return {
    async claim(digest, userId) {
      // Claiming anew what is one's own succeeds: a registration that broke off must be possible again.
      const insert =
        "INSERT INTO passkey_owners (digest, user_id) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET user_id = ?2 WHERE user_id = ?2 RETURNING digest";
      return (await db.prepare(insert).bind(digest, userId).first()) !== null;
    },
    async release(digests, userId) {
      if (digests.length === 0) return;
      const remove = db.prepare("DELETE FROM passkey_owners WHERE digest = ? AND user_id = ?");
      await db.batch(digests.map((digest) => remove.bind(digest, userId)));
    },
  };
}
