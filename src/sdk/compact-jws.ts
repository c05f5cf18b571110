import * as base64url from "jose/base64url";
import { parseStrictJson } from "../strict-json.ts";

/** Three parts, the last of them the 64 bytes of an ES256 signature (RFC 7518 §3.4). */
const COMPACT_FORM = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})$/;
const ES256 = { name: "ECDSA", hash: "SHA-256" };

/** What can be unused low bits of the last character, by how many characters are left over: they must be zero. */
const CANONICAL_ENDS = ["", undefined, "AQgw", "AEIMQUYcgkosw048"];
const ASCII = /^[\0-\x7f]*$/;
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** A compact JWS taken apart. Nothing of it is true before {@link isSignedWith} has said so. */
export interface CompactJws {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
  signedBytes: Uint8Array<ArrayBuffer>;
  signature: Uint8Array<ArrayBuffer>;
}

/** The same with its payload still as it was sent: to be parsed with {@link jsonObjectOf} while its signature is checked. */
export interface OpenedJws extends Omit<CompactJws, "claims"> {
  headerText: string;
  payload: string;
}

/**
 * Reads a compact JWS of ES256 whose payload is a JSON object, in its one spelling (RFC 7515 §7.1): not longer than
 * `maxLength` characters, base64url without padding or stray bits, UTF-8 without a byte order mark, no member twice.
 * `undefined` for anything else.
 */
export function readCompactJws(text: string, maxLength: number): CompactJws | undefined {
  const opened = openCompactJws(text, maxLength);
  const claims = opened && jsonObjectOf(opened.payload);
  return claims && { header: opened.header, claims, signature: opened.signature, signedBytes: opened.signedBytes };
}

/** The first half of {@link readCompactJws}: everything but the payload. */
export function openCompactJws(text: string, maxLength: number): OpenedJws | undefined {
  if (text.length > maxLength) return undefined;
  const [, headerPart = "", payload = "", signaturePart = ""] = COMPACT_FORM.exec(text) ?? [];
  const headerText = textOf(headerPart);
  const header = headerText === undefined ? undefined : parsedObject(headerText);
  if (!header || headerText === undefined || !isCanonical(signaturePart)) return undefined;
  const signature = base64url.decode(signaturePart) as Uint8Array<ArrayBuffer>;
  const signedBytes = ENCODER.encode(text.slice(0, text.lastIndexOf("."))) as Uint8Array<ArrayBuffer>;
  return { header, headerText, payload, signature, signedBytes };
}

/** Whether this key made the signature: ES256, whatever the header says. */
export async function isSignedWith(
  key: CryptoKey,
  { signature, signedBytes }: Pick<CompactJws, "signature" | "signedBytes">,
): Promise<boolean> {
  return crypto.subtle.verify(ES256, key, signature, signedBytes);
}

/** Whether a value is a JSON object: no array, no null. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The JSON object in a part of a JWS; `undefined` when there is none, or none in its one spelling. */
export function jsonObjectOf(part: string): Record<string, unknown> | undefined {
  const text = textOf(part);
  return text === undefined ? undefined : parsedObject(text);
}

function parsedObject(text: string): Record<string, unknown> | undefined {
  const parsed = parseStrictJson(text);
  return typeof parsed === "object" && isJsonObject(parsed.value) ? parsed.value : undefined;
}

/** A mark at the beginning stays in the text, where no JSON begins with it. */
function textOf(part: string): string | undefined {
  if (!isCanonical(part)) return undefined;
  // What a token says is nearly always ASCII, which is its own UTF-8: that way there are no bytes to make and to decode.
  const binary = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
  if (ASCII.test(binary)) return binary;
  try {
    return DECODER.decode(base64url.decode(part));
  } catch {
    return undefined;
  }
}

/** Whether this is the one spelling of some bytes in base64url: decoders also take padding and stray bits. */
function isCanonical(part: string): boolean {
  const ends = CANONICAL_ENDS[part.length % 4];
  return ends !== undefined && (ends === "" || ends.includes(part.slice(-1)));
}
