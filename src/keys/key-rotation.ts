import { isKeyPurpose, type KeyPurpose, PURPOSE_RULES, rotates } from "./key-purposes.ts";
import type { DataKeyRecord, KeyLife, KeyRingRecord, SigningKeyRecord } from "./key-ring.ts";
import { activeFrom, completed, newDataKey, newSigningKey } from "./new-keys.ts";

// The life of keys: next, active, retired, gone. Every rule takes a record and gives the one that should replace it,
// which is the same object when nothing changes; that it is still the stored one is for the store to see to. `now` and
// other moments are epoch milliseconds, `periodMs` is how long an active key serves.

/** A key of either kind. */
export type KeyRecord = SigningKeyRecord | DataKeyRecord;
/** Why a key cannot be dropped, or a purpose not be rotated. */
export type KeyRefusal = "unknown_key" | "unknown_purpose" | "never_dropped" | "never_rotated" | "too_many_keys";

/** A wish to rotate the keys of a purpose. `by` is the operation that asks. */
export interface RotationRequest {
  purpose: string;
  by: string;
}
/** An emergency drop of the key of this name. `by` is the operation that asks. */
export interface Dropping {
  key: string;
  by: string;
}

/** Ids are one byte. The rest is for what rotates by itself while the oldest are not gone yet. */
const KEYS_OF_PURPOSE_MAX = 200;
/** Names every key that can be dropped, where the whole ring has leaked. */
const ALL_KEYS = "all";
/** So many drops are remembered: an operation is executed again within minutes or not at all. */
const DROPS_REMEMBERED = 20;

/** What a key is called: a kid, or purpose and id. */
export function nameOf(key: KeyRecord): string {
  return "kid" in key ? key.kid : `${key.purpose}.${key.id}`;
}

/** What a key is for. */
export function purposeOf(key: KeyRecord): KeyPurpose {
  return "kid" in key ? "signing" : key.purpose;
}

/** Every key, oldest first within its kind. */
export function keysOf({ signing, data }: KeyRingRecord): KeyRecord[] {
  return [...signing, ...data];
}

/**
 * When a key moves on: the next and the active one trade places at once, a retired one goes. `undefined`: not by itself.
 */
export function changesAt(record: KeyRingRecord, key: KeyRecord, periodMs: number): number | undefined {
  const { keptMs } = PURPOSE_RULES[purposeOf(key)];
  if (key.state !== "retired") return turnsAt(record, purposeOf(key), periodMs);
  return keptMs === undefined ? undefined : (key.retiredAt ?? key.createdAt) + keptMs;
}

/** When the next key of a purpose comes into use: after its lead, once its predecessor's time is up or somebody asks. */
function turnsAt(record: KeyRingRecord, purpose: KeyPurpose, periodMs: number): number | undefined {
  const keys = keysOf(record).filter((key) => purposeOf(key) === purpose);
  const active = keys.find(({ state }) => state === "active");
  const next = keys.find(({ state }) => state === "next");
  const rule = PURPOSE_RULES[purpose];
  if (!active || !next) return undefined;
  const mayAt = next.createdAt + rule.leadMs;
  if (next.askedBy) return mayAt;
  return rule.rotates === "by_itself" ? Math.max(mayAt, (active.activeAt ?? active.createdAt) + periodMs) : undefined;
}

/** The record after everything that is due: keys that trade places, retired ones that go, successors that are made. */
export async function turned(record: KeyRingRecord, now: number, periodMs: number): Promise<KeyRingRecord> {
  const isDue = (key: KeyRecord) => now >= (changesAt(record, key, periodMs) ?? Number.POSITIVE_INFINITY);
  if (!keysOf(record).some(isDue)) return completed(record, now);
  return completed(
    eachKey(record, (key) => (isDue(key) ? moved(key, now) : key)),
    now,
  );
}

/** The same key one state further; nothing when it goes. */
function moved<K extends KeyLife>(key: K, now: number): K | undefined {
  if (key.state === "next") return { ...key, state: "active", activeAt: now };
  return key.state === "active" ? { ...key, state: "retired", retiredAt: now } : undefined;
}

