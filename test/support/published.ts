import { setTimeout as sleep } from "node:timers/promises";
import { createRemoteJWKSet, type JWTVerifyResult, jwtVerify } from "jose";
import { type Answer, get, issuer, type Json } from "./client.ts";

export const JWKS = "/.well-known/jwks.json";
export const METADATA = "/.well-known/oauth-authorization-server";
export const REVOKED = "/.well-known/revoked-sessions";

/** The keys of the JWKS. */
export async function publishedKeys(): Promise<Json[]> {
  return (await get(JWKS)).body.keys as Json[];
}

/** What another service makes of a token for it: it shares a URL with the issuer, nothing else. Throws when it is none. */
export const verified = (token: string, audience = issuer): Promise<JWTVerifyResult> =>
  jwtVerify(token, createRemoteJWKSet(new URL(JWKS, issuer)), {
    issuer,
    audience,
    typ: "at+jwt",
    algorithms: ["ES256"],
  });

/** The claims of the feed of ended sessions. */
export interface Revoked {
  iss: string;
  iat: number;
  exp: number;
  not_before: number;
  sids: string[];
}

/** The feed as it is served, its signature and its type checked. */
export async function revokedFeed(): Promise<{ answer: Answer; header: Json; claims: Revoked }> {
  const answer = await get(REVOKED);
  const keys = createRemoteJWKSet(new URL(JWKS, issuer));
  const { payload, protectedHeader } = await jwtVerify(answer.text, keys, {
    issuer,
    typ: "revoked+jwt",
    algorithms: ["ES256"],
  });
  return { answer, header: protectedHeader as unknown as Json, claims: payload as unknown as Revoked };
}

/** Whether the feed names a session by now. */
export const isListed = async (id: string): Promise<boolean> => (await revokedFeed()).claims.sids.includes(id);

/** Whether the feed names a session within so many seconds: a copy of it may be ten seconds old. */
export async function becomesListed(id: string, seconds = 15): Promise<boolean> {
  for (const end = Date.now() + seconds * 1000; ; ) {
    if (await isListed(id)) return true;
    if (Date.now() > end) return false;
    await sleep(250);
  }
}
