import { timingSafeEqual } from "node:crypto";
import * as base64url from "jose/base64url";
import type { KeyRing } from "../../keys/key-ring.ts";
import type { Argon2id } from "../argon2id.ts";
import type { ForeignFunction, ForeignHash } from "./foreign-hash.ts";
import { foreignTag } from "./schemes.ts";

/**
 * What the directory holds of an imported hash, as JSON: never the tag that the other service had stored, but
 * HMAC-SHA-256 of it under the pepper that `pepperId` names. So a stolen database is worth no more than for our own.
 */
export interface StoredForeignHash {
  made: ForeignFunction;
  salt: string;
  /** Bytes of the other service's tag. */
  tagBytes: number;
  pepperId: number;
  tag: string;
}

/** An imported hash as the directory holds it. */
export async function storeForeignHash(ring: KeyRing, { made, salt, tag }: ForeignHash): Promise<string> {
  const pepper = ring.active("pepper");
  const peppered = base64url.encode(await keyed(pepper.key, tag));
  const stored = {
    made,
    salt: base64url.encode(salt),
    tagBytes: tag.length,
    pepperId: pepper.id,
    tag: peppered,
  };
  return JSON.stringify(stored satisfies StoredForeignHash);
}

/** Whether the directory holds an imported hash here; our own are PHC strings. */
export function isForeignHash(stored: string): boolean {
  return stored.startsWith("{");
}

/** Compares a password, as it was typed, with what {@link storeForeignHash} wrote, in constant time for the tag. */
export async function matchesForeignHash(
  argon2: Argon2id,
  ring: KeyRing,
  stored: string,
  typed: string,
): Promise<boolean> {
  const { made, salt, tagBytes, pepperId, tag } = JSON.parse(stored) as StoredForeignHash;
  const pepper = ring.byId("pepper")(pepperId);
  if (!pepper) throw new Error("a stored password hash cannot be read");
  const foreign = await foreignTag(argon2, made, typed, base64url.decode(salt), tagBytes);
  return timingSafeEqual(base64url.decode(tag), await keyed(pepper.key, foreign));
}

async function keyed(pepper: CryptoKey, tag: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", pepper, tag));
}
