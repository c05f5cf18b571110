import { SignJWT } from "jose/jwt/sign";
import type { KeyRing } from "../keys/key-ring.ts";
import { REVOKED_SESSIONS_TTL_SECONDS } from "../token-policy.ts";

/** The header's `typ`: whoever expects an access token cannot take the list for one (RFC 8725 §3.11). */
const TYPE = "revoked+jwt";

/** Sessions that have ended. Times in epoch milliseconds. */
export interface RevokedSessionList {
  /** When it was read: by that a verifier tells an older list from a newer one, whenever it was signed. */
  asOf: number;
  sids: string[];
  /** When the newest session ended that did not fit in; 0 where all did. */
  endedBefore: number;
}

/** What a list came to under a ring: anybody may ask, and signing thousands of names is work. */
const signed = new WeakMap<RevokedSessionList, { ring: KeyRing; text: string }>();

/**
 * The list of ended sessions as it is published (JWS, ES256). `not_before` (epoch seconds, 0 if never) ends every token
 * that was issued earlier, whatever its session: the last emergency drop, or the last end that did not fit in.
 */
export async function signRevokedSessions(ring: KeyRing, issuer: string, list: RevokedSessionList): Promise<string> {
  const known = signed.get(list);
  if (known?.ring === ring) return known.text;
  const text = await sign(ring, issuer, list);
  signed.set(list, { ring, text });
  return text;
}

function sign(ring: KeyRing, issuer: string, { asOf, sids, endedBefore }: RevokedSessionList): Promise<string> {
  const iat = Math.floor(asOf / 1000);
  // A token of the very second in which its session ended is one of those that are over.
  const omitted = endedBefore === 0 ? 0 : Math.floor(endedBefore / 1000) + 1;
  const notBefore = Math.max(Math.floor(ring.notBefore / 1000), omitted);
  const exp = iat + REVOKED_SESSIONS_TTL_SECONDS;
  return new SignJWT({ iss: issuer, iat, exp, not_before: notBefore, sids })
    .setProtectedHeader({ alg: "ES256", typ: TYPE, kid: ring.signing.kid })
    .sign(ring.signing.key);
}
