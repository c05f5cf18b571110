import { parseStrictJson } from "../strict-json.ts";
import { JWKS_KEPT_SECONDS, JWKS_MAX_BYTES, JWKS_MAX_MEMBERS, JWKS_TIMEOUT_MS } from "../token-policy.ts";
import { isJsonObject } from "./compact-jws.ts";
import { type Fetch, type FetchDefect, fetchSmall } from "./small-fetch.ts";

/** Public keys by their ids. */
export type Jwks = ReadonlyMap<string, CryptoKey>;

/** A key set that was fetched, and how long it may be kept. */
export interface FetchedJwks {
  jwks: Jwks;
  maxAgeSeconds: number;
}

type Member = Record<string, unknown>;

/** Members of a private or of a symmetric key (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2). */
const SECRET_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/** 32 bytes in base64url, in their one spelling. */
const COORDINATE = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const MAX_AGE = /(?:^|,)\s*max-age="?(\d{1,9})"?\s*(?:,|$)/i;
const NOT_KEPT = /(?:^|,)\s*no-(?:store|cache)\s*(?:,|$)/i;

/** Fetches the key set at an address, or says as {@link fetchSmall} does why there is none. */
export async function fetchJwks(address: string, fetch?: Fetch): Promise<FetchedJwks | FetchDefect> {
  const answer = await fetchSmall(fetch, address, { maxBytes: JWKS_MAX_BYTES, timeoutMs: JWKS_TIMEOUT_MS });
  if (typeof answer === "string") return answer;
  const jwks = await readJwks(answer.text);
  return jwks ? { jwks, maxAgeSeconds: maxAgeOf(answer.headers) } : "unusable";
}

/**
 * Reads a key set (RFC 7517 §5): its P-256 keys for ES256 signatures, by their ids. Keys of other kinds are passed over.
 * `undefined` for a set that no careful issuer publishes: an id twice, a symmetric or a private key, a P-256 key that is
 * none, or one that is not strictly JSON. Then none of it is believed.
 */
export async function readJwks(text: string): Promise<Jwks | undefined> {
  const parsed = parseStrictJson(text, { maxMembers: JWKS_MAX_MEMBERS });
  const keys = typeof parsed === "object" && isJsonObject(parsed.value) ? parsed.value.keys : undefined;
  if (!Array.isArray(keys) || !keys.every(isJsonObject) || keys.some(isSecret)) return undefined;
  const ids = keys.map(({ kid }) => kid).filter((kid) => kid !== undefined);
  if (new Set(ids).size !== ids.length) return undefined;
  try {
    return new Map(await Promise.all(keys.filter(isOurKind).map(importedKey)));
  } catch {
    return undefined;
  }
}

function isSecret(key: Member): boolean {
  return key.kty === "oct" || SECRET_MEMBERS.some((member) => member in key);
}

/** A member that says what a key is for may be missing, and must not say anything else (RFC 7517 §4.2 to §4.4). */
function isOurKind({ kty, crv, kid, alg = "ES256", use = "sig", key_ops = ["verify"] }: Member): boolean {
  const isForSignatures = alg === "ES256" && use === "sig" && Array.isArray(key_ops) && key_ops.includes("verify");
  return kty === "EC" && crv === "P-256" && isForSignatures && typeof kid === "string" && kid !== "";
}

/** The runtime refuses a point that is not on the curve; where a coordinate is spelt otherwise, this throws. */
async function importedKey({ kid, x, y }: Member): Promise<[string, CryptoKey]> {
  if (typeof x !== "string" || typeof y !== "string" || !COORDINATE.test(x) || !COORDINATE.test(y)) {
    throw new TypeError("not a coordinate");
  }
  const jwk = { kty: "EC", crv: "P-256", x, y };
  const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
  return [String(kid), key];
}

/** What is left of the time that the answer may be kept, within bounds of our own (RFC 9111 §4.2). Seconds. */
function maxAgeOf(headers: Headers): number {
  const { default: usual, min, max } = JWKS_KEPT_SECONDS;
  const control = headers.get("Cache-Control") ?? "";
  if (NOT_KEPT.test(control)) return min;
  const stated = MAX_AGE.exec(control)?.[1];
  const age = /^\d{1,9}$/.exec(headers.get("Age") ?? "")?.[0] ?? 0;
  return stated === undefined ? usual : Math.min(Math.max(Number(stated) - Number(age), min), max);
}
