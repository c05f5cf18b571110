import { scryptSync } from "node:crypto";
import { FOREIGN_SCRYPT_BYTES } from "../../policy.ts";
import type { ForeignFirebaseScrypt, Read } from "./foreign-hash.ts";
import { bytesOfBase64, hasUsualSizes } from "./spellings.ts";

/** What Firebase exports about a user, and the console about the project. */
const TEXTS = ["hash", "salt", "signer_key", "salt_separator"] as const;
const NUMBERS = ["rounds", "mem_cost"] as const;
const SCHEME = "firebase-scrypt";

const KEY_BYTES = 32;
const COUNTER_BYTES = 16;
/** Beyond this a number overflows; what is too much for a sign-in is said by the cap. */
const COST_MAX = 31;

/**
 * Reads a hash of Firebase: `{scheme: "firebase-scrypt", hash, salt, signer_key, salt_separator, rounds, mem_cost}`.
 * The password opens a key, and the hash is the project's signer key enciphered with it (AES-256 in counter mode, from
 * zero). So hash and signer key together say what the key stream is: that is kept as the tag, and the signer key is not
 * needed again.
 */
export function readFirebaseScrypt(given: object): Read<ForeignFirebaseScrypt> {
  const { scheme, ...members } = given as Record<string, unknown>;
  if (scheme !== SCHEME) return undefined;
  const unreadable = { malformed: `is not {scheme: "${SCHEME}", ${[...TEXTS, ...NUMBERS].join(", ")}}` };
  if (Object.keys(members).length !== TEXTS.length + NUMBERS.length) return unreadable;
  const [hash, salt, signerKey, separator] = TEXTS.map((name) => base64Member(members[name]));
  const [rounds = Number.NaN, memoryCost = Number.NaN] = NUMBERS.map((name) => Number(members[name]));
  if (!hash || !salt || !signerKey || !separator) return unreadable;
  const isPossible = [rounds, memoryCost].every((cost) => Number.isInteger(cost) && cost > 0 && cost <= COST_MAX);
  const whole = Uint8Array.of(...salt, ...separator);
  if (!isPossible || !hasUsualSizes(whole, hash) || hash.length !== signerKey.length) {
    return { malformed: "has parameters that no hash of Firebase has" };
  }
  const keyStream = hash.map((byte, index) => byte ^ (signerKey[index] ?? 0));
  return { made: { scheme: SCHEME, rounds, memoryCost }, salt: whole, tag: keyStream };
}

/** Why a hash costs more than a sign-in may take, if it does. */
export function excessOfFirebaseScrypt(made: ForeignFirebaseScrypt): string | undefined {
  return bytesNeeded(made) > FOREIGN_SCRYPT_BYTES
    ? `scrypt that takes more than ${FOREIGN_SCRYPT_BYTES / 1024 / 1024} MiB`
    : undefined;
}

/** The tag of a password: the key stream that it opens. */
export async function tagOfFirebaseScrypt(
  made: ForeignFirebaseScrypt,
  password: string,
  salt: Uint8Array,
  tagBytes: number,
): Promise<Uint8Array> {
  const options = { N: 2 ** made.memoryCost, r: made.rounds, p: 1, maxmem: 2 * FOREIGN_SCRYPT_BYTES };
  const raw = new Uint8Array(scryptSync(new TextEncoder().encode(password), salt, KEY_BYTES, options));
  const key = await crypto.subtle.importKey("raw", raw, "AES-CTR", false, ["encrypt"]);
  const parameters = { name: "AES-CTR", counter: new Uint8Array(COUNTER_BYTES), length: 64 };
  return new Uint8Array(await crypto.subtle.encrypt(parameters, key, new Uint8Array(tagBytes)));
}

function base64Member(value: unknown): Uint8Array | undefined {
  return typeof value === "string" ? bytesOfBase64(value) : undefined;
}

/** RFC 7914 §2: 128 · r · N. */
function bytesNeeded({ memoryCost, rounds }: ForeignFirebaseScrypt): number {
  return 128 * rounds * 2 ** memoryCost;
}
