import * as base64url from "jose/base64url";
import type { KeyRing } from "./key-ring.ts";
import { type DataKey, decodeCanonical } from "./seal.ts";

/** A signature of the ring over a text, as it is stored beside it. */
export interface Attestation {
  /** Which of the ring's `checkpoint` keys made it. */
  key_id: number;
  /** That key's public part (RFC 8032 §5.1.5), 32 bytes in base64url: with it anybody can check, without the ring. */
  public_key: string;
  /** Ed25519 (RFC 8032), 64 bytes in base64url. */
  signature: string;
}

/** A `checkpoint` key in memory: signs, verifies, and says its public part. */
interface SignatureKey extends DataKey {
  verifying: CryptoKey;
  publicKey: string;
}

/** A PKCS #8 wrapping of an Ed25519 seed (RFC 8410 §7): all of it but the 32 bytes at its end. */
const PKCS8_PREFIX = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/** Imports an Ed25519 key from its seed of 32 bytes. What it gives belongs into the ring's memory. */
export async function importSignatureKey(seed: Uint8Array): Promise<Omit<SignatureKey, "id">> {
  const der = Uint8Array.from([...PKCS8_PREFIX, ...seed]);
  // Only a key that may be exported says its public part; that one is forgotten here.
  const exported = await crypto.subtle.importKey("pkcs8", der, "Ed25519", true, ["sign"]);
  const { x: publicKey = "" } = (await crypto.subtle.exportKey("jwk", exported)) as JsonWebKey;
  const raw = new Uint8Array(base64url.decode(publicKey));
  return {
    key: await crypto.subtle.importKey("pkcs8", der, "Ed25519", false, ["sign"]),
    verifying: await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]),
    publicKey,
  };
}

/** Signs a text with the active `checkpoint` key. The same text has the same signature as long as the key is the same. */
export async function attest(ring: KeyRing, text: string): Promise<Attestation> {
  const key = ring.active("checkpoint") as SignatureKey;
  const signature = await crypto.subtle.sign("Ed25519", key.key, new TextEncoder().encode(text));
  return { key_id: key.id, public_key: key.publicKey, signature: base64url.encode(new Uint8Array(signature)) };
}

/**
 * Whether a key of this ring has signed that text. The public part that stands beside a signature is not believed: it has
 * to be the ring's own.
 */
export async function isAttested(ring: KeyRing, text: string, attestation: Attestation): Promise<boolean> {
  const key = ring.byId("checkpoint")(attestation.key_id) as SignatureKey | undefined;
  const signature = decodeCanonical(attestation.signature);
  if (!key || !signature || key.publicKey !== attestation.public_key) return false;
  return crypto.subtle.verify("Ed25519", key.verifying, signature, new TextEncoder().encode(text));
}
