import { randomBytes } from "node:crypto";
import { calculateJwkThumbprint, type JWK } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import type { DataKeyPurpose } from "../../../src/keys/key-purposes.ts";
import {
  type KeyRing,
  type KeyRingRecord,
  openKeyRing,
  sealRecord,
  unsealRecord,
  unsealWithRoot,
  validUntil,
} from "../../../src/keys/key-ring.ts";
import { completed, createKeyRingRecord, missingPurposes } from "../../../src/keys/new-keys.ts";
import type { RootSecret } from "../../../src/keys/root-secret.ts";
import { NOW } from "../support/rings.ts";

const FIRST: DataKeyPurpose[] = ["seal", "challenge", "refresh", "link", "pepper", "digest"];
const LATER: DataKeyPurpose[] = ["recovery", "handle", "assertion", "dpop", "checkpoint"];
const PURPOSES = [...FIRST, ...LATER];
const ROTATING = PURPOSES.filter((purpose) => purpose !== "digest" && purpose !== "handle");
const newRoot = (): RootSecret => new Uint8Array(randomBytes(32));

let record: KeyRingRecord;
let ring: KeyRing;

beforeAll(async () => {
  record = await createKeyRingRecord(NOW);
  ring = await openKeyRing(record, validUntil(NOW));
});

describe("a first key ring", () => {
  it("has a signing key and a random key for each purpose, and their successors, none of them twice", () => {
    expect(record).toMatchObject({ version: 1, epoch: 1 });
    expect(record).not.toHaveProperty("notBefore");
    expect(record.signing.map(({ state }) => state)).toEqual(["active", "next"]);
    const inState = (wanted: string) => record.data.filter(({ state }) => state === wanted);
    expect(inState("active").map(({ purpose, id }) => [purpose, id])).toEqual(PURPOSES.map((purpose) => [purpose, 1]));
    expect(inState("next").map(({ purpose, id }) => [purpose, id])).toEqual(ROTATING.map((purpose) => [purpose, 2]));
    expect(record.data.every(({ secret }) => Buffer.from(secret, "base64url").length === 32)).toBe(true);
    expect(new Set(record.data.map(({ secret }) => secret)).size).toBe(PURPOSES.length + ROTATING.length);
  });

  it("is another one each time", async () => {
    const other = await createKeyRingRecord(NOW);
    expect(other.signing[0]?.kid).not.toBe(record.signing[0]?.kid);
    expect(other.data[0]?.secret).not.toBe(record.data[0]?.secret);
  });

  it("is believed for five minutes", () => {
    expect(ring.validUntil).toBe(NOW + 300_000);
  });
});

