import { base64url } from "jose";

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
    const problem = secret ? weakness(secret) : "is not base64url";
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
