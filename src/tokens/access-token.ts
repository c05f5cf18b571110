import type { JWTPayload } from "jose";
import { SignJWT } from "jose/jwt/sign";
import { jwtVerify } from "jose/jwt/verify";
import type { KeyRing } from "../keys/key-ring.ts";
import { ACCESS_TOKEN_TTL_SECONDS, CLOCK_TOLERANCE_SECONDS } from "../token-policy.ts";
import { isCompactJws } from "./compact-form.ts";
import { type Acr, describeProof, type FactorTimes, type Proof, type ProofClaims } from "./proof.ts";

/** Who the token is for and of which session. */
export interface AccessTokenSubject {
  accountId: string;
  sessionId: string;
  audience: string;
  roles: string[];
  factors: Proof;
}

/** A verified access token of our own. */
export interface AccessToken extends ProofClaims {
  accountId: string;
  sessionId: string;
  roles: string[];
}

/** Signs an access token (RFC 9068 profile, ES256). `now` in epoch milliseconds, `ttlSeconds` its whole life. */
export async function signAccessToken(
  ring: KeyRing,
  issuer: string,
  subject: AccessTokenSubject,
  now: number,
  ttlSeconds: number,
): Promise<string> {
  const { acr, amr, auth_time, factors } = describeProof(subject.factors);
  // The object that saw the proof has a clock of its own: a token is never older than what it tells of.
  const issuedAt = Math.max(Math.floor(now / 1000), auth_time);
  return new SignJWT({
    client_id: "first-party",
    sid: subject.sessionId,
    auth_time,
    acr,
    amr,
    factors,
    roles: subject.roles,
  })
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: ring.signing.kid })
    .setIssuer(issuer)
    .setSubject(subject.accountId)
    .setAudience(subject.audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + ttlSeconds)
    .setJti(crypto.randomUUID())
    .sign(ring.signing.key);
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
  if (!isCompactJws(token, "ES256")) return undefined;
  try {
    const { payload } = await jwtVerify(
      token,
      ({ kid, b64, crit }) => {
        const key = kid === undefined ? undefined : ring.verifying.get(kid);
        if (!key || b64 !== undefined || crit !== undefined) throw new Error("no such key");
        return key;
      },
      {
        algorithms: ["ES256"],
        typ: "at+jwt",
        issuer,
        currentDate: new Date(now),
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ["sub", "sid", "jti", "iat", "exp", "auth_time", "acr", "factors", "roles"],
      },
    );
    return payload.aud === issuer && hasSaneTimes(payload, now) ? accessTokenOf(payload) : undefined;
  } catch {
    return undefined;
  }
}

/** The dates that jose lets pass: fractions, texts, an issue in the future, a life that we never give. */
function hasSaneTimes({ iat, exp, auth_time }: JWTPayload, now: number): boolean {
  if (![iat, exp, auth_time].every(Number.isSafeInteger)) return false;
  const [issuedAt, expiresAt] = [Number(iat), Number(exp)];
  return issuedAt <= now / 1000 + CLOCK_TOLERANCE_SECONDS && expiresAt - issuedAt <= ACCESS_TOKEN_TTL_SECONDS.max;
}

// The signature is ours, so the claims have the shape that signAccessToken gave them.
function accessTokenOf(claims: Record<string, unknown>): AccessToken {
  return {
    accountId: String(claims.sub),
    sessionId: String(claims.sid),
    roles: claims.roles as string[],
    acr: claims.acr as Acr,
    amr: claims.amr as string[],
    auth_time: claims.auth_time as number,
    factors: claims.factors as FactorTimes,
  };
}
