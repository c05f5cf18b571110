import { keyedHash } from "../keys/keyed-digest.ts";
import type { DataKey } from "../keys/seal.ts";
import { RECOVERY_CODE_TYPED_MAX, RECOVERY_CODES } from "../policy.ts";

/** Recovery codes: 120 random bits each, in Crockford's base32, which has no I, L, O and U. */

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** What people and word processors put between groups: spaces, a tab, and every hyphen, dash and minus. */
const SEPARATORS = /[ \t\u00A0\u2010-\u2015\u2212-]/g;

/** A new set of codes as people see them: `XXXX-XXXX-XXXX-XXXX-XXXX-XXXX`. */
export function newRecoveryCodes(): string[] {
  return Array.from({ length: RECOVERY_CODES.count }, newRecoveryCode);
}

/**
 * The 24 characters of a typed code; `undefined` for what cannot be one. Case, separators, O for 0 and I or L for 1
 * are forgiven. Letters beyond ASCII are not, even where their capital is an ASCII one.
 */
export function normalizeRecoveryCode(typed: string): string | undefined {
  if (typed.length > RECOVERY_CODE_TYPED_MAX) return undefined;
  const characters = typed.replace(SEPARATORS, "");
  if (!/^[0-9A-TV-Za-tv-z]{24}$/.test(characters)) return undefined;
  return characters.toUpperCase().replaceAll("O", "0").replace(/[IL]/g, "1");
}

/**
 * What is kept of a code: HMAC-SHA-256 under the ring's recovery key, bound to the account, in hexadecimal. A code is
 * found by this one value, and without the key nothing can be compared with it. Keep the key's id beside it.
 */
export function digestRecoveryCode(key: DataKey, accountId: string, normalized: string): Promise<string> {
  return keyedHash(key, `recovery-code:${accountId}:${normalized}`);
}

function newRecoveryCode(): string {
  const random = crypto.getRandomValues(new Uint8Array(RECOVERY_CODES.bytes));
  const bits = Array.from(random, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const symbols = bits.replace(/.{5}/g, (five) => ALPHABET.charAt(Number.parseInt(five, 2)));
  return symbols.replace(/.{4}(?=.)/g, "$&-");
}
