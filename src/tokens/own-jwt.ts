import type { JWTPayload } from "jose";
import { SignJWT } from "jose/jwt/sign";
import { jwtVerify } from "jose/jwt/verify";
import type { KeyRing } from "../keys/key-ring.ts";
import { isCompactJws } from "./compact-form.ts";

/** A kind of JWT that this service makes for itself alone. */
export interface OwnJwtKind {
  /** The header's `typ`. */
  typ: string;
  /** Not our issuer, so that no service that expects its own audience can take it for an access token. */
  audience: string;
  /** Claims it must have besides those that every kind has. */
  claims: string[];
}

/** What a token names: an account, something that waits in its object, and what else its kind says. */
export interface OwnJwtClaims extends JWTPayload {
  sub: string;
  jti: string;
}

/**
 * Signs a token: HS256 under a key that is never in the JWKS (RFC 8725 §3.12: own type, audience and key).
 * `expiresAt` in epoch milliseconds.
 */
export async function signOwnJwt(
  ring: KeyRing,
  issuer: string,
  { typ, audience }: OwnJwtKind,
  claims: OwnJwtClaims,
  expiresAt: number,
): Promise<string> {
  const { id, key } = ring.active("challenge");
  return new SignJWT({ ...claims, epoch: ring.epoch })
    .setProtectedHeader({ alg: "HS256", typ, kid: String(id) })
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime(Math.floor(expiresAt / 1000))
    .sign(key);
}

/** The claims of a token of this kind and epoch that has not expired at `now`; `undefined` for anything else. */
export async function verifyOwnJwt(
  ring: KeyRing,
  issuer: string,
  { typ, audience, claims }: OwnJwtKind,
  token: string,
  now: number,
): Promise<OwnJwtClaims | undefined> {
  if (!isCompactJws(token)) return undefined;
  try {
    const { payload } = await jwtVerify<OwnJwtClaims>(
      token,
      ({ kid }) => {
        const known = ring.byId("challenge")(Number(kid));
        if (!known) throw new Error("no such key");
        return known.key;
      },
      {
        algorithms: ["HS256"],
        typ,
        issuer,
        currentDate: new Date(now),
        requiredClaims: ["sub", "jti", "exp", "epoch", ...claims],
      },
    );
    // One audience and exactly ours: jose would also take a list that holds it.
    return payload.aud === audience && payload.epoch === ring.epoch ? payload : undefined;
  } catch {
    return undefined;
  }
}