describe("a ring of an earlier version", () => {
  const without = (...purposes: DataKeyPurpose[]): KeyRingRecord => ({
    ...record,
    version: 4,
    epoch: 3,
    data: record.data.filter(({ purpose }) => !purposes.includes(purpose)),
  });

  it("lacks the purposes that came later, and a new one lacks nothing", () => {
    expect(missingPurposes(record)).toEqual([]);
    expect(missingPurposes(without(...LATER))).toEqual(LATER);
    expect(missingPurposes(without("handle"))).toEqual(["handle"]);
  });

  it("gets a random key for each of them, with a successor where one is due, and keeps all it has", async () => {
    const [older, later] = [without(...LATER), NOW + 1000];
    const next = await completed(older, later);
    expect(missingPurposes(next)).toEqual([]);
    expect({ ...next, data: next.data.slice(0, older.data.length) }).toEqual(older);
    const added = next.data.slice(older.data.length);
    expect(added.map(({ purpose, id, state, createdAt }) => [purpose, id, state, createdAt])).toEqual([
      ...LATER.map((purpose) => [purpose, 1, "active", later]),
      ...LATER.filter((purpose) => purpose !== "handle").map((purpose) => [purpose, 2, "next", later]),
    ]);
    expect(added.every(({ secret }) => Buffer.from(secret, "base64url").length === 32)).toBe(true);
    expect(new Set(next.data.map(({ secret }) => secret)).size).toBe(next.data.length);
    expect((await completed(older, later)).data.at(-1)?.secret).not.toBe(next.data.at(-1)?.secret);
  });

  it("gets no second key for a purpose that it has, and stays the same object when it lacks nothing", async () => {
    const next = await completed(without("handle"), NOW);
    expect(next.data.filter(({ state }) => state === "active").map(({ purpose }) => purpose)).toHaveLength(
      PURPOSES.length,
    );
    expect(await completed(record, NOW)).toBe(record);
  });

  it("works on while nothing in it has a successor, and gets one for each key that should have one", async () => {
    const isActive = ({ state }: { state: string }) => state === "active";
    const plain = ({ activeAt: _, ...key }: { activeAt?: number }) => key;
    const older = {
      ...record,
      signing: record.signing.filter(isActive).map(plain),
      data: record.data.filter(isActive).map(plain),
    } as KeyRingRecord;
    const opened = await openKeyRing(older, validUntil(NOW));
    expect(opened.signing.kid).toBe(ring.signing.kid);
    expect(opened.jwks).toEqual(ring.jwks.slice(0, 1));
    expect(opened.notBefore).toBe(0);
    const whole = await completed(older, NOW + 1000);
    expect(whole.signing.map(({ state }) => state)).toEqual(["active", "next"]);
    expect(whole.data.filter(({ state }) => state === "next").map(({ purpose }) => purpose)).toEqual(ROTATING);
  });

  it("is not given a key that every version had: that one was lost, and a new one would hide it", async () => {
    expect(missingPurposes(without("pepper", "assertion"))).toEqual(["assertion"]);
    const next = await completed(without("pepper", "assertion"), NOW);
    expect(next.data.map(({ purpose }) => purpose)).not.toContain("pepper");
  });
});

describe("a sealed ring", () => {
  const [root, next, stranger] = [newRoot(), newRoot(), newRoot()];

  it("opens with its root secret, and with a list that holds it anywhere", async () => {
    const sealed = await sealRecord(record, root, "record:1");
    expect(await unsealRecord(sealed, [root], "record:1")).toEqual(record);
    expect(await unsealRecord(sealed, [next, root], "record:1")).toEqual(record);
    expect(await unsealRecord(sealed, [root, next], "record:1")).toEqual(record);
  });

  it("opens with the new secret alone once it has been sealed anew", async () => {
    const before = await unsealRecord(await sealRecord(record, root, "record:1"), [next, root], "record:1");
    const rotated = await sealRecord(before ?? record, next, "record:1");
    expect(await unsealRecord(rotated, [next], "record:1")).toEqual(record);
    expect(await unsealRecord(rotated, [root], "record:1")).toBeUndefined();
  });

  it("says which secret it was that opened it", async () => {
    const sealed = await sealRecord(record, root, "record:1");
    expect((await unsealWithRoot(sealed, [root, next], "record:1"))?.root).toBe(0);
    expect((await unsealWithRoot(sealed, [next, root], "record:1"))?.root).toBe(1);
  });

  it("opens with no other secret, and with none", async () => {
    const sealed = await sealRecord(record, root, "record:1");
    expect(await unsealRecord(sealed, [stranger, next], "record:1")).toBeUndefined();
    expect(await unsealRecord(sealed, [], "record:1")).toBeUndefined();
  });

  it("opens in its own place alone: no copy passes for the record, no old version for a new one", async () => {
    const sealed = await sealRecord(record, root, "record:1");
    for (const place of ["record:2", "copy:1:5", "record", "", "record:1 "]) {
      expect(await unsealRecord(sealed, [root], place)).toBeUndefined();
    }
  });

  it("shows nothing of what is in it", async () => {
    const bytes = Buffer.from(await sealRecord(record, root, "record:1"), "base64url");
    for (const text of ["signing", "pepper", record.signing[0]?.kid ?? "", record.data[0]?.secret ?? ""]) {
      expect(bytes.includes(text)).toBe(false);
    }
  });
});

