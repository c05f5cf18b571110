import { CompactEncrypt, importJWK, type JWK } from "jose";
import { describe, expect, it } from "vitest";
import { makeImportKey, openImport } from "../../../src/keys/import-key.ts";
import { newRing } from "../support/rings.ts";

const ring = await newRing();
const key = await makeImportKey(ring, "operation");

async function encipher(text: string, publicKey: JWK, header = { alg: "ECDH-ES", enc: "A256GCM" }): Promise<string> {
  const jwe = new CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader(header);
  return jwe.encrypt(await importJWK(publicKey, header.alg));
}

describe("the key of an import", () => {
  it("opens what was enciphered with its public part", async () => {
    const jwe = await encipher("пользователи", key.publicKey);
    expect(await openImport(ring, "operation", key.sealedPrivateKey, jwe)).toBe("пользователи");
  });

  it("shows nothing of its private part", () => {
    expect(key.publicKey).toEqual({ kty: "EC", crv: "P-256", x: expect.any(String), y: expect.any(String) });
  });

  it.each([
    ["for another operation", (jwe: string) => openImport(ring, "other", key.sealedPrivateKey, jwe)],
    ["under another ring", async (jwe: string) => openImport(await newRing(), "operation", key.sealedPrivateKey, jwe)],
    ["when it is gone", (jwe: string) => openImport(ring, "operation", "", jwe)],
    [
      "what was changed",
      (jwe: string) => openImport(ring, "operation", key.sealedPrivateKey, `${jwe.slice(0, -4)}AAAA`),
    ],
    ["what is no JWE", () => openImport(ring, "operation", key.sealedPrivateKey, "not.a.jwe")],
  ])("opens nothing %s", async (_, open) => {
    expect(await open(await encipher("users", key.publicKey))).toBeUndefined();
  });

  it.each([
    { alg: "ECDH-ES+A256KW", enc: "A256GCM" },
    { alg: "ECDH-ES", enc: "A128GCM" },
  ])("takes no other algorithms: $alg, $enc", async (header) => {
    const jwe = await encipher("users", key.publicKey, header);
    expect(await openImport(ring, "operation", key.sealedPrivateKey, jwe)).toBeUndefined();
  });
});
