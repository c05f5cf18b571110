import { jwtVerify, SignJWT } from "jose";
import type { KeyRing } from "../keys/key-ring.ts";
import { isCompactJws } from "./compact-form.ts";

/** What the answer to a challenge opens; the purpose alone decides. */
export type ChallengePurpose = "login" | "step_up" | "reauthenticate";

/** Names a challenge that waits in an account object. Everything that counts is kept there. */
export interface ChallengeReference {
  accountId: string;
  challengeId: string;
  purpose: ChallengePurpose;
}

/** Not our issuer, so that no service that expects its own audience can take it for an access token. */
const AUDIENCE = "urn:sallyport:challenge";

/**
 * Signs a challenge token: HS256 under a key that is never in the JWKS (RFC 8725 §3.12: own type, audience and key).
 * `expiresAt` in epoch milliseconds.
 */
export async function signChallengeToken(
  ring: KeyRing,
  issuer: string,
  { accountId, challengeId, purpose }: ChallengeReference,
  expiresAt: number,
): Promise<string> {
  const { id, key } = ring.active("challenge");
  return new SignJWT({ purpose, epoch: ring.epoch })
    .setProtectedHeader({ alg: "HS256", typ: "challenge+jwt", kid: String(id) })
    .setIssuer(issuer)
    .setSubject(accountId)
    .setAudience(AUDIENCE)
    .setJti(challengeId)
    .setExpirationTime(Math.floor(expiresAt / 1000))
    .sign(key);
}

/** Verifies signature, type, audience, expiry and epoch before any object is asked. `undefined` for anything else. */
export async function verifyChallengeToken(
  ring: KeyRing,
  issuer: string,
  token: string,
  now: number,
): Promise<ChallengeReference | undefined> {
  if (!isCompactJws(token, "HS256")) return undefined;
  try {
    const { payload } = await jwtVerify(
      token,
      ({ kid }) => {
        const known = ring.byId("challenge")(Number(kid));
        if (!known) throw new Error("no such key");
        return known.key;
      },
      {
        algorithms: ["HS256"],
        typ: "challenge+jwt",
        issuer,
        audience: AUDIENCE,
        currentDate: new Date(now),
        requiredClaims: ["sub", "jti", "exp", "purpose", "epoch"],
      },
    );
    if (payload.epoch !== ring.epoch) return undefined;
    return {
      accountId: String(payload.sub),
      challengeId: String(payload.jti),
      purpose: payload.purpose as ChallengePurpose,
    };
  } catch {
    return undefined;
  }
}
