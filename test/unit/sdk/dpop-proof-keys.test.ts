import { calculateJwkThumbprint } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { readDpopProof } from "../../../src/sdk/dpop-proof.ts";
import { dpopProof } from "../../support/dpop-proofs.ts";
import { type Es256Key, newEs256Key } from "../../support/es256-jws.ts";
import { respelt } from "../support/jwt-parts.ts";
import { NOW } from "../support/rings.ts";

const DEMAND = { method: "POST", url: "https://api.example.com/orders", now: NOW };
const REFUSED = { defect: "wrong_key" };

let key: Es256Key;

beforeAll(async () => {
  key = await newEs256Key();
});

/** What becomes of a proof that the right key has signed and whose `jwk` has these members more, or others. */
const readWith = async (members: object) => {
  const jwk = { ...key.jwk, ...members };
  return readDpopProof(await dpopProof(key, DEMAND, { header: { jwk } }), DEMAND);
};

describe("the key in a proof", () => {
  it.each(["d", "p", "q", "dp", "dq", "qi", "oth", "k"])("has no private member %s", async (member) => {
    expect(await readWith({ [member]: "AAAA" })).toEqual(REFUSED);
  });

  it("is not the private key itself", async () => {
    expect(await readWith((await crypto.subtle.exportKey("jwk", key.privateKey)) as object)).toEqual(REFUSED);
  });

  it("is the same key, whatever else its JWK says that does not contradict", async () => {
    const exported = (await crypto.subtle.exportKey("jwk", key.publicKey)) as object;
    const jkt = await calculateJwkThumbprint(key.jwk);
    for (const members of [
      { kid: "x", alg: "ES256", use: "sig" },
      exported,
      { x5c: ["AAAA"], jku: "https://e.test" },
    ]) {
      expect(await readWith(members)).toMatchObject({ jkt });
    }
  });

  it.each([
    ["of another kind", { kty: "RSA" }],
    ["of a kind in small letters", { kty: "ec" }],
    ["on another curve", { crv: "P-384" }],
    ["on no curve", { crv: undefined }],
    ["for another algorithm", { alg: "ES384" }],
    ["for encryption", { use: "enc" }],
    ["for making signatures", { key_ops: ["sign"] }],
    ["for a text of operations", { key_ops: "verify" }],
    ["without a coordinate", { y: undefined }],
    ["with a number for a coordinate", { x: 1 }],
    ["with an empty coordinate", { x: "" }],
    ["off the curve", { y: `${"A".repeat(42)}E` }],
    ["at infinity", { x: "A".repeat(43), y: "A".repeat(43) }],
  ])("is not one %s", async (_, members) => {
    expect(await readWith(members)).toEqual(REFUSED);
  });

  it("has one spelling, or it would have two thumbprints", async () => {
    const { x, y } = key.jwk;
    for (const members of [{ x: respelt(x) }, { y: respelt(y) }, { x: `${x}=` }, { x: ` ${x}` }, { y: `${y}\n` }]) {
      expect(await readWith(members)).toEqual(REFUSED);
    }
  });

  it("has all of its leading zeros, or it would have two thumbprints", async () => {
    expect(await readWith({ x: key.jwk.x.slice(0, 42) })).toEqual(REFUSED);
    expect(await readWith({ x: `AA${key.jwk.x}` })).toEqual(REFUSED);
  });
});