/** The record in which the next key of a purpose comes into use as soon as it may. */
export async function asked(
  record: KeyRingRecord,
  { purpose, by }: RotationRequest,
  now: number,
  periodMs: number,
): Promise<KeyRingRecord | KeyRefusal> {
  if (!isKeyPurpose(purpose)) return "unknown_purpose";
  if (!rotates(purpose)) return "never_rotated";
  // Executed twice: the key that it asked for may be the active one by now, and another one is not asked for.
  if (keysOf(record).some((key) => purposeOf(key) === purpose && key.askedBy?.includes(by))) return record;
  if (keysOf(record).filter((key) => purposeOf(key) === purpose).length > KEYS_OF_PURPOSE_MAX) return "too_many_keys";
  const marked = eachKey(await completed(record, now), (key) =>
    purposeOf(key) === purpose && key.state === "next" ? { ...key, askedBy: [...(key.askedBy ?? []), by] } : key,
  );
  return turned(marked, now, periodMs);
}

/**
 * The record after an emergency drop: the named key is gone, and with it every signing key but the next one, which signs
 * from now on, and every retired key whose work the drop ends anyway. The epoch is raised and `notBefore` is now, so that
 * whatever was issued before is over. `all` takes every key that can be dropped, the next ones too. Keys that stored
 * values name are never dropped: nobody could read those values again.
 */
export async function dropped(
  record: KeyRingRecord,
  { key: name, by }: Dropping,
  now: number,
): Promise<KeyRingRecord | KeyRefusal> {
  const { drops = [] } = record;
  // Executed twice: the key of that name has gone, and one that has its name by now is another.
  if (drops.some((drop) => drop.by === by)) return record;
  const isNamed = (key: KeyRecord) => (name === ALL_KEYS ? isDroppable(key) : nameOf(key) === name);
  const named = keysOf(record).filter(isNamed);
  if (named.length === 0) return "unknown_key";
  if (!named.every(isDroppable)) return "never_dropped";
  const next: KeyRingRecord = {
    ...record,
    epoch: record.epoch + 1,
    notBefore: Math.max(now, record.notBefore ?? 0),
    drops: [...drops, { key: name, by, at: now }].slice(-DROPS_REMEMBERED),
    signing: [await signingAfterDrop(record, isNamed, now)],
    data: dataAfterDrop(record.data, isNamed, now),
  };
  return completed(next, now);
}

/** Whether all that a key has made dies with the epoch. */
function isDroppable(key: KeyRecord): boolean {
  return PURPOSE_RULES[purposeOf(key)].keptMs !== undefined;
}

async function signingAfterDrop(
  { signing }: KeyRingRecord,
  isNamed: (key: KeyRecord) => boolean,
  now: number,
): Promise<SigningKeyRecord> {
  const next = signing.find((key) => key.state === "next" && !isNamed(key));
  return next ? { ...next, state: "active", activeAt: now } : newSigningKey(activeFrom(now));
}

/**
 * What a retired key has made is over; whoever has such a key could go on making it, with the new epoch in it. Links that
 * take back what a thief has begun are not over (tokens/one-time-link.ts): their keys stay unless it is one of them.
 */
function dataAfterDrop(data: DataKeyRecord[], isNamed: (key: KeyRecord) => boolean, now: number): DataKeyRecord[] {
  const isLinkNamed = data.some((key) => key.purpose === "link" && isNamed(key));
  const isOver = (key: DataKeyRecord) =>
    key.state === "retired" && isDroppable(key) && (key.purpose !== "link" || isLinkNamed);
  const kept = data.filter((key) => !isNamed(key) && !isOver(key));
  const lacking = new Set(data.map(({ purpose }) => purpose));
  for (const { purpose, state } of kept) if (state === "active") lacking.delete(purpose);
  const promoted = kept.map((key): DataKeyRecord => {
    if (key.state !== "next" || !lacking.has(key.purpose)) return key;
    lacking.delete(key.purpose);
    return { ...key, state: "active", activeAt: now };
  });
  return [...promoted, ...[...lacking].map((purpose) => newDataKey(data, purpose, activeFrom(now)))];
}

/** Names of keys that are in use after a change and were not before it. */
export function activated(before: KeyRingRecord, after: KeyRingRecord): string[] {
  const inUse = (record: KeyRingRecord) =>
    keysOf(record)
      .filter(({ state }) => state === "active")
      .map((key) => (purposeOf(key) === "signing" ? `signing ${nameOf(key)}` : nameOf(key)));
  const known = new Set(inUse(before));
  return inUse(after).filter((name) => !known.has(name));
}

function eachKey(record: KeyRingRecord, change: <K extends KeyRecord>(key: K) => K | undefined): KeyRingRecord {
  return {
    ...record,
    signing: record.signing.flatMap((key) => change(key) ?? []),
    data: record.data.flatMap((key) => change(key) ?? []),
  };
}
