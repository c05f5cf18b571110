import { TOKEN_MAX_LENGTH } from "../token-policy.ts";

/**
 * Three parts of base64url without padding, the last one the 43 characters of a 32-byte HMAC (RFC 7518 §3.2). After 32
 * bytes the last character has two unused bits; only where they are zero is it the one canonical spelling.
 */
const COMPACT_FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/**
 * Whether a text can be a compact JWS with HS256 at all, decided before anything is parsed: size, three parts, base64url
 * without padding, a signature of the right length in its one spelling (RFC 7515 §7.1).
 */
export function isCompactJws(token: string): boolean {
  return token.length <= TOKEN_MAX_LENGTH && COMPACT_FORM.test(token);
}
