import type { KeyRing } from "./key-ring.ts";
import type { DataKey } from "./seal.ts";

/** HMAC-SHA-256 over a text, in 64 hexadecimal digits. */
export async function keyedHash({ key }: DataKey, text: string): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text));
  return Array.from(new Uint8Array(mac), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A name for something that must not be readable where it is kept: 128 bits in hexadecimal, the same each time. */
export async function keyedDigest(ring: KeyRing, text: string): Promise<string> {
  return (await keyedHash(ring.active("digest"), text)).slice(0, 32);
}

/** The name of an email key, known or not, where no address of a person may stand. */
export function emailDigest(ring: KeyRing, emailKey: string): Promise<string> {
  return keyedDigest(ring, `email:${emailKey}`);
}
