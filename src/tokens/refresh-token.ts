import { base64url } from "jose";
import type { KeyRing } from "../keys/key-ring.ts";
import { decodeCanonical } from "../keys/seal.ts";

/** What a refresh token names. `secret` is the 128 random bits that the session has kept since it was opened. */
export interface RefreshTokenParts {
  accountId: string;
  sessionId: string;
  generation: number;
  secret: Uint8Array<ArrayBuffer>;
}

// version 1 ‖ key id 1 ‖ epoch 4 ‖ account 16 ‖ session 16 ‖ generation 4 ‖ secret 16 ‖ HMAC-SHA-256 32: ninety bytes,
// a multiple of three, so that base64url has neither padding nor spare bits and a token has exactly one spelling.
const PREFIX = "rt_";
const VERSION = 1;
const OFFSET = { keyId: 1, epoch: 2, account: 6, session: 22, generation: 38, secret: 42, mac: 58, end: 90 } as const;

/** Makes the token of one generation of a session, authenticated by the ring's refresh key. */
export async function makeRefreshToken(ring: KeyRing, parts: RefreshTokenParts): Promise<string> {
  const { id, key } = ring.active("refresh");
  const bytes = new Uint8Array(OFFSET.end);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[OFFSET.keyId] = id;
  view.setUint32(OFFSET.epoch, ring.epoch);
  bytes.set(bytesOfUuid(parts.accountId), OFFSET.account);
  bytes.set(bytesOfUuid(parts.sessionId), OFFSET.session);
  view.setUint32(OFFSET.generation, parts.generation);
  bytes.set(parts.secret, OFFSET.secret);
  bytes.set(new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes.subarray(0, OFFSET.mac))), OFFSET.mac);
  return PREFIX + base64url.encode(bytes);
}

/**
 * Reads a refresh token that this service made in the current epoch; `undefined` for anything else, so that a forged
 * one wakes no object. Whether its generation is the current one is the account object's to say.
 */
export async function readRefreshToken(ring: KeyRing, token: string): Promise<RefreshTokenParts | undefined> {
  if (!token.startsWith(PREFIX) || token.length !== PREFIX.length + (OFFSET.end / 3) * 4) return undefined;
  const bytes = decodeCanonical(token.slice(PREFIX.length));
  if (!bytes || bytes.length !== OFFSET.end || bytes[0] !== VERSION) return undefined;
  const key = ring.byId("refresh")(bytes[OFFSET.keyId] ?? 0)?.key;
  const signed = bytes.subarray(0, OFFSET.mac);
  if (!key || !(await crypto.subtle.verify("HMAC", key, bytes.subarray(OFFSET.mac), signed))) return undefined;
  const view = new DataView(bytes.buffer);
  if (view.getUint32(OFFSET.epoch) !== ring.epoch) return undefined;
  return {
    accountId: uuidOfBytes(bytes.subarray(OFFSET.account, OFFSET.session)),
    sessionId: uuidOfBytes(bytes.subarray(OFFSET.session, OFFSET.generation)),
    generation: view.getUint32(OFFSET.generation),
    secret: bytes.slice(OFFSET.secret, OFFSET.mac),
  };
}

function bytesOfUuid(uuid: string): Uint8Array {
  return Uint8Array.from(uuid.replaceAll("-", "").match(/../g) ?? [], (hex) => Number.parseInt(hex, 16));
}

function uuidOfBytes(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
