import { timingSafeEqual } from "node:crypto";
import { sha256 } from "@noble/hashes/sha2.js";

/** SHA-256 of a secret in UTF-8, 64 lower-case hex digits. For random secrets alone: it is one step for whoever guesses. */
export function digestOfSecret(secret: string): string {
  const digest = sha256(new TextEncoder().encode(secret));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether a secret has this digest (64 hex digits). Takes as long for a wrong one as for the right one. */
export function hasDigest(secret: string, digest: string): boolean {
  const encoder = new TextEncoder();
  return timingSafeEqual(encoder.encode(digestOfSecret(secret)), encoder.encode(digest));
}
