import * as base64url from "jose/base64url";
import { calculateJwkThumbprint } from "jose/jwk/thumbprint";
import {
  CLOCK_TOLERANCE_SECONDS,
  DPOP_JTI_MAX_LENGTH,
  DPOP_PROOF_AGE_SECONDS,
  DPOP_PROOF_MAX_LENGTH,
} from "../token-policy.ts";
import { isJsonObject, isSignedWith, readCompactJws } from "./compact-jws.ts";

/** What a proof has to be about. */
export interface DpopDemand {
  /** The request's method, as it was sent. */
  method: string;
  /** The request's absolute address, as the client knows it; its query and fragment do not count. */
  url: string;
  /** Epoch milliseconds. */
  now: number;
  /** The access token that the request brings, if it brings one: the proof must be made for it. */
  accessToken?: string;
}

/** A good proof. Whether its nonce is one of ours, and its id a new one, is for the caller to say. */
export interface DpopProof {
  /** The thumbprint of the client's key (RFC 7638), as it is in a token's `cnf`. */
  jkt: string;
  jti: string;
  nonce: string | undefined;
  /** Epoch seconds. */
  issuedAt: number;
}

/** What is wrong with a proof. For logs: on the wire all of them are `invalid_dpop_proof`. */
export type DpopDefect =
  | "malformed"
  | "wrong_type"
  | "wrong_algorithm"
  | "unknown_extension"
  | "wrong_key"
  | "wrong_id"
  | "wrong_method"
  | "wrong_url"
  | "wrong_time"
  | "wrong_nonce"
  | "wrong_token"
  | "wrong_signature";

type Part = Record<string, unknown>;

/** A public key on P-256, and nothing else that its JWK may say. */
interface PublicJwk {
  kty: "EC";
  crv: "P-256";
  x: string;
  y: string;
}

/** 32 bytes in base64url, in their one spelling: another one would be another thumbprint of the same key. */
const COORDINATE = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
/** Members of a private or of a symmetric key (RFC 7518 §6.2.2, §6.3.2, §6.4.1). */
const SECRET_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/**
 * Checks a DPoP proof as RFC 9449 §4.3 says, as far as that needs no memory: which nonces and ids are good is known to
 * the caller. `proof` is the value of the `DPoP` header; two headers reach us as one value with a comma, and have the
 * form of no proof. Throws a `TypeError` only when `url` is no address.
 */
export async function readDpopProof(proof: string, demand: DpopDemand): Promise<DpopProof | { defect: DpopDefect }> {
  const jws = readCompactJws(proof, DPOP_PROOF_MAX_LENGTH);
  if (!jws) return { defect: "malformed" };
  const defect = headerDefect(jws.header) ?? claimsDefect(jws.claims, demand);
  if (defect) return { defect };
  const { ath, jti, iat, nonce } = jws.claims;
  if (demand.accessToken !== undefined && ath !== (await hashOf(demand.accessToken))) return { defect: "wrong_token" };
  const jwk = publicJwkOf(jws.header.jwk);
  const key = jwk && (await importedKey(jwk));
  if (!key) return { defect: "wrong_key" };
  if (!(await isSignedWith(key, jws))) return { defect: "wrong_signature" };
  const jkt = await calculateJwkThumbprint(jwk);
  return { jkt, jti: String(jti), nonce: nonce as string | undefined, issuedAt: Number(iat) };
}

/** Other members are allowed, and none of them is used: not `kid`, `jku` or `x5c` either (RFC 8725 §3.10). */
function headerDefect({ typ, alg, crit, b64 }: Part): DpopDefect | undefined {
  if (typ !== "dpop+jwt") return "wrong_type";
  if (alg !== "ES256") return "wrong_algorithm";
  return crit === undefined && b64 === undefined ? undefined : "unknown_extension";
}

/**
 * The public key that a `jwk` names. Members that say nothing secret are allowed, as every reader of JWKs has to allow
 * them (RFC 7517 §4; `exportKey` of browsers writes `ext` and `key_ops`), and do not count: neither the key nor its
 * thumbprint is made of them. Where one says that the key is for something else, the key is refused.
 */
function publicJwkOf(jwk: unknown): PublicJwk | undefined {
  if (!isJsonObject(jwk) || SECRET_MEMBERS.some((member) => member in jwk)) return undefined;
  const { kty, crv, x, y, alg = "ES256", use = "sig", key_ops = ["verify"] } = jwk;
  const isOfKind = kty === "EC" && crv === "P-256" && alg === "ES256" && use === "sig";
  if (!isOfKind || !Array.isArray(key_ops) || !key_ops.includes("verify")) return undefined;
  return isCoordinate(x) && isCoordinate(y) ? { kty, crv, x, y } : undefined;
}

function isCoordinate(value: unknown): value is string {
  return typeof value === "string" && COORDINATE.test(value);
}

/** The runtime refuses a point that is not on the curve. */
async function importedKey(jwk: PublicJwk): Promise<CryptoKey | undefined> {
  try {
    return await crypto.subtle.importKey("jwk", { ...jwk }, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
  } catch {
    return undefined;
  }
}

function claimsDefect(claims: Part, { method, url, now }: DpopDemand): DpopDefect | undefined {
  const { jti, htm, htu, nonce } = claims;
  if (typeof jti !== "string" || jti === "" || jti.length > DPOP_JTI_MAX_LENGTH) return "wrong_id";
  if (htm !== method) return "wrong_method";
  if (typeof htu !== "string" || !URL.canParse(htu) || normalized(htu) !== normalized(url)) return "wrong_url";
  if (!isTimely(claims, now / 1000)) return "wrong_time";
  return nonce === undefined || typeof nonce === "string" ? undefined : "wrong_nonce";
}

/** A proof says when it was made; one that also says from when or until when it is good is believed (RFC 7519 §4.1). */
function isTimely({ iat, exp = Infinity, nbf = -Infinity }: Part, nowSeconds: number): boolean {
  if (!Number.isSafeInteger(iat) || typeof exp !== "number" || typeof nbf !== "number") return false;
  const isNear = Math.abs(nowSeconds - Number(iat)) <= DPOP_PROOF_AGE_SECONDS;
  return isNear && nowSeconds < exp + CLOCK_TOLERANCE_SECONDS && nowSeconds >= nbf - CLOCK_TOLERANCE_SECONDS;
}

/** An address as RFC 9449 §4.3 compares it: without query and fragment, each octet in one spelling (RFC 3986 §6.2.2). */
function normalized(address: string): string {
  const url = new URL(address);
  url.search = "";
  url.hash = "";
  return url.href.replace(/%[0-9a-f]{2}/gi, (octet) => {
    const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : octet.toUpperCase();
  });
}

async function hashOf(accessToken: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(accessToken));
  return base64url.encode(new Uint8Array(digest));
}
