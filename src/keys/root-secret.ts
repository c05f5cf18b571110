import * as base64url from "jose/base64url";

/** One root secret: at least 256 bits of randomness that only this deployment knows. */
export type RootSecret = Uint8Array<ArrayBuffer>;

const MIN_BYTES = 32;
/** 32 random bytes have about 30 different values; fewer than 16 does not happen by chance (odds below 1e-13). */
const MIN_DISTINCT_BYTES = 16;

/**
 * Reads `ROOT_SECRET`: base64url, comma-separated while it rotates, the first one seals.
 * Returns the secrets, or a sentence that says what is wrong without repeating the value.
 */
export function parseRootSecrets(value: unknown): RootSecret[] | string {
  if (typeof value !== "string" || value.trim() === "") {
    return "ROOT_SECRET is missing: set 32 random bytes as base64url (openssl rand -base64 32 | tr '+/' '-_' | tr -d '=')";
  }
  const secrets: RootSecret[] = [];
  for (const text of value.split(",")) {
    const secret = decode(text.trim());
    const problem = secret ? (weaknessOfText(text.trim()) ?? weakness(secret)) : "is not base64url";
    if (!secret || problem) return `ROOT_SECRET ${problem}; it needs 32 random bytes as base64url`;
    secrets.push(secret);
  }
  return secrets;
}

function decode(text: string): RootSecret | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  try {
    return new Uint8Array(base64url.decode(text));
  } catch {
    return undefined;
  }
}

/** Keys that were published as examples (RFC 7515 A.1, RFC 7520 §3.5) and the SHA-256 of nothing. */
const PUBLISHED = new Set([
  "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
  "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
  "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
]);
/** Random base64url is lower case or a hyphen in 42 of 100 characters; this share does not happen by chance. */
const PROSE_SHARE = 0.8;

/** What the typed text betrays: words with hyphens are valid base64url too, and so is the alphabet. */
function weaknessOfText(text: string): string | undefined {
  if (PUBLISHED.has(text)) return "is a published example and well known";
  if ((text.match(/[a-z-]/g)?.length ?? 0) > text.length * PROSE_SHARE && !/^[0-9a-f]+$/.test(text)) {
    return "is text, and text is guessable";
  }
  const codes = Array.from(text, (character) => character.charCodeAt(0));
  const steps = codes.filter((code, index) => index > 0 && code - (codes[index - 1] ?? 0) === 1).length;
  return steps > text.length / 2 ? "counts up and is well known" : undefined;
}

/** What a secret of the right length betrays when somebody typed, repeated or copied it instead of drawing it. */
function weakness(secret: RootSecret): string | undefined {
  if (secret.length < MIN_BYTES) return `has ${secret.length} bytes and is too short`;
  if (new Set(secret).size < MIN_DISTINCT_BYTES) return "repeats itself and is well known or guessable";
  if (secret.every((byte) => byte >= 0x20 && byte < 0x7f)) return "is text, and text is guessable";
  const step = difference(secret, 1);
  if (secret.every((_, index) => index === 0 || difference(secret, index) === step)) {
    return "counts bytes up or down and is well known";
  }
  return undefined;
}

function difference(bytes: Uint8Array, index: number): number {
  return ((bytes[index] ?? 0) - (bytes[index - 1] ?? 0)) & 0xff;
}
