import { describe, expect, it } from "vitest";
import { readJwks } from "../../../src/sdk/jwks.ts";
import { type Jwk, newJwk } from "../support/fake-issuer.ts";
import { newPair } from "../support/forged-tokens.ts";
import { respelt } from "../support/jwt-parts.ts";

const [one, two] = [await newJwk("one"), await newJwk("two")];
const setOf = (...keys: unknown[]) => JSON.stringify({ keys });
const idsIn = async (text: string) => [...((await readJwks(text))?.keys() ?? ["refused"])];

describe("a key set", () => {
  it("is read as keys by their ids, which can verify and nothing else", async () => {
    const keys = await readJwks(setOf(one, two));
    expect([...(keys?.keys() ?? [])]).toEqual(["one", "two"]);
    for (const key of keys?.values() ?? []) {
      expect(key).toMatchObject({ type: "public", usages: ["verify"] });
      expect(key.algorithm).toEqual({ name: "ECDSA", namedCurve: "P-256" });
    }
  });

  it.each<[string, Jwk]>([
    ["does not say what it is for", { ...one, use: undefined, alg: undefined }],
    ["says what may be done with it", { ...one, key_ops: ["verify"] }],
    ["says more than we know", { ...one, x5t: "x", iat: 1, "https://example.com/": {} }],
  ])("holds a key that %s", async (_, key) => {
    expect(await idsIn(setOf(key, two))).toEqual(["one", "two"]);
  });

  it.each<[string, unknown]>([
    ["RSA", { kty: "RSA", n: "AQAB", e: "AQAB", alg: "RS256", use: "sig", kid: "one" }],
    ["Ed25519", { kty: "OKP", crv: "Ed25519", x: "AA", alg: "EdDSA", use: "sig", kid: "one" }],
    ["another curve", { ...one, crv: "P-384" }],
    ["another algorithm", { ...one, alg: "ES384" }],
    ["no algorithm for signatures", { ...one, alg: "ECDH-ES" }],
    ["encryption", { ...one, use: "enc" }],
    ["other operations", { ...one, key_ops: ["encrypt"] }],
    ["operations that are no list", { ...one, key_ops: "verify" }],
    ["nobody, without an id", { ...one, kid: undefined }],
    ["nobody, with an empty id", { ...one, kid: "" }],
    ["nobody, with a number as its id", { ...one, kid: 1 }],
    ["something that is not known", { kty: "AKP", alg: "ML-DSA-65", kid: "one" }],
  ])("passes over a key for %s", async (_, key) => {
    expect(await idsIn(setOf(key, two))).toEqual(["two"]);
  });

  it.each<[string, string]>([
    ["an id twice", setOf(one, { ...two, kid: "one" })],
    ["an id twice, once of a key of another kind", setOf(one, { kty: "RSA", kid: "one" })],
    ["a key twice", setOf(one, one)],
    ["a secret key", setOf(one, { kty: "oct", k: "AAAA", kid: "secret" })],
    ["a secret key without its secret", setOf(one, { kty: "oct", kid: "secret" })],
    ["a private key", setOf({ ...one, d: "AAAA" }, two)],
    ["a private key of another kind", setOf(one, { kty: "RSA", n: "AQAB", e: "AQAB", p: "AA", kid: "rsa" })],
    ["a point that is not on the curve", setOf({ ...one, y: two.y }, two)],
    ["a coordinate of 31 bytes", setOf({ ...one, x: String(one.x).slice(0, 42) }, two)],
    ["a coordinate with padding", setOf({ ...one, x: `${one.x}=` }, two)],
    ["a coordinate with a stray bit", setOf({ ...one, x: respelt(String(one.x)) }, two)],
    ["a coordinate that is no text", setOf({ ...one, x: 1 }, two)],
    ["no y", setOf({ ...one, y: undefined }, two)],
    ["a key that is no object", setOf(one, "two")],
    ["a key that is null", setOf(one, null)],
    ["keys that are no list", JSON.stringify({ keys: { one } })],
    ["no keys", "{}"],
    ["a list instead of a set", JSON.stringify([one])],
    ["two lists of keys", `{"keys":[],${setOf(one).slice(1)}`],
    ["a member of a key twice", setOf(one).replace('"kid":"one"', '"kid":"two","kid":"one"')],
    ["a mark before it", `\uFEFF${setOf(one)}`],
    ["no JSON", "<html>"],
    ["nothing", ""],
  ])("is refused whole with %s", async (_, text) => {
    expect(await readJwks(text)).toBeUndefined();
  });

  it("may be empty, and as large as an issuer with many keys needs", async () => {
    expect(await idsIn(setOf())).toEqual([]);
    const { x, y } = (await crypto.subtle.exportKey("jwk", (await newPair()).publicKey)) as JsonWebKey;
    const many = Array.from({ length: 100 }, (_, n) => ({ ...one, x, y, kid: `k${n}` }));
    expect(await idsIn(setOf(...many))).toHaveLength(100);
  });
});
