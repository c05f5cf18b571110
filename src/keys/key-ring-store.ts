import {
  completed,
  createKeyRingRecord,
  type KeyRing,
  type KeyRingRecord,
  missingPurposes,
  openKeyRing,
  sealRecord,
  unsealRecord,
  validUntil,
} from "./key-ring.ts";
import type { RootSecret } from "./root-secret.ts";

/** Where the ring is kept: D1 is the authority, KV holds a copy. */
export interface KeyRingBindings {
  DB: D1Database;
  KV: KVNamespace;
}

interface KeyRingCopy {
  version: number;
  validUntil: number;
  sealed: string;
}

const COPY_NAME = "key-ring";
const READ = "SELECT version, sealed FROM key_ring WHERE id = 1";

/**
 * Reads the key ring, makes it on first need, and completes one that an earlier version made. An instance is the memory
 * of one isolate: it believes a ring until its `validUntil`, and never goes back to an older version than it has seen.
 */
export class KeyRingStore {
  #roots: RootSecret[];
  #ring: KeyRing | undefined;
  #newestVersion = 0;

  constructor(roots: RootSecret[]) {
    this.#roots = roots;
  }

  /** The ring as of `now`: from memory, else the KV copy, else D1. Throws when no store answers. */
  async current(bindings: KeyRingBindings, now: number): Promise<KeyRing> {
    if (this.#ring && now < this.#ring.validUntil) return this.#ring;
    const ring = (await this.#fromCopy(bindings.KV, now)) ?? (await this.#fromRecord(bindings.DB, now));
    // Another read may have ended meanwhile: a slow one must not bring an older ring back.
    if (this.#ring && ring.version < this.#ring.version && now < this.#ring.validUntil) return this.#ring;
    if (ring.version < this.#newestVersion) throw new Error("the stored key ring is older than one already used");
    this.#newestVersion = ring.version;
    this.#ring = ring;
    return ring;
  }

  /** Writes the KV copy anew from D1. For the cron trigger alone: a request that wrote it could revive an old ring. */
  async publishCopy(bindings: KeyRingBindings, now: number): Promise<void> {
    const record = await this.#readRecord(bindings.DB, now);
    if (!record) return;
    const copy = { version: record.version, validUntil: validUntil(now) };
    const sealed = await sealRecord(record, this.#writingRoot(), placeOfCopy(copy));
    await bindings.KV.put(COPY_NAME, JSON.stringify({ ...copy, sealed } satisfies KeyRingCopy));
  }

  async #fromCopy(kv: KVNamespace, now: number): Promise<KeyRing | undefined> {
    try {
      const copy = await kv.get<KeyRingCopy>(COPY_NAME, "json");
      if (!copy || copy.validUntil <= now || copy.version < this.#newestVersion) return undefined;
      const record = await unsealRecord(copy.sealed, this.#roots, placeOfCopy(copy));
      if (!record || missingPurposes(record).length > 0) return undefined;
      return await openKeyRing(record, Math.min(copy.validUntil, validUntil(now)));
    } catch {
      // A copy is a convenience: whatever is wrong with it, the authority is asked.
      return undefined;
    }
  }

  async #fromRecord(db: D1Database, now: number): Promise<KeyRing> {
    const record = (await this.#readRecord(db, now)) ?? (await this.#createRecord(db, now));
    return openKeyRing(record, validUntil(now));
  }

  async #readRecord(db: D1Database, now: number): Promise<KeyRingRecord | undefined> {
    const record = await this.#unseal(await db.prepare(READ).first<Stored>());
    return record && missingPurposes(record).length > 0 ? this.#completeRecord(db, record, now) : record;
  }

  /**
   * Adds the keys that the record lacks, if it is still the one that was read, then reads back: of ten isolates that
   * arrive at once, one wins and all use its keys.
   */
  async #completeRecord(db: D1Database, record: KeyRingRecord, now: number): Promise<KeyRingRecord> {
    const next = completed(record, now);
    const sealed = await sealRecord(next, this.#writingRoot(), placeOfRecord(next.version));
    const update = "UPDATE key_ring SET version = ?, sealed = ? WHERE id = 1 AND version = ?";
    const [, kept] = await db.batch<Stored>([
      db.prepare(update).bind(next.version, sealed, record.version),
      db.prepare(READ),
    ]);
    const stored = await this.#unseal(kept?.results[0] ?? null);
    if (!stored || missingPurposes(stored).length > 0) throw new Error("the key ring changed while it was completed");
    return stored;
  }

  /**
   * Insert if there is none, then read back: of ten isolates that arrive at once, one wins and all use its ring. Where
   * there are accounts a missing ring was lost, and a new one would make every hash and every seal unreadable.
   */
  async #createRecord(db: D1Database, now: number): Promise<KeyRingRecord> {
    const record = await createKeyRingRecord(now);
    const sealed = await sealRecord(record, this.#writingRoot(), placeOfRecord(record.version));
    const insert =
      "INSERT INTO key_ring (id, version, sealed) SELECT 1, ?, ? WHERE NOT EXISTS (SELECT 1 FROM users) ON CONFLICT DO NOTHING";
    const [, kept] = await db.batch<Stored>([db.prepare(insert).bind(record.version, sealed), db.prepare(READ)]);
    const stored = await this.#unseal(kept?.results[0] ?? null);
    if (!stored) throw new Error("there are accounts but no key ring: restore the key_ring table");
    return stored;
  }

  async #unseal(stored: Stored | null): Promise<KeyRingRecord | undefined> {
    if (!stored) return undefined;
    const record = await unsealRecord(stored.sealed, this.#roots, placeOfRecord(stored.version));
    if (!record) throw new Error("ROOT_SECRET does not open the stored key ring: restore the secret that sealed it");
    return record;
  }

  #writingRoot(): RootSecret {
    const root = this.#roots[0];
    if (!root) throw new Error("no root secret");
    return root;
  }
}

interface Stored {
  version: number;
  sealed: string;
}

function placeOfRecord(version: number): string {
  return `record:${version}`;
}

function placeOfCopy(copy: { version: number; validUntil: number }): string {
  return `copy:${copy.version}:${copy.validUntil}`;
}

const stores = new Map<string, KeyRingStore>();

/**
 * The store of this isolate: objects and requests that run in one isolate share its memory, so that waking an object
 * costs no read. `rootSecret` has been checked by `parseRootSecrets`.
 */
export function keyRingOfIsolate(rootSecret: string, roots: RootSecret[]): KeyRingStore {
  const store = stores.get(rootSecret) ?? new KeyRingStore(roots);
  stores.set(rootSecret, store);
  return store;
}
