import type { KeyRing } from "../keys/key-ring.ts";
import { type OwnJwtKind, signOwnJwt, verifyOwnJwt } from "./own-jwt.ts";

/** What the answer to a challenge opens; the purpose alone decides. */
export type ChallengePurpose = "login" | "step_up" | "reauthenticate" | "password_reset";

/** Names a challenge that waits in an account object. Everything that counts is kept there. */
export interface ChallengeReference {
  accountId: string;
  challengeId: string;
  purpose: ChallengePurpose;
}

const CHALLENGE: OwnJwtKind = { typ: "challenge+jwt", audience: "urn:sallyport:challenge", claims: ["purpose"] };

/** Signs a challenge token. `expiresAt` in epoch milliseconds. */
export async function signChallengeToken(
  ring: KeyRing,
  issuer: string,
  { accountId, challengeId, purpose }: ChallengeReference,
  expiresAt: number,
): Promise<string> {
  return signOwnJwt(ring, issuer, CHALLENGE, { sub: accountId, jti: challengeId, purpose }, expiresAt);
}

/** Verifies signature, type, audience, expiry and epoch before any object is asked. `undefined` for anything else. */
export async function verifyChallengeToken(
  ring: KeyRing,
  issuer: string,
  token: string,
  now: number,
): Promise<ChallengeReference | undefined> {
  const claims = await verifyOwnJwt(ring, issuer, CHALLENGE, token, now);
  return claims && { accountId: claims.sub, challengeId: claims.jti, purpose: claims.purpose as ChallengePurpose };
}
