import * as base64url from "jose/base64url";
import { KEY_RING_TTL_MS } from "../token-policy.ts";
import { importSignatureKey } from "./attestation.ts";
import { type DataKeyPurpose, PURPOSE_RULES } from "./key-purposes.ts";
import type { RootSecret } from "./root-secret.ts";
import { type DataKey, seal, unseal } from "./seal.ts";

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

/** Where a key is in its life; what is gone is no longer in the record. */
export type KeyState = "next" | "active" | "retired";

/** The life of a key. Times in epoch milliseconds. */
export interface KeyLife {
  state: KeyState;
  /** When it was made, and so published. */
  createdAt: number;
  /** When it came into use; absent in records of an earlier version, whose keys were in use from the start. */
  activeAt?: number;
  /** When its successor came into use. */
  retiredAt?: number;
  /** Operations that asked for it to come into use. */
  askedBy?: string[];
}

/** A private signing key at rest. */
export interface SigningKeyRecord extends KeyLife {
  kid: string;
  jwk: JsonWebKey;
}

/** A symmetric key, or the seed of an Ed25519 key, at rest. `id` is one byte, 1 to 255. */
export interface DataKeyRecord extends KeyLife {
  id: number;
  purpose: DataKeyPurpose;
  secret: string;
}

/** An emergency drop that was executed. */
export interface Drop {
  key: string;
  /** The operation that asked for it. */
  by: string;
  /** Epoch milliseconds. */
  at: number;
}

/** The ring as it is sealed and stored. Keys stand in the order in which they were made. */
export interface KeyRingRecord {
  version: number;
  /** Raised by an emergency drop: credentials of an older epoch are refused everywhere. */
  epoch: number;
  /** When the last emergency drop was, epoch milliseconds; absent when there was none. */
  notBefore?: number;
  /** The last drops, so that one that is executed twice drops one key. */
  drops?: Drop[];
  signing: SigningKeyRecord[];
  data: DataKeyRecord[];
}

/** The ring in memory, keys imported and not extractable. Believed until `validUntil`. */
export interface KeyRing {
  version: number;
  epoch: number;
  /** Access tokens issued before this moment are over: the last emergency drop. Epoch milliseconds, 0 when there was none. */
  notBefore: number;
  validUntil: number;
  signing: { kid: string; key: CryptoKey };
  /** By kid, all that the JWKS lists: a token of an isolate with a newer or an older ring is a token too. */
  verifying: ReadonlyMap<string, CryptoKey>;
  /** The next, the active and the retired keys, oldest first: the same in every isolate. */
  jwks: PublicJwk[];
  active(purpose: DataKeyPurpose): DataKey;
  byId(purpose: DataKeyPurpose): (id: number) => DataKey | undefined;
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
  return (await unsealWithRoot(sealed, roots, place))?.record;
}

/** The same, and which of the root secrets it was: 0 is the one that seals. */
export async function unsealWithRoot(
  sealed: string,
  roots: RootSecret[],
  place: string,
): Promise<{ record: KeyRingRecord; root: number } | undefined> {
  for (const [root, secret] of roots.entries()) {
    const key = await wrappingKey(secret);
    const plaintext = await unseal((id) => ({ id, key }), sealed, `key-ring:${place}`);
    if (plaintext) return { record: JSON.parse(new TextDecoder().decode(plaintext)) as KeyRingRecord, root };
  }
  return undefined;
}

/**
 * Imports every key of a record. `validUntil` bounds how long this copy may be believed. Throws when no key signs or two
 * have one name: of such a ring nobody could say which key made what.
 */
export async function openKeyRing(record: KeyRingRecord, validUntil: number): Promise<KeyRing> {
  const signing = record.signing.find((key) => key.state === "active");
  if (!signing) throw new Error("the key ring has no active signing key");
  const names = [...record.signing.map(({ kid }) => kid), ...record.data.map(({ purpose, id }) => `${purpose}.${id}`)];
  if (new Set(names).size < names.length) throw new Error("the key ring has two keys of one name");
  const dataKeys = await Promise.all(record.data.map(importDataKey));
  const keyOf = (purpose: DataKeyPurpose, id: number) =>
    dataKeys.find((key) => key.purpose === purpose && key.id === id);
  return {
    version: record.version,
    epoch: record.epoch,
    notBefore: record.notBefore ?? 0,
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

async function wrappingKey(root: RootSecret): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey("raw", root, "HKDF", false, ["deriveKey"]);
  const info = new TextEncoder().encode("sallyport key ring");
  const parameters = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  return crypto.subtle.deriveKey(parameters, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

async function importDataKey({ id, purpose, state, secret }: DataKeyRecord) {
  const raw = new Uint8Array(base64url.decode(secret));
  const { algorithm } = PURPOSE_RULES[purpose];
  if (algorithm === "Ed25519") return { id, purpose, state, ...(await importSignatureKey(raw)) };
  const key =
    algorithm === "AES-256-GCM"
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
