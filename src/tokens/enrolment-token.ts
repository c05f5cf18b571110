import { decodeProtectedHeader } from "jose/decode/protected_header";
import type { KeyRing } from "../keys/key-ring.ts";
import { TOKEN_MAX_LENGTH } from "../token-policy.ts";
import { type OwnJwtKind, signOwnJwt, verifyOwnJwt } from "./own-jwt.ts";

/** Names an enrolment that waits in an account object: a right password, and a second factor that has yet to be added. */
export interface EnrolmentReference {
  accountId: string;
  enrolmentId: string;
}

const ENROLMENT: OwnJwtKind = { typ: "enrolment+jwt", audience: "urn:sallyport:enrolment", claims: [] };

/** Signs an enrolment token. `expiresAt` in epoch milliseconds. */
export async function signEnrolmentToken(
  ring: KeyRing,
  issuer: string,
  { accountId, enrolmentId }: EnrolmentReference,
  expiresAt: number,
): Promise<string> {
  return signOwnJwt(ring, issuer, ENROLMENT, { sub: accountId, jti: enrolmentId }, expiresAt);
}

/** Verifies signature, type, audience, expiry and epoch before any object is asked. `undefined` for anything else. */
export async function verifyEnrolmentToken(
  ring: KeyRing,
  issuer: string,
  token: string,
  now: number,
): Promise<EnrolmentReference | undefined> {
  const claims = await verifyOwnJwt(ring, issuer, ENROLMENT, token, now);
  return claims && { accountId: claims.sub, enrolmentId: claims.jti };
}

/**
 * Whether a bearer token says that it is an enrolment token. Nothing is verified: this chooses between two refusals,
 * never between yes and no.
 */
export function isEnrolmentToken(token: string): boolean {
  if (token.length > TOKEN_MAX_LENGTH) return false;
  try {
    return decodeProtectedHeader(token).typ === ENROLMENT.typ;
  } catch {
    return false;
  }
}
