import { createHmac } from "node:crypto";
import { base64url } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { clientNetwork } from "../../../src/gate/network.ts";
import { emailGate } from "../../../src/gate/subjects.ts";
import { type KeyRing, type KeyRingRecord, openKeyRing } from "../../../src/keys/key-ring.ts";
import { emailDigest, keyedDigest, keyedHash } from "../../../src/keys/keyed-digest.ts";
import { createKeyRingRecord } from "../../../src/keys/new-keys.ts";
import { NOW, newRing } from "../support/rings.ts";

let record: KeyRingRecord;
let ring: KeyRing;

beforeAll(async () => {
  record = await createKeyRingRecord(NOW);
  ring = await openKeyRing(record, NOW + 300_000);
});

/** HMAC-SHA-256 as Node computes it, under the key of a purpose. */
function hmac(purpose: string, text: string): string {
  const secret = record.data.find((key) => key.purpose === purpose)?.secret ?? "";
  return createHmac("sha256", base64url.decode(secret)).update(text).digest("hex");
}

describe("a keyed hash", () => {
  it.each(["", "text", "zwölf Ä 🔑", "x".repeat(1000)])("is HMAC-SHA-256 in hexadecimal, of %j", async (text) => {
    expect(await keyedHash(ring.active("recovery"), text)).toBe(hmac("recovery", text));
    expect(await keyedHash(ring.active("digest"), text)).toBe(hmac("digest", text));
  });
});

describe("a keyed digest", () => {
  it("is the first half of a keyed hash under the digest key, the same each time", async () => {
    expect(await keyedDigest(ring, "network:203.0.113.0/24")).toBe(
      hmac("digest", "network:203.0.113.0/24").slice(0, 32),
    );
    expect(await keyedDigest(ring, "x")).toBe(await keyedDigest(ring, "x"));
    expect(await keyedDigest(ring, "x")).not.toBe(await keyedDigest(await newRing(), "x"));
  });

  it("of an address is the one that gates count it by, and never changes with a version", async () => {
    const digest = await emailDigest(ring, "ada@example.com");
    expect(digest).toBe(hmac("digest", "email:ada@example.com").slice(0, 32));
    const [pair] = (await emailGate(ring, "ada@example.com", clientNetwork("203.0.113.7"))).subjects;
    expect(pair?.key).toContain(digest);
  });
});
