import * as base64url from "jose/base64url";

/** A symmetric key of the ring. `id` is one byte and travels with whatever the key made. */
export interface DataKey {
  id: number;
  key: CryptoKey;
}

const IV_BYTES = 12;
const encoder = new TextEncoder();

/**
 * AES-256-GCM under a key of the ring: base64url of key id ‖ IV ‖ ciphertext ‖ tag.
 * `context` is authenticated with it, so that a sealed value cannot be moved to another place.
 */
export async function seal(by: DataKey, plaintext: Uint8Array, context: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const parameters = { name: "AES-GCM", iv, additionalData: encoder.encode(context) };
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt(parameters, by.key, plaintext));
  const sealed = new Uint8Array(1 + IV_BYTES + ciphertext.length);
  sealed[0] = by.id;
  sealed.set(iv, 1);
  sealed.set(ciphertext, 1 + IV_BYTES);
  return base64url.encode(sealed);
}

/** Opens what {@link seal} made. `undefined` for anything else: forged, cut, respelt, moved, or of a key that is gone. */
export async function unseal(
  keyById: (id: number) => DataKey | undefined,
  sealed: string,
  context: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = decodeCanonical(sealed);
  const by = bytes && keyById(bytes[0] ?? 0);
  if (!bytes || !by) return undefined;
  const iv = bytes.subarray(1, 1 + IV_BYTES);
  const parameters = { name: "AES-GCM", iv, additionalData: encoder.encode(context) };
  try {
    return new Uint8Array(await crypto.subtle.decrypt(parameters, by.key, bytes.subarray(1 + IV_BYTES)));
  } catch {
    return undefined;
  }
}

/** Bytes of a base64url text in its one canonical spelling; `undefined` for padding, spaces or stray trailing bits. */
export function decodeCanonical(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  try {
    const bytes = new Uint8Array(base64url.decode(text));
    return base64url.encode(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}
