import { decodeCanonical } from "../../keys/seal.ts";
import { FOREIGN_SALT_MAX_BYTES, FOREIGN_TAG_BYTES } from "../../policy.ts";

const STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BCRYPT = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/**
 * Bytes of base64 as providers spell it: standard or URL-safe, or with "." for "+" as passlib does, padded or not.
 * `undefined` for anything else, stray bits at the end included.
 */
export function bytesOfBase64(text: string): Uint8Array | undefined {
  return decodeCanonical(
    text
      .replace(/={1,2}$/, "")
      .replace(/[+.]/g, "-")
      .replaceAll("/", "_"),
  );
}

/** Bytes in bcrypt's own base64. Bits beyond the last byte mean nothing there, and some implementations set them. */
export function bytesOfBcryptBase64(text: string): Uint8Array | undefined {
  const strayBits = (text.length * 6) % 8;
  const values = Array.from(text, (letter) => BCRYPT.indexOf(letter));
  if (values.includes(-1)) return undefined;
  const last = ((values.at(-1) ?? 0) >> strayBits) << strayBits;
  return decodeCanonical(
    values
      .with(-1, last)
      .map((value) => STANDARD[value])
      .join(""),
  );
}

/** Whether a salt and a tag are of a size that can be right. */
export function hasUsualSizes(salt: Uint8Array, tag: Uint8Array): boolean {
  const { min, max } = FOREIGN_TAG_BYTES;
  return salt.length > 0 && salt.length <= FOREIGN_SALT_MAX_BYTES && tag.length >= min && tag.length <= max;
}
