import * as base64url from "jose/base64url";
import { calculateJwkThumbprint } from "jose/jwk/thumbprint";
import { exportJWK } from "jose/key/export";
import { type DataKeyPurpose, FIRST_PURPOSES, LATER_PURPOSES, rotates } from "./key-purposes.ts";
import type { DataKeyRecord, KeyLife, KeyRingRecord, SigningKeyRecord } from "./key-ring.ts";

/** Key ids travel as one byte, and 0 is none. */
const LAST_ID = 255;

/**
 * A first ring: one random key a purpose, and its successor where the purpose rotates. Whether it becomes *the* ring is
 * decided by the store that keeps it. `now` in epoch milliseconds.
 */
export async function createKeyRingRecord(now: number): Promise<KeyRingRecord> {
  const purposes = [...FIRST_PURPOSES, ...LATER_PURPOSES];
  const first: KeyRingRecord = {
    version: 1,
    epoch: 1,
    signing: [await newSigningKey(activeFrom(now))],
    data: purposes.map((purpose) => newDataKey([], purpose, activeFrom(now))),
  };
  return completed(first, now);
}

/** Purposes that a record lacks since an earlier version made it, before they existed. */
export function missingPurposes({ data }: KeyRingRecord): DataKeyPurpose[] {
  return LATER_PURPOSES.filter((purpose) => data.every((key) => key.purpose !== purpose));
}

/**
 * The record with a random key for each purpose that it lacks, and with a successor for each active key that should have
 * one. Every key it has stays, and so does its epoch: nothing that was made before becomes unreadable. The same record
 * when it lacks nothing.
 */
export async function completed(record: KeyRingRecord, now: number): Promise<KeyRingRecord> {
  const { signing } = record;
  const added = missingPurposes(record).map((purpose) => newDataKey(record.data, purpose, activeFrom(now)));
  const data = [...record.data, ...added];
  const successors = data
    .filter(({ purpose, state }) => state === "active" && rotates(purpose))
    .filter(({ purpose }) => !data.some((key) => key.purpose === purpose && key.state === "next"))
    .map(({ purpose }) => newDataKey(data, purpose, nextFrom(now)));
  const lacksNext = !signing.some(({ state }) => state === "next");
  if (!lacksNext && added.length + successors.length === 0) return record;
  return {
    ...record,
    signing: lacksNext ? [...signing, await newSigningKey(nextFrom(now))] : signing,
    data: [...data, ...successors],
  };
}

/** A random ES256 key. Its kid is its thumbprint (RFC 7638). */
export async function newSigningKey(life: KeyLife): Promise<SigningKeyRecord> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const jwk = await exportJWK((pair as CryptoKeyPair).privateKey);
  return { kid: await calculateJwkThumbprint(jwk), ...life, jwk: jwk as JsonWebKey };
}

/** A random symmetric key of 256 bits. `among` are the keys there are. */
export function newDataKey(among: DataKeyRecord[], purpose: DataKeyPurpose, life: KeyLife): DataKeyRecord {
  const secret = base64url.encode(crypto.getRandomValues(new Uint8Array(32)));
  const used = among.filter((key) => key.purpose === purpose).map(({ id }) => id);
  return { id: freeId(used), purpose, ...life, secret };
}

/** The life of a key that is in use from now on. */
export function activeFrom(now: number): KeyLife {
  return { state: "active", createdAt: now, activeAt: now };
}

/** The life of a key that is published from now on. */
export function nextFrom(now: number): KeyLife {
  return { state: "next", createdAt: now };
}

/** Counts up from the youngest key and begins again at 1, so that an id rests as long as can be before it comes back. */
function freeId(used: number[]): number {
  const youngest = used.at(-1) ?? 0;
  for (let step = 1; step <= LAST_ID; step += 1) {
    const id = ((youngest + step - 1) % LAST_ID) + 1;
    if (!used.includes(id)) return id;
  }
  throw new Error("the key ring has 255 keys of one purpose");
}
