import * as base64url from "jose/base64url";
import { type DataKey, decodeCanonical } from "../keys/seal.ts";

const MAC_BYTES = 32;

/** Base64url of the bytes with their HMAC-SHA-256 behind them. One of the bytes should be the id of the key. */
export async function authenticateBytes({ key }: DataKey, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const authenticated = new Uint8Array(bytes.length + MAC_BYTES);
  authenticated.set(bytes);
  authenticated.set(new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes)), bytes.length);
  return base64url.encode(authenticated);
}

/**
 * The `length` bytes that {@link authenticateBytes} was given. `keyOf` finds their key, before anything of them is
 * true. `undefined` for anything else: forged, cut, respelt, or of a key that is gone.
 */
export async function readAuthenticatedBytes(
  text: string,
  length: number,
  keyOf: (bytes: Uint8Array) => DataKey | undefined,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (text.length !== Math.ceil(((length + MAC_BYTES) * 4) / 3)) return undefined;
  const decoded = decodeCanonical(text);
  if (!decoded) return undefined;
  const bytes = decoded.slice(0, length);
  const key = keyOf(bytes)?.key;
  return key && (await crypto.subtle.verify("HMAC", key, decoded.subarray(length), bytes)) ? bytes : undefined;
}
