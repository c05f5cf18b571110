import { type KeyList, listKeys } from "./key-list.ts";
import {
  type KeyRing,
  type KeyRingRecord,
  openKeyRing,
  sealRecord,
  unsealRecord,
  unsealWithRoot,
  validUntil,
} from "./key-ring.ts";
import {
  activated,
  asked,
  type Dropping,
  dropped,
  type KeyRefusal,
  type RotationRequest,
  turned,
} from "./key-rotation.ts";
import { completed, createKeyRingRecord, missingPurposes } from "./new-keys.ts";
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

interface Stored {
  version: number;
  sealed: string;
}

/** A record as it was read, and which of the root secrets opened it. */
interface Opened {
  record: KeyRingRecord;
  root: number;
}

/** What should replace a record; the same object when it is to stay. */
type Change = (opened: Opened) => Promise<KeyRingRecord | KeyRefusal>;

const COPY_NAME = "key-ring";
const READ = "SELECT version, sealed FROM key_ring WHERE id = 1";
/** Others change the ring once in months, twenty isolates at once when one of an earlier version is completed. */
const CHANGE_ATTEMPTS = 5;
/** A copy is written again when the ring has changed while it was written. */
const COPY_ATTEMPTS = 3;

/**
 * Reads the key ring, makes it on first need, and changes it. An instance is the memory of one isolate: it believes a
 * ring until its `validUntil`, and never goes back to an older version than it has seen. Every change is one guarded
 * write over the version that was read; who comes too late reads again and applies his rule to what he finds.
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
    return this.#remember((await this.#fromCopy(bindings.KV, now)) ?? (await this.#fromRecord(bindings.DB, now)), now);
  }

  /**
   * Does what is due at `now`, then writes the KV copy: the minute cron's work, and nothing while there is no ring yet.
   * `periodMs`: how long an active key serves. Names the keys that have come into use.
   */
  async turn(bindings: KeyRingBindings, periodMs: number, now: number): Promise<string[]> {
    let before: KeyRingRecord | undefined;
    const outcome = await this.#change(bindings.DB, ({ record }) => {
      before = record;
      return turned(record, now, periodMs);
    });
    if (!before || typeof outcome !== "object") return [];
    await this.#publish(bindings, outcome, now);
    return activated(before, outcome);
  }

  /** Brings the next key of a purpose into use as soon as it may be. Once for each operation that asks. */
  rotate(
    bindings: KeyRingBindings,
    request: RotationRequest,
    periodMs: number,
    now: number,
  ): Promise<KeyRingRecord | KeyRefusal> {
    return this.#changeAndPublish(bindings, ({ record }) => asked(record, request, now, periodMs), now);
  }

  /** The emergency drop. Once for each operation that asks. */
  drop(bindings: KeyRingBindings, dropping: Dropping, now: number): Promise<KeyRingRecord | KeyRefusal> {
    return this.#changeAndPublish(bindings, ({ record }) => dropped(record, dropping, now), now);
  }

  /** Seals the stored ring under the first root secret, unless it is. */
  rewrap(bindings: KeyRingBindings, now: number): Promise<KeyRingRecord | KeyRefusal> {
    return this.#changeAndPublish(bindings, async ({ record, root }) => (root === 0 ? record : { ...record }), now);
  }

  /** What may be said of the stored ring. */
  async list({ DB }: KeyRingBindings, periodMs: number, now: number): Promise<KeyList> {
    const { record, root } = (await this.#read(DB)) ?? (await this.#create(DB, now));
    const seal = { sealed_by: root === 0 ? "first" : "other", root_secrets: this.#roots.length } as const;
    return { ...listKeys(record, periodMs), ...seal };
  }

  /** Another read may have ended meanwhile: a slow one must not bring an older ring back. */
  #remember(ring: KeyRing, now: number): KeyRing {
    if (this.#ring && ring.version < this.#ring.version && now < this.#ring.validUntil) return this.#ring;
    if (ring.version < this.#newestVersion) throw new Error("the stored key ring is older than one already used");
    this.#newestVersion = ring.version;
    this.#ring = ring;
    return ring;
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
    const { record } = (await this.#read(db)) ?? (await this.#create(db, now));
    if (missingPurposes(record).length === 0) return openKeyRing(record, validUntil(now));
    // Of ten isolates that find the ring of an earlier version, one completes it and all use its keys.
    const whole = await this.#change(db, async (opened) => completed(opened.record, now));
    if (typeof whole !== "object") throw new Error("the key ring was lost while it was completed");
    return openKeyRing(whole, validUntil(now));
  }

  async #changeAndPublish(bindings: KeyRingBindings, change: Change, now: number): Promise<KeyRingRecord | KeyRefusal> {
    const outcome = await this.#change(bindings.DB, change);
    if (outcome === undefined) throw new Error("there is no key ring to change");
    // What is done is done. KV takes one write a second, which may have been the cron's; the next one is a minute away.
    if (typeof outcome === "object") await this.#publish(bindings, outcome, now).catch(() => undefined);
    return outcome;
  }

  /** Replaces the record by what the rule makes of it, if it is still the one that the rule has seen; else once more. */
  async #change(db: D1Database, change: Change): Promise<KeyRingRecord | KeyRefusal | undefined> {
    for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
      const opened = await this.#read(db);
      if (!opened) return undefined;
      const outcome = await change(opened);
      if (typeof outcome !== "object" || outcome === opened.record) return outcome;
      const { version } = opened.record;
      const next = { ...outcome, version: version + 1 };
      const sealed = await sealRecord(next, this.#writingRoot(), placeOfRecord(next.version));
      const update = "UPDATE key_ring SET version = ?, sealed = ? WHERE id = 1 AND version = ?";
      const { meta } = await db.prepare(update).bind(next.version, sealed, version).run();
      if (meta.changes === 1) return next;
    }
    throw new Error("the key ring changed each time it was about to be changed");
  }

  /**
   * Believes this record from now on, here, and writes the copy. For the cron trigger and the operators' commands alone:
   * a request that wrote it could revive an old ring. Looks again afterwards, so that of two that write at once the
   * slower one does not leave the older ring behind; what it leaves for a moment is good for five minutes of its `now`.
   */
  async #publish(bindings: KeyRingBindings, record: KeyRingRecord, now: number): Promise<void> {
    let newest = record;
    for (let attempt = 0; attempt < COPY_ATTEMPTS; attempt += 1) {
      if (newest.version >= this.#newestVersion) {
        this.#remember(await openKeyRing(newest, validUntil(now)), now);
        await this.#writeCopy(bindings.KV, newest, now);
      }
      const stored = await this.#read(bindings.DB);
      if (!stored || stored.record.version === newest.version) return;
      newest = stored.record;
    }
  }

  async #writeCopy(kv: KVNamespace, record: KeyRingRecord, now: number): Promise<void> {
    const copy = { version: record.version, validUntil: validUntil(now) };
    const sealed = await sealRecord(record, this.#writingRoot(), placeOfCopy(copy));
    await kv.put(COPY_NAME, JSON.stringify({ ...copy, sealed } satisfies KeyRingCopy));
  }

  /**
   * Insert if there is none, then read back: of ten isolates that arrive at once, one wins and all use its ring. Where
   * there are accounts a missing ring was lost, and a new one would make every hash and every seal unreadable.
   */
  async #create(db: D1Database, now: number): Promise<Opened> {
    const record = await createKeyRingRecord(now);
    const sealed = await sealRecord(record, this.#writingRoot(), placeOfRecord(record.version));
    const insert =
      "INSERT INTO key_ring (id, version, sealed) SELECT 1, ?, ? WHERE NOT EXISTS (SELECT 1 FROM users) ON CONFLICT DO NOTHING";
    const [, kept] = await db.batch<Stored>([db.prepare(insert).bind(record.version, sealed), db.prepare(READ)]);
    const stored = await this.#unseal(kept?.results[0] ?? null);
    if (!stored) throw new Error("there are accounts but no key ring: restore the key_ring table");
    return stored;
  }

  async #read(db: D1Database): Promise<Opened | undefined> {
    return this.#unseal(await db.prepare(READ).first<Stored>());
  }

  async #unseal(stored: Stored | null): Promise<Opened | undefined> {
    if (!stored) return undefined;
    const opened = await unsealWithRoot(stored.sealed, this.#roots, placeOfRecord(stored.version));
    if (!opened) throw new Error("ROOT_SECRET does not open the stored key ring: restore the secret that sealed it");
    return opened;
  }

  #writingRoot(): RootSecret {
    const root = this.#roots[0];
    if (!root) throw new Error("no root secret");
    return root;
  }
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
