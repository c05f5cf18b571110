import { base64url } from "jose";
import { type Es256Key, signedJws } from "./es256-jws.ts";

/** What a proof is made for. */
export interface Proven {
  method: string;
  url: string;
  /** Epoch milliseconds. */
  now: number;
  accessToken?: string;
}

/** How a proof differs from the right one: members set to `undefined` are left out. */
export interface ProofChange {
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
}

/** A DPoP proof as a client makes it (RFC 9449 §4.2), with any of its members changed before it is signed. */
export async function dpopProof(
  key: Es256Key,
  { method, url, now, accessToken }: Proven,
  { header, claims }: ProofChange = {},
): Promise<string> {
  const ath = accessToken === undefined ? {} : { ath: await accessTokenHash(accessToken) };
  const about = { jti: crypto.randomUUID(), htm: method, htu: url, iat: Math.floor(now / 1000), ...ath };
  return signedJws(key, { typ: "dpop+jwt", alg: "ES256", jwk: key.jwk, ...header }, { ...about, ...claims });
}

/** The `ath` of an access token (RFC 9449 §4.2). */
export async function accessTokenHash(accessToken: string): Promise<string> {
  return base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(accessToken))));
}
