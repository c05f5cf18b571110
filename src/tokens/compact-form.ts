import { TOKEN_MAX_LENGTH } from "../token-policy.ts";

const COMPACT_FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)$/;
/** Base64url characters of a 32-byte HMAC and of a 64-byte ES256 signature (RFC 7518 §3.2, §3.4). */
const SIGNATURE_LENGTH = { HS256: 43, ES256: 86 } as const;
/** Characters whose unused low bits are zero: the only canonical last ones after 32 and 64 bytes. */
const CANONICAL_END = { HS256: /[AEIMQUYcgkosw048]$/, ES256: /[AQgw]$/ } as const;

/**
 * Whether a text can be a compact JWS of the algorithm at all, decided before anything is parsed: size, three parts,
 * base64url without padding, a signature of the right length in its one spelling (RFC 7515 §7.1).
 */
export function isCompactJws(token: string, algorithm: "HS256" | "ES256"): boolean {
  if (token.length > TOKEN_MAX_LENGTH) return false;
  const signature = COMPACT_FORM.exec(token)?.[1];
  return signature?.length === SIGNATURE_LENGTH[algorithm] && CANONICAL_END[algorithm].test(signature);
}