describe("the public keys", () => {
  it("are those of every signing key, with exactly the members of the contract and nothing private", () => {
    expect(ring.jwks).toEqual(
      record.signing.map(({ kid, jwk: { x, y } }) => ({
        kty: "EC",
        crv: "P-256",
        x,
        y,
        use: "sig",
        alg: "ES256",
        kid,
      })),
    );
    for (const { jwk } of record.signing) expect(JSON.stringify(ring.jwks)).not.toContain(jwk.d);
    for (const { secret } of record.data) expect(JSON.stringify(ring.jwks)).not.toContain(secret);
  });

  it("are named by their RFC 7638 thumbprint", async () => {
    for (const jwk of ring.jwks) expect(jwk.kid).toBe(await calculateJwkThumbprint(jwk as JWK));
  });

  it("belong to the key that signs", async () => {
    const algorithm = { name: "ECDSA", hash: "SHA-256" };
    const data = new TextEncoder().encode("signed");
    const signature = await crypto.subtle.sign(algorithm, ring.signing.key, data);
    expect([...ring.verifying.keys()]).toEqual(ring.jwks.map(({ kid }) => kid));
    const publicKey = ring.verifying.get(ring.signing.kid);
    if (!publicKey) throw new Error("the signing key cannot be verified with");
    expect(await crypto.subtle.verify(algorithm, publicKey, signature, data)).toBe(true);
  });
});

describe("keys in memory", () => {
  it("cannot be taken out of it", async () => {
    const secretKeys = [ring.signing.key, ...PURPOSES.map((purpose) => ring.active(purpose).key)];
    expect(secretKeys.map(({ extractable }) => extractable)).toEqual(secretKeys.map(() => false));
    await expect(crypto.subtle.exportKey("jwk", ring.signing.key)).rejects.toThrow();
  });

  it("can do what their purpose asks for and nothing else", () => {
    expect(ring.signing.key.usages).toEqual(["sign"]);
    expect([...ring.verifying.values()].map(({ usages }) => usages)).toEqual([["verify"], ["verify"]]);
    for (const purpose of PURPOSES) {
      const encrypts = purpose === "seal" || purpose === "link";
      const { algorithm, usages } = ring.active(purpose).key;
      if (purpose === "checkpoint") {
        expect([algorithm.name, ...usages]).toEqual(["Ed25519", "sign"]);
        continue;
      }
      expect(algorithm.name).toBe(encrypts ? "AES-GCM" : "HMAC");
      expect(usages.toSorted()).toEqual(encrypts ? ["decrypt", "encrypt"] : ["sign", "verify"]);
    }
  });

  it("are found by purpose and id, and never under another purpose", async () => {
    for (const purpose of PURPOSES) {
      expect(ring.byId(purpose)(1)).toBe(ring.active(purpose));
      expect(ring.byId(purpose)(2) === undefined).toBe(purpose === "digest" || purpose === "handle");
      expect(ring.byId(purpose)(3)).toBeUndefined();
      expect(ring.byId(purpose)(0)).toBeUndefined();
    }
    expect(new Set(PURPOSES.map((purpose) => ring.active(purpose))).size).toBe(PURPOSES.length);
  });

  it("that are missing are a fault and no silence", async () => {
    const withoutPepper = { ...record, data: record.data.filter(({ purpose }) => purpose !== "pepper") };
    const broken = await openKeyRing(withoutPepper, validUntil(NOW));
    expect(() => broken.active("pepper")).toThrow('no active key for "pepper"');
    const onlyNext = record.signing.filter(({ state }) => state === "next");
    await expect(openKeyRing({ ...record, signing: onlyNext }, validUntil(NOW))).rejects.toThrow(
      "no active signing key",
    );
  });

  it("of one name are a fault: nobody could say which of them made what", async () => {
    const [signing, data] = [record.signing.slice(0, 1), record.data.slice(0, 1)];
    const twice = { ...record, signing: [...record.signing, ...signing] };
    await expect(openKeyRing(twice, validUntil(NOW))).rejects.toThrow("two keys of one name");
    await expect(openKeyRing({ ...record, data: [...record.data, ...data] }, validUntil(NOW))).rejects.toThrow(
      "two keys",
    );
  });
});
