import { timingSafeEqual } from "node:crypto";
import { IMPORTED_TOTP_SECRET_BYTES, TOTP } from "../policy.ts";

/** Time-based one-time passwords (RFC 6238) with SHA-1, six digits, steps of 30 seconds. */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** A new secret of 160 random bits. */
export function newTotpSecret(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(TOTP.secretBytes));
}

/** The step that a moment falls into (RFC 6238 §4.2). `now` in epoch milliseconds; good beyond 2038. */
export function totpStep(now: number): number {
  return Math.floor(now / 1000 / TOTP.stepSeconds);
}

/**
 * The steps, newest last, whose code equals `code` at `now`, one step of clock drift either way (RFC 6238 §5.2).
 * Every candidate is computed and compared in constant time whatever the others say. Whether a step was used before
 * is not decided here: see {@link newestUnusedStep}.
 */
export async function matchingSteps(secret: Uint8Array, code: string, now: number): Promise<number[]> {
  const key = await hmacKey(secret);
  const given = new TextEncoder().encode(code);
  const current = totpStep(now);
  const matches: number[] = [];
  for (let step = current - TOTP.windowSteps; step <= current + TOTP.windowSteps; step += 1) {
    const expected = new TextEncoder().encode(await hotp(key, step, TOTP.digits));
    const equal = given.length === expected.length && timingSafeEqual(given, expected);
    if (equal && step >= 0) matches.push(step);
  }
  return matches;
}

/**
 * The newest matching step above the last accepted one: a code is good once, and no older one after it (RFC 6238
 * §5.2). The newest, so that two neighbouring steps that happen to share a code do not let it be used twice.
 */
export function newestUnusedStep(matches: number[], lastAccepted: number | undefined): number | undefined {
  return matches.findLast((step) => lastAccepted === undefined || step > lastAccepted);
}

/** The HOTP value of a counter (RFC 4226 §5.3), as text with leading zeros. */
export async function hotpCode(secret: Uint8Array, counter: number, digits: number): Promise<string> {
  return hotp(await hmacKey(secret), counter, digits);
}

/** The secret as authenticator apps take it: base32 without padding (RFC 4648 §6). */
export function base32(bytes: Uint8Array): string {
  let bits = "";
  for (const byte of bytes) bits += byte.toString(2).padStart(8, "0");
  return (bits.match(/.{1,5}/g) ?? []).map((five) => ALPHABET[Number.parseInt(five.padEnd(5, "0"), 2)]).join("");
}

/**
 * The secret that base32 stands for as apps and exports spell it: any case, spaces and hyphens inside, padding or none.
 * Bits beyond the last byte mean nothing, as in every app: some services draw letters and not bytes.
 */
export function bytesOfBase32(text: string): Uint8Array<ArrayBuffer> | undefined {
  const letters = text.replace(/[ -]/g, "").replace(/=+$/, "");
  if (!/^[A-Za-z2-7]+$/.test(letters) || !BASE32_REMAINDERS.includes(letters.length % 8)) return undefined;
  const values = Array.from(letters.toUpperCase(), (letter) => ALPHABET.indexOf(letter));
  const bits = values.map((value) => value.toString(2).padStart(5, "0")).join("");
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (eight) => Number.parseInt(eight, 2));
}

/** Letters that can follow the last whole group of eight (RFC 4648 §6). */
const BASE32_REMAINDERS = [0, 2, 4, 5, 7];

/** Whether these bytes can be a secret: our own have 160 bits, imported ones may have fewer or more. */
export function isTotpSecret({ length }: Uint8Array): boolean {
  return length >= IMPORTED_TOTP_SECRET_BYTES.min && length <= IMPORTED_TOTP_SECRET_BYTES.max;
}

/** The `otpauth://` URI that a QR code carries. Issuer and account are encoded, so neither can add a parameter. */
export function otpauthUri(issuer: string, account: string, secret: string): string {
  const label = `${encode(issuer)}:${encode(account)}`;
  const { digits, stepSeconds } = TOTP;
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encode(issuer)}&algorithm=SHA1&digits=${digits}&period=${stepSeconds}`;
}

/** Percent-encodes all but RFC 3986 unreserved characters; `encodeURIComponent` leaves some that apps stumble over. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function hmacKey(secret: Uint8Array): Promise<CryptoKey> {
  if (!isTotpSecret(secret)) throw new Error("a TOTP secret has 80 to 512 bits");
  return crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
}

async function hotp(key: CryptoKey, counter: number, digits: number): Promise<string> {
  const message = new DataView(new ArrayBuffer(8));
  message.setBigUint64(0, BigInt(Math.max(counter, 0)));
  const mac = new DataView(await crypto.subtle.sign("HMAC", key, message));
  const offset = mac.getUint8(mac.byteLength - 1) & 0x0f;
  const value = (mac.getUint32(offset) & 0x7fffffff) % 10 ** digits;
  return String(value).padStart(digits, "0");
}
