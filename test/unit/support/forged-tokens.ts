import { readAccessToken } from "../../../src/sdk/access-token.ts";

// An issuer of our own: every part of a token can be wrong while its signature is right, so that a check that is missing
// shows as a token that is accepted.

export type Json = Record<string, unknown>;

export const ISSUER = "https://auth.example.com";
export const AUDIENCE = "orders";
/** 2026-01-01T00:00:00Z, epoch milliseconds. */
export const NOW = Date.UTC(2026, 0, 1);
export const SECONDS = NOW / 1000;
export const KID = "zd0vSQ9mDqTQGhqgVqHQ9GyRm8h5kVqkPAwHCIrCwzA";

export const HEADER = { alg: "ES256", typ: "at+jwt", kid: KID };
export const CLAIMS = {
  iss: ISSUER,
  sub: "1d9a2f0e-0000-4000-8000-000000000001",
  aud: AUDIENCE,
  client_id: "first-party",
  iat: SECONDS,
  exp: SECONDS + 300,
  jti: "3d9a2f0e-0000-4000-8000-000000000003",
  sid: "2d9a2f0e-0000-4000-8000-000000000002",
  auth_time: SECONDS - 30,
  acr: "aal2",
  amr: ["pwd", "otp", "mfa"],
  factors: { pwd: SECONDS - 60, otp: SECONDS - 30 },
  roles: ["reader"],
};

/** A key pair for ES256. */
export async function newPair(): Promise<CryptoKeyPair> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  return pair as CryptoKeyPair;
}

export const trusted = await newPair();
export const trustedJwk = (await crypto.subtle.exportKey("jwk", trusted.publicKey)) as JsonWebKey;

export const encoded = (part: string | Uint8Array) => Buffer.from(part).toString("base64url");

/** An ES256 signature over a text, by the trusted key unless another is given. */
export async function signatureOf(text: string, key = trusted.privateKey): Promise<Uint8Array> {
  const bytes = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new TextEncoder().encode(text));
  return new Uint8Array(bytes);
}

/** A token of exactly these two texts (or bytes), signed. */
export async function signedTexts(
  header: string | Uint8Array,
  payload: string | Uint8Array,
  key = trusted.privateKey,
): Promise<string> {
  const input = `${encoded(header)}.${encoded(payload)}`;
  return `${input}.${encoded(await signatureOf(input, key))}`;
}

/** A token that is good but for these members; `undefined` removes one. */
export const signed = (claims: Json = {}, header: Json = {}, key = trusted.privateKey) =>
  signedTexts(JSON.stringify({ ...HEADER, ...header }), JSON.stringify({ ...CLAIMS, ...claims }), key);

/** Reads a token as the service "orders" does, with one key. Another key id finds it too where `anyKid` says so. */
export const read = (token: string, { now = NOW, tolerance = 30, anyKid = false } = {}) =>
  readAccessToken(token, {
    issuer: ISSUER,
    audience: AUDIENCE,
    keyFor: (kid) => (anyKid || kid === KID ? trusted.publicKey : undefined),
    now,
    clockToleranceSeconds: tolerance,
  });
