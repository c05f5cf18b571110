import { ACCESS_TOKEN_TTL_SECONDS, ACTOR_CHAIN_MAX, TOKEN_MAX_LENGTH } from "../token-policy.ts";
import { isJsonObject, isSignedWith, jsonObjectOf, openCompactJws } from "./compact-jws.ts";
import type { TokenDefect } from "./refused.ts";

/** A service that acts for the user, and the one that it acts for (RFC 8693 §4.1). */
export interface Actor {
  sub: string;
  act?: Actor;
}

/** What a verified access token says (RFC 9068 profile). Times in epoch seconds. Nothing else of it is passed on. */
export interface AccessTokenClaims {
  iss: string;
  /** The account: never used again for another one. */
  sub: string;
  aud: string;
  client_id: string;
  iat: number;
  exp: number;
  jti: string;
  /** The session, by which access is taken back. */
  sid: string;
  /** When the user last proved anything. A refresh never moves it. */
  auth_time: number;
  /** `aal1` < `aal2-recovery` < `aal2`. */
  acr: string;
  /** How (RFC 8176). */
  amr: string[];
  /** When each factor was proven. */
  factors?: Record<string, number>;
  /** A copy, made at the sign-in. */
  roles?: string[];
  /** The thumbprint of the key that the token is bound to (RFC 9449 §6.1). */
  cnf?: { jkt: string };
  act?: Actor;
}

/** What a token is checked against. */
export interface Expected {
  issuer: string;
  audience: string;
  /** The issuer's keys by their id: the only thing for which anything in the token is looked up. */
  keyFor(kid: string): CryptoKey | undefined | Promise<CryptoKey | undefined>;
  /** Epoch milliseconds. */
  now: number;
  clockToleranceSeconds: number;
}

type Claims = Record<string, unknown>;

/** `at+jwt`, with the prefix that RFC 7515 §4.1.9 lets a signer leave out. In this case only. */
const TYPES: unknown[] = ["at+jwt", "application/at+jwt"];
const HEADER_MEMBERS = 3;

/**
 * Reads an access token: its form before anything is parsed, its header before a key is looked up, its signature before
 * a claim is believed. Claims, or what is wrong with it. What `keyFor` throws goes through.
 */
export async function readAccessToken(
  token: string,
  expected: Expected,
): Promise<AccessTokenClaims | { defect: TokenDefect }> {
  const jws = typeof token === "string" ? openCompactJws(token, TOKEN_MAX_LENGTH) : undefined;
  // Our headers have no white space: what some other writer made is not looked at.
  if (!jws || /\s/.test(jws.headerText)) return { defect: "malformed" };
  const kid = keyIdOf(jws.header);
  if (kid === undefined) return { defect: "unsupported_header" };
  const key = await expected.keyFor(kid);
  if (!key) return { defect: "unknown_key" };
  // The runtime checks the signature beside us: what parsing costs is hidden in that, and nobody looks at it before.
  const isGenuine = isSignedWith(key, jws);
  const said = jsonObjectOf(jws.payload);
  if (!(await isGenuine)) return { defect: "bad_signature" };
  const claims = said && claimsOf(said);
  if (!claims) return { defect: said ? "invalid_claims" : "malformed" };
  const defect = addressDefect(claims, expected) ?? timeDefect(claims, said.nbf, expected);
  return defect ? { defect } : claims;
}

/**
 * The key id of a header that says exactly three things. So nothing in it can name another key, another way to sign
 * (`jwk`, `jku`, `x5c`: RFC 8725 §3.10) or an extension (`crit`, `b64`: RFC 7515 §4.1.11, RFC 7797).
 */
function keyIdOf(header: Claims): string | undefined {
  const { alg, typ, kid } = header;
  const isOurs = alg === "ES256" && TYPES.includes(typ) && Object.keys(header).length === HEADER_MEMBERS;
  return isOurs && isText(kid) ? kid : undefined;
}

/** The claims, each of its type, and no other members; `undefined` when one is not. */
function claimsOf(claims: Claims): AccessTokenClaims | undefined {
  const { iss, sub, aud, client_id, jti, sid, acr } = claims;
  const { iat, exp, auth_time, nbf = 0, amr } = claims;
  if (!isText(iss) || !isText(sub) || !isText(aud) || !isText(client_id)) return undefined;
  if (!isText(jti) || !isText(sid) || !isText(acr) || !isTexts(amr)) return undefined;
  if (!isTime(iat) || !isTime(exp) || !isTime(auth_time) || !isTime(nbf)) return undefined;
  const life = exp - iat;
  const rest = optionalClaimsOf(claims);
  if (life <= 0 || life > ACCESS_TOKEN_TTL_SECONDS.max || !rest) return undefined;
  return { iss, sub, aud, client_id, iat, exp, jti, sid, auth_time, acr, amr, ...rest };
}

/** Claims that a token may lack, those that are there; `undefined` when one has another form than it must. */
function optionalClaimsOf({ factors, roles, cnf, act }: Claims) {
  const jkt = isJsonObject(cnf) && Object.keys(cnf).length === 1 ? cnf.jkt : undefined;
  if (factors !== undefined && !isTimes(factors)) return undefined;
  if (roles !== undefined && !isTexts(roles)) return undefined;
  if (cnf !== undefined && !isText(jkt)) return undefined;
  if (act !== undefined && !isActor(act, ACTOR_CHAIN_MAX)) return undefined;
  return {
    ...(factors === undefined ? {} : { factors }),
    ...(roles === undefined ? {} : { roles }),
    ...(isText(jkt) ? { cnf: { jkt } } : {}),
    ...(act === undefined ? {} : { act }),
  };
}

function addressDefect({ iss, aud }: AccessTokenClaims, { issuer, audience }: Expected): TokenDefect | undefined {
  if (iss !== issuer) return "wrong_issuer";
  return aud === audience ? undefined : "wrong_audience";
}

/** `nbf` is a time here, if it is anything. Clocks may differ both ways, and by no more than the tolerance. */
function timeDefect(
  { iat, exp, auth_time }: AccessTokenClaims,
  nbf: unknown,
  { now, clockToleranceSeconds }: Expected,
): TokenDefect | undefined {
  const seconds = now / 1000;
  if (exp + clockToleranceSeconds <= seconds) return "expired";
  const begins = Math.max(iat, auth_time, isTime(nbf) ? nbf : 0);
  return begins > seconds + clockToleranceSeconds ? "not_yet_valid" : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isTimes(value: unknown): value is Record<string, number> {
  return isJsonObject(value) && Object.values(value).every(isTime);
}

function isActor(value: unknown, length: number): value is Actor {
  if (length === 0 || !isJsonObject(value) || !isText(value.sub)) return false;
  return value.act === undefined || isActor(value.act, length - 1);
}
