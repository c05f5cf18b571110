/** Public keys of passkeys, in COSE form (RFC 9053 §7), and how their signatures are written. */

/** COSE algorithms on offer: ES256, and RS256 for Windows (WebAuthn §5.4 recommends both). */
export const ES256 = -7;
export const RS256 = -257;

/** A COSE key as decoded; nothing about it is believed yet. */
export type CoseKey = Map<number, unknown>;

/** Labels (RFC 9052 §7.1). The negative ones mean what the type of the key says. */
const KTY = 1;
const ALG = 3;
/** RSA keys: 2048 to 4096 bits, and the one exponent in use (65537), since a huge one costs a verifier a lot. */
const RSA_BYTES = { min: 256, max: 512 } as const;
const RSA_EXPONENT = "AQAB";

/** The algorithm that a key names. */
export function algorithmOf(key: CoseKey): unknown {
  return key.get(ALG);
}

/**
 * Whether a key is of an algorithm on offer, with the members it must have and no other (WebAuthn §6.5.1), and one
 * that a signature can be checked with: importing it finds a point that is not on the curve. `encode` is base64url.
 */
export async function isOfferedKey(key: CoseKey, encode: (bytes: Bytes) => string): Promise<boolean> {
  const [first, second, third] = [key.get(-1), key.get(-2), key.get(-3)];
  if (key.get(KTY) === 2 && algorithmOf(key) === ES256 && key.size === 5) {
    if (first !== 1 || !isBytes(second, 32) || !isBytes(third, 32)) return false;
    const jwk = { kty: "EC", crv: "P-256", x: encode(second), y: encode(third) };
    return canBeImported(jwk, { name: "ECDSA", namedCurve: "P-256" });
  }
  if (key.get(KTY) !== 3 || algorithmOf(key) !== RS256 || key.size !== 4) return false;
  if (!isBytes(first, RSA_BYTES.min, RSA_BYTES.max) || first[0] === 0) return false;
  if (!isBytes(second, 3) || encode(second) !== RSA_EXPONENT) return false;
  const jwk = { kty: "RSA", n: encode(first), e: RSA_EXPONENT };
  return canBeImported(jwk, { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" });
}

/**
 * Whether a signature is spelled as this algorithm's must be (WebAuthn §6.5.5). For ES256 that is DER: a sequence of two
 * positive integers in their shortest form, and nothing behind. Parsers read more, and then one signature has many
 * spellings.
 */
export function isWellSpelled(signature: Uint8Array, algorithm: unknown): boolean {
  if (algorithm !== ES256) return true;
  if (signature[0] !== 0x30 || signature[1] !== signature.length - 2) return false;
  const middle = endOfInteger(signature, 2);
  return middle !== undefined && endOfInteger(signature, middle) === signature.length;
}

/** The index behind the DER integer at `at`, if it is positive, minimal and of at most 33 bytes. */
function endOfInteger(bytes: Uint8Array, at: number): number | undefined {
  const length = bytes[at + 1] ?? 0;
  const [first = 0, second = 0] = bytes.subarray(at + 2, at + 2 + length);
  const isMinimal = first < 0x80 && (first !== 0 || second >= 0x80);
  return bytes[at] === 0x02 && length <= 33 && isMinimal ? at + 2 + length : undefined;
}

type Bytes = Uint8Array<ArrayBuffer>;

function isBytes(value: unknown, min: number, max = min): value is Bytes {
  return value instanceof Uint8Array && value.length >= min && value.length <= max;
}

async function canBeImported(jwk: JsonWebKey, algorithm: SubtleCryptoImportKeyAlgorithm): Promise<boolean> {
  try {
    await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
    return true;
  } catch {
    return false;
  }
}
