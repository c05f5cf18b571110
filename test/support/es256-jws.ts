import { base64url } from "jose";

const P256 = { name: "ECDSA", namedCurve: "P-256" };

/** A key pair for ES256 and its public half as anyone may read it. */
export interface Es256Key {
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  jwk: { kty: "EC"; crv: "P-256"; x: string; y: string };
}

/** A fresh key pair. Its private half can be exported, for the tests that show it where it must not be. */
export async function newEs256Key(): Promise<Es256Key> {
  const { privateKey, publicKey } = (await crypto.subtle.generateKey(P256, true, ["sign", "verify"])) as CryptoKeyPair;
  const { x = "", y = "" } = (await crypto.subtle.exportKey("jwk", publicKey)) as JsonWebKey;
  return { privateKey, publicKey, jwk: { kty: "EC", crv: "P-256", x, y } };
}

/** A compact JWS, signed by hand so that anything can stand in it: a text as it is, an object as JSON. */
export async function signedJws({ privateKey }: Es256Key, header: unknown, claims: unknown): Promise<string> {
  const input = `${partOf(header)}.${partOf(claims)}`;
  const bytes = new TextEncoder().encode(input);
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, bytes);
  return `${input}.${base64url.encode(new Uint8Array(signature))}`;
}

function partOf(content: unknown): string {
  if (content instanceof Uint8Array) return base64url.encode(content);
  return base64url.encode(typeof content === "string" ? content : JSON.stringify(content));
}
