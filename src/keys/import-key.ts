import type { JWK } from "jose";
import { exportJWK } from "jose/key/export";
import { generateKeyPair } from "jose/key/generate/keypair";
import { importJWK } from "jose/key/import";
import type { KeyRing } from "./key-ring.ts";
import { seal, unseal } from "./seal.ts";

/** A key for one import: whoever imports enciphers with the public part, and nobody but the ring opens the private one. */
export interface ImportKey {
  publicKey: JWK;
  sealedPrivateKey: string;
}

const KEY_MANAGEMENT = "ECDH-ES";
const CONTENT_ENCRYPTION = "A256GCM";

/** Makes the key of an import (RFC 7518 §4.6, P-256). `id` is that of its operation. */
export async function makeImportKey(ring: KeyRing, id: string): Promise<ImportKey> {
  const { publicKey, privateKey } = await generateKeyPair(KEY_MANAGEMENT, { crv: "P-256", extractable: true });
  const secret = new TextEncoder().encode(JSON.stringify(await exportJWK(privateKey)));
  return {
    publicKey: await exportJWK(publicKey),
    sealedPrivateKey: await seal(ring.active("seal"), secret, contextOf(id)),
  };
}

/** Opens what was enciphered for an import (compact JWE, RFC 7516). `undefined` for anything else. */
export async function openImport(
  ring: KeyRing,
  id: string,
  sealedPrivateKey: string,
  jwe: string,
): Promise<string | undefined> {
  const secret = await unseal(ring.byId("seal"), sealedPrivateKey, contextOf(id));
  if (!secret) return undefined;
  const key = await importJWK(JSON.parse(new TextDecoder().decode(secret)) as JWK, KEY_MANAGEMENT);
  // Nothing but an import ever deciphers.
  const { compactDecrypt } = await import("jose/jwe/compact/decrypt");
  const accepted = {
    keyManagementAlgorithms: [KEY_MANAGEMENT],
    contentEncryptionAlgorithms: [CONTENT_ENCRYPTION],
  };
  try {
    return new TextDecoder().decode((await compactDecrypt(jwe, key, accepted)).plaintext);
  } catch {
    return undefined;
  }
}

function contextOf(id: string): string {
  return `import-key:${id}`;
}
