import { createPublicKey, verify } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { type Attestation, attest, importSignatureKey, isAttested } from "../../../src/keys/attestation.ts";
import { type KeyRing, openKeyRing } from "../../../src/keys/key-ring.ts";
import { asked, turned } from "../../../src/keys/key-rotation.ts";
import { createKeyRingRecord } from "../../../src/keys/new-keys.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const HOUR = 3_600_000;
const TEXT = '["sallyport checkpoint","1"]';

describe("a signature of the key ring", () => {
  let before: KeyRing;
  let after: KeyRing;
  let stranger: KeyRing;
  let made: Attestation;

  beforeAll(async () => {
    const record = await createKeyRingRecord(NOW);
    const wanted = await asked(record, { purpose: "checkpoint", by: "o1" }, NOW, HOUR);
    if (typeof wanted === "string") throw new Error(wanted);
    before = await openKeyRing(record, NOW);
    after = await openKeyRing(await turned(wanted, NOW + HOUR, HOUR), NOW);
    stranger = await openKeyRing(await createKeyRingRecord(NOW), NOW);
    made = await attest(before, TEXT);
  });

  it("is that of RFC 8032 §7.1, test 1", async () => {
    const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
    const seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    const { key, publicKey } = await importSignatureKey(seed);
    expect(Buffer.from(publicKey, "base64url").toString("hex")).toBe(
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    );
    const signature = Buffer.from(await crypto.subtle.sign("Ed25519", key, new Uint8Array()));
    expect(signature.toString("hex")).toBe(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    );
  });

  it("is checked by whoever has the public part", () => {
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: made.public_key }, format: "jwk" });
    expect(verify(null, Buffer.from(TEXT), key, Buffer.from(made.signature, "base64url"))).toBe(true);
  });

  it("holds after its key was rotated, and the next one is another key's", async () => {
    const next = await attest(after, TEXT);
    expect(next.key_id).not.toBe(made.key_id);
    expect([await isAttested(after, TEXT, made), await isAttested(after, TEXT, next)]).toEqual([true, true]);
  });

  it("does not hold for another text, from another ring, with another public part or another spelling", async () => {
    const foreign = await attest(stranger, TEXT);
    const judged = await Promise.all([
      isAttested(before, `${TEXT} `, made),
      isAttested(stranger, TEXT, made),
      isAttested(before, TEXT, foreign),
      isAttested(before, TEXT, { ...made, public_key: foreign.public_key }),
      isAttested(before, TEXT, { ...made, key_id: made.key_id + 1 }),
      isAttested(before, TEXT, { ...made, signature: `${made.signature}=` }),
      isAttested(before, TEXT, { ...made, signature: "" }),
      isAttested(before, TEXT, made),
    ]);
    expect(judged).toEqual([false, false, false, false, false, false, false, true]);
  });
});
