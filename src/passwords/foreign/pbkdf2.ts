import { FOREIGN_PBKDF2_ITERATIONS } from "../../policy.ts";
import type { ForeignPbkdf2, Read } from "./foreign-hash.ts";
import { bytesOfBase64, hasUsualSizes } from "./spellings.ts";

/** Django, whose salt is text: `pbkdf2_sha256$<iterations>$<salt>$<hash>`. */
const DJANGO = /^pbkdf2_(sha1|sha256)\$(\d{1,10})\$([^$]+)\$([^$]+)$/;
/** passlib and PHC: `$pbkdf2-sha256$<iterations>$<salt>$<hash>`, or with `i=<iterations>,l=<length>`. */
const PHC = /^\$pbkdf2(?:-(sha1|sha256|sha512))?\$(?:i=)?(\d{1,10})(?:,l=\d{1,4})?\$([^$]+)\$([^$]+)$/;

const HASHES = { sha1: "SHA-1", sha256: "SHA-256", sha512: "SHA-512" } as const;
const BLOCK_BYTES = { "SHA-1": 20, "SHA-256": 32, "SHA-512": 64 } as const;

/** Reads a hash of PBKDF2. Of a tag longer than one block of its hash the first block is kept: each costs as much again. */
export function readPbkdf2(text: string): Read<ForeignPbkdf2> {
  if (!/^(\$pbkdf2[-$]|pbkdf2_)/.test(text)) return undefined;
  const django = DJANGO.exec(text);
  const [, name = "sha1", digits, saltText = "", encoded = ""] = django ?? PHC.exec(text) ?? [];
  const salt = django ? new TextEncoder().encode(saltText) : bytesOfBase64(saltText);
  const tag = bytesOfBase64(encoded);
  if (!salt || !tag) {
    return { malformed: "is not a PBKDF2 hash of the form $pbkdf2-sha256$iterations$salt$hash or Django's" };
  }
  const iterations = Number(digits);
  if (iterations === 0 || !hasUsualSizes(salt, tag)) return { malformed: "has parameters that no PBKDF2 hash has" };
  const hash = HASHES[name as keyof typeof HASHES];
  return { made: { scheme: "pbkdf2", hash, iterations }, salt, tag: tag.slice(0, BLOCK_BYTES[hash]) };
}

/** Why a hash costs more than a sign-in may take, if it does. */
export function excessOfPbkdf2({ iterations }: ForeignPbkdf2): string | undefined {
  const most = FOREIGN_PBKDF2_ITERATIONS;
  return iterations > most ? `PBKDF2 with more than ${most} iterations` : undefined;
}

/** The tag of a password (RFC 8018 §5.2). */
export async function tagOfPbkdf2(
  { hash, iterations }: ForeignPbkdf2,
  password: string,
  salt: Uint8Array,
  tagBytes: number,
): Promise<Uint8Array> {
  const material = new TextEncoder().encode(password);
  const key = await crypto.subtle.importKey("raw", material, "PBKDF2", false, ["deriveBits"]);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash, salt, iterations }, key, tagBytes * 8));
}
