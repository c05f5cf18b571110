import { base64url, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { makeDpopNonce } from "../../../src/tokens/dpop-nonce.ts";
import { type Answer, type Call, call, ISSUER, ring } from "../../support/in-worker.ts";

/** How a proof differs from a good one. */
export interface ProofChanges {
  header?: object;
  claims?: object;
}

/** A key that a client holds, and makes proofs with (RFC 9449 §4.2). */
export interface ProofKey {
  jkt: string;
  jwk: JWK;
  /** A proof for one request, made now, with a nonce of the service. */
  proof(method: string, path: string, accessToken?: unknown, changes?: ProofChanges): Promise<string>;
}

/** Makes a key. */
export async function newProofKey(): Promise<ProofKey> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const jwk = await exportJWK(publicKey);
  return {
    jwk,
    jkt: await calculateJwkThumbprint(jwk),
    async proof(method, path, accessToken, { header = {}, claims = {} } = {}) {
      const about = {
        htm: method,
        htu: `${ISSUER}${path}`,
        iat: Math.floor(Date.now() / 1000),
        jti: crypto.randomUUID(),
      };
      const nonce = await makeDpopNonce(await ring(), Date.now());
      const ath = accessToken === undefined ? {} : { ath: await hashOf(String(accessToken)) };
      return new SignJWT({ ...about, nonce, ...ath, ...claims })
        .setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk, ...header })
        .sign(privateKey);
    },
  };
}

/** Sends a request with a proof of this key; `bearer` is then a token that is bound to it. */
export async function callBound(
  key: ProofKey,
  path: string,
  body?: unknown,
  { bearer, changes, ...options }: Call & { changes?: ProofChanges } = {},
): Promise<Answer> {
  const method = options.method ?? (body === undefined ? "GET" : "POST");
  const headers = {
    ...options.headers,
    ...(bearer === undefined ? {} : { Authorization: `DPoP ${bearer}` }),
    DPoP: await key.proof(method, path.replace(/\?.*/, ""), bearer, changes),
  };
  return call(path, body, { ...options, headers });
}

async function hashOf(text: string): Promise<string> {
  return base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
}
