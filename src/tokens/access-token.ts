import { type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { KeyRing } from "../keys/key-ring.ts";
import { ACCESS_TOKEN_TTL_SECONDS, CLOCK_TOLERANCE_SECONDS } from "../policy.ts";
import { isCompactJws } from "./compact-form.ts";

/** When each factor was last proven, epoch seconds. Names are RFC 8176 values. */
export interface FactorTimes {
  pwd?: number;
  otp?: number;
}

/** Authentication context class: how strong a sign-in is. */
export type Acr = "aal1" | "aal2";

/** What a token says about the sign-in behind it (RFC 9068 §2.2.1). */
export interface ProofClaims {
  acr: Acr;
  amr: string[];
  /** Last proof by the user, epoch seconds. A refresh never moves it. */
  auth_time: number;
  factors: FactorTimes;
}

/** Who the token is for and of which session. */
export interface AccessTokenSubject {
  accountId: string;
  sessionId: string;
  audience: string;
  roles: string[];
  factors: FactorTimes;
}

/** A verified access token of our own. */
export interface AccessToken extends ProofClaims {
  accountId: string;
  sessionId: string;
  roles: string[];
}

/** Derives `acr`, `amr` and `auth_time` from the factors that were proven: nothing else may claim a level. */
export function describeProof(factors: FactorTimes): ProofClaims {
  const times = Object.values(factors);
  const acr = times.length > 1 ? "aal2" : "aal1";
  const amr = [...Object.keys(factors).sort(pwdFirst), ...(acr === "aal2" ? ["mfa"] : [])];
  return { acr, amr, auth_time: Math.max(...times), factors };
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

function pwdFirst(a: string, b: string): number {
  return Number(b === "pwd") - Number(a === "pwd");
}
