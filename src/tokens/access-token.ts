import { SignJWT } from "jose/jwt/sign";
import type { KeyRing } from "../keys/key-ring.ts";
import { type AccessTokenClaims, readAccessToken } from "../sdk/access-token.ts";
import { CLOCK_TOLERANCE_SECONDS } from "../token-policy.ts";
import { type Acr, describeProof, type Proof, type ProofClaims } from "./proof.ts";

/** Who the token is for and of which session. */
export interface AccessTokenSubject {
  accountId: string;
  sessionId: string;
  audience: string;
  roles: string[];
  factors: Proof;
  /** RFC 7638 thumbprint of the key that the token is bound to (RFC 9449 §6.1). */
  jkt?: string;
}

/** All claims of an access token of ours, as verifiers know them; those that others may lack are there. */
export interface IssuedClaims extends Omit<AccessTokenClaims, "acr" | "factors" | "roles">, ProofClaims {
  roles: string[];
}

/** A verified access token of our own. */
export interface AccessToken extends ProofClaims {
  accountId: string;
  sessionId: string;
  roles: string[];
  /** Thumbprint of the key that it is bound to, if it is. */
  jkt?: string;
}

/** Signs an access token (RFC 9068 profile, ES256). `now` in epoch milliseconds, `ttlSeconds` its whole life. */
export async function signAccessToken(
  ring: KeyRing,
  issuer: string,
  { accountId, sessionId, audience, roles, factors, jkt }: AccessTokenSubject,
  now: number,
  ttlSeconds: number,
): Promise<string> {
  const proof = describeProof(factors);
  const iat = issuedAt(now, proof);
  return signClaims(ring, {
    iss: issuer,
    sub: accountId,
    aud: audience,
    client_id: "first-party",
    iat,
    exp: iat + ttlSeconds,
    sid: sessionId,
    ...proof,
    roles,
    ...(jkt === undefined ? {} : { cnf: { jkt } }),
  });
}

/** When a token is issued, epoch seconds. The object that saw the proof has a clock of its own: no token is older than what it tells of. */
export function issuedAt(now: number, { auth_time }: Pick<ProofClaims, "auth_time">): number {
  return Math.max(Math.floor(now / 1000), auth_time);
}

/** Signs claims under an id of their own. The one place that decides what a header holds, and the order of everything. */
export async function signClaims(ring: KeyRing, claims: Omit<IssuedClaims, "jti">): Promise<string> {
  const { iss, sub, aud, client_id, iat, exp, sid, auth_time, acr, amr, factors, roles, cnf, act } = claims;
  const names = { iss, sub, aud, client_id, iat, exp, jti: crypto.randomUUID() };
  const bound = { ...(cnf ? { cnf } : {}), ...(act ? { act } : {}) };
  return new SignJWT({ ...names, sid, auth_time, acr, amr, factors, roles, ...bound })
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: ring.signing.kid })
    .sign(ring.signing.key);
}

/**
 * The claims of an access token of ours for one audience, verified as every service does, and issued after the last
 * emergency drop; `undefined` for anything else. Whether its session still lives is the account object's to say.
 */
export async function verifyIssuedToken(
  ring: KeyRing,
  issuer: string,
  token: string,
  now: number,
  audience: string,
): Promise<IssuedClaims | undefined> {
  const claims = await readAccessToken(token, {
    issuer,
    audience,
    keyFor: (kid) => ring.verifying.get(kid),
    now,
    clockToleranceSeconds: CLOCK_TOLERANCE_SECONDS,
  });
  if ("defect" in claims || claims.iat < Math.floor(ring.notBefore / 1000)) return undefined;
  const { acr, factors, roles } = claims;
  // The signature is ours, so these have the shape that signClaims gave them.
  return factors && roles ? { ...claims, acr: acr as Acr, factors, roles } : undefined;
}

/**
 * Verifies an access token for our own routes: audience is the issuer, key is in the ring. `undefined` for anything
 * else. Whether its session still lives is the account object's to say.
 */
export async function verifyAccessToken(
  ring: KeyRing,
  issuer: string,
  token: string,
  now: number,
): Promise<AccessToken | undefined> {
  const claims = await verifyIssuedToken(ring, issuer, token, now, issuer);
  return claims && accessTokenOf(claims);
}

function accessTokenOf({ sub, sid, roles, acr, amr, auth_time, factors, cnf }: IssuedClaims): AccessToken {
  const jkt = cnf === undefined ? {} : { jkt: cnf.jkt };
  return { accountId: sub, sessionId: sid, roles, acr, amr, auth_time, factors, ...jkt };
}
