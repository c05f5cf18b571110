import * as base64url from "jose/base64url";
import { calculateJwkThumbprint } from "jose/jwk/thumbprint";
import { exportJWK } from "jose/key/export";
import { KEY_RING_TTL_MS } from "../token-policy.ts";
import type { RootSecret } from "./root-secret.ts";
import { type DataKey, seal, unseal } from "./seal.ts";

/** Purposes of the first version. A record without one of them is damaged: a new pepper would make every hash wrong. */
const FIRST_PURPOSES = ["seal", "challenge", "refresh", "link", "pepper", "digest"] as const;
/** Purposes that came later: a record of an earlier version is completed with them. */
const LATER_PURPOSES = ["recovery", "handle", "assertion"] as const;

/** What a symmetric key is for. No key serves two purposes, so nothing made for one can be passed off as another. */
export type DataKeyPurpose = (typeof FIRST_PURPOSES | typeof LATER_PURPOSES)[number];

const ENCRYPTING: ReadonlySet<DataKeyPurpose> = new Set(["seal", "link"]);

/** A public signing key as the JWKS shows it. */
export interface PublicJwk {
  kty: "EC";
  crv: "P-256";
  x: string;
  y: string;
  use: "sig";
  alg: "ES256";
  kid: string;
}

/** The ring as it is sealed and stored. Times in epoch milliseconds. */
export interface KeyRingRecord {
  version: number;
  /** Raised by an emergency drop: credentials of an older epoch are refused everywhere. */
  epoch: number;
  signing: { kid: string; state: "active"; createdAt: number; jwk: JsonWebKey }[];
  data: { id: number; purpose: DataKeyPurpose; state: "active"; createdAt: number; secret: string }[];
}

/** The ring in memory, keys imported and not extractable. Believed until `validUntil`. */
export interface KeyRing {
  version: number;
  epoch: number;
  validUntil: number;
  signing: { kid: string; key: CryptoKey };
  verifying: ReadonlyMap<string, CryptoKey>;
  jwks: PublicJwk[];
  active(purpose: DataKeyPurpose): DataKey;
  byId(purpose: DataKeyPurpose): (id: number) => DataKey | undefined;
}

/** A first ring: one random key a purpose. Whether it becomes *the* ring is decided by the store that keeps it. */
export async function createKeyRingRecord(now: number): Promise<KeyRingRecord> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const jwk = await exportJWK((pair as CryptoKeyPair).privateKey);
  const kid = await calculateJwkThumbprint(jwk);
  return {
    version: 1,
    epoch: 1,
    signing: [{ kid, state: "active", createdAt: now, jwk: jwk as JsonWebKey }],
    data: [...FIRST_PURPOSES, ...LATER_PURPOSES].map((purpose) => newDataKey(purpose, now)),
  };
}

/** What a record lacks that an earlier version made, before these purposes existed. */
export function missingPurposes({ data }: KeyRingRecord): DataKeyPurpose[] {
  return LATER_PURPOSES.filter((purpose) => data.every((key) => key.purpose !== purpose));
}

/**
 * The next version of a record, with a random key for each purpose that it lacks. Every key it has stays, and so does
 * its epoch: nothing that was made before becomes unreadable. Whether it becomes *the* ring is decided by the store.
 */
export function completed(record: KeyRingRecord, now: number): KeyRingRecord {
  const added = missingPurposes(record).map((purpose) => newDataKey(purpose, now));
  return { ...record, version: record.version + 1, data: [...record.data, ...added] };
}

/** Seals a record under the root secret. `place` keeps a KV copy from being read as the record and the reverse. */
export async function sealRecord(record: KeyRingRecord, root: RootSecret, place: string): Promise<string> {
  const plaintext = new TextEncoder().encode(JSON.stringify(record));
  return seal({ id: 1, key: await wrappingKey(root) }, plaintext, `key-ring:${place}`);
}

/** Opens a sealed record with whichever root secret fits; `undefined` when none does. */
export async function unsealRecord(
  sealed: string,
  roots: RootSecret[],
  place: string,
): Promise<KeyRingRecord | undefined> {
  for (const root of roots) {
    const key = await wrappingKey(root);
    const plaintext = await unseal((id) => ({ id, key }), sealed, `key-ring:${place}`);
    if (plaintext) return JSON.parse(new TextDecoder().decode(plaintext)) as KeyRingRecord;
  }
  return undefined;
}

/** Imports every key of a record. `validUntil` bounds how long this copy may be believed. */
export async function openKeyRing(record: KeyRingRecord, validUntil: number): Promise<KeyRing> {
  const signing = record.signing.find((key) => key.state === "active");
  if (!signing) throw new Error("the key ring has no active signing key");
  const dataKeys = await Promise.all(record.data.map(importDataKey));
  const keyOf = (purpose: DataKeyPurpose, id: number) =>
    dataKeys.find((key) => key.purpose === purpose && key.id === id);
  return {
    version: record.version,
    epoch: record.epoch,
    validUntil,
    signing: { kid: signing.kid, key: await importEs256(signing.jwk, "sign") },
    verifying: new Map(
      await Promise.all(
        record.signing.map(async ({ kid, jwk }) => [kid, await importEs256(publicPart(jwk), "verify")] as const),
      ),
    ),
    jwks: record.signing.map(({ kid, jwk }) => publicJwk(kid, jwk)),
    active(purpose) {
      const key = dataKeys.find((candidate) => candidate.purpose === purpose && candidate.state === "active");
      if (!key) throw new Error(`the key ring has no active key for "${purpose}"`);
      return key;
    },
    byId: (purpose) => (id) => keyOf(purpose, id),
  };
}

/** Until when a ring read at `now` may be believed. */
export function validUntil(now: number): number {
  return now + KEY_RING_TTL_MS;
}

function newDataKey(purpose: DataKeyPurpose, now: number): KeyRingRecord["data"][number] {
  const secret = base64url.encode(crypto.getRandomValues(new Uint8Array(32)));
  return { id: 1, purpose, state: "active", createdAt: now, secret };
}

async function wrappingKey(root: RootSecret): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", root, "HKDF", false, ["deriveKey"]);
  const info = new TextEncoder().encode("sallyport key ring");
  const parameters = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  return crypto.subtle.deriveKey(parameters, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

async function importDataKey({ id, purpose, state, secret }: KeyRingRecord["data"][number]) {
  const raw = new Uint8Array(base64url.decode(secret));
  const key = ENCRYPTING.has(purpose)
    ? await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"])
    : await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
  return { id, purpose, state, key };
}

function importEs256(jwk: JsonWebKey, usage: "sign" | "verify"): Promise<CryptoKey> {
  return crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, [usage]);
}

function publicPart({ kty, crv, x, y }: JsonWebKey): JsonWebKey {
  return { kty, crv, x, y } as JsonWebKey;
}

function publicJwk(kid: string, { x, y }: JsonWebKey): PublicJwk {
  return { kty: "EC", crv: "P-256", x: x ?? "", y: y ?? "", use: "sig", alg: "ES256", kid };
}
