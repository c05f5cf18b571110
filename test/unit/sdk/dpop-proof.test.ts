import { calculateJwkThumbprint } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { type DpopDefect, readDpopProof } from "../../../src/sdk/dpop-proof.ts";
import { dpopProof, type ProofChange } from "../../support/dpop-proofs.ts";
import { type Es256Key, newEs256Key } from "../../support/es256-jws.ts";
import { NOW } from "../support/rings.ts";

const TOKEN = "an.access.token";
const DEMAND = { method: "POST", url: "https://api.example.com/orders", now: NOW, accessToken: TOKEN };
const SECONDS = NOW / 1000;

let key: Es256Key;

beforeAll(async () => {
  key = await newEs256Key();
});

const proofWith = (change: ProofChange = {}, by = key) => dpopProof(by, DEMAND, change);
const read = (proof: string, demand: Partial<typeof DEMAND> = {}) => readDpopProof(proof, { ...DEMAND, ...demand });
const defectOf = async (change: ProofChange) => read(await proofWith(change));

describe("a proof", () => {
  it("names the key by its thumbprint, its own id, its nonce and when it was made", async () => {
    const proof = await proofWith({ claims: { jti: "j", nonce: "n", iat: SECONDS - 1 } });
    const jkt = await calculateJwkThumbprint(key.jwk);
    expect(await read(proof)).toEqual({ jkt, jti: "j", nonce: "n", issuedAt: SECONDS - 1 });
  });

  it("need not have a nonce: whether one is needed is for the caller to say", async () => {
    expect(await read(await proofWith())).toMatchObject({ nonce: undefined });
  });

  it("is for one access token, where the request brings one", async () => {
    const proof = await dpopProof(key, { ...DEMAND, accessToken: "another" });
    expect(await read(proof)).toEqual({ defect: "wrong_token" });
    const { accessToken: _, ...without } = DEMAND;
    expect(await readDpopProof(proof, without)).toHaveProperty("jkt");
  });

  it("counts as long as clocks may differ, either way", async () => {
    const proof = await proofWith();
    expect(await read(proof, { now: NOW + 60_000 })).toHaveProperty("jkt");
    expect(await read(proof, { now: NOW + 60_001 })).toEqual({ defect: "wrong_time" });
    expect(await read(proof, { now: NOW - 60_000 })).toHaveProperty("jkt");
    expect(await read(proof, { now: NOW - 60_001 })).toEqual({ defect: "wrong_time" });
  });

  it("is for one method, spelt as it was sent", async () => {
    for (const method of ["GET", "post", "POST "]) {
      expect(await read(await proofWith(), { method })).toEqual({ defect: "wrong_method" });
    }
  });

  it("is the caller's fault when the address to compare with is none", async () => {
    await expect(read(await proofWith(), { url: "/orders" })).rejects.toThrow(TypeError);
  });
});

describe("the address of a proof", () => {
  it.each([
    ["a query", "https://api.example.com/orders?page=2"],
    ["an empty query and fragment", "https://api.example.com/orders?#"],
    ["a fragment", "https://api.example.com/orders#top"],
    ["capital letters in scheme and host", "HTTPS://API.Example.COM/orders"],
    ["the port that goes without saying", "https://api.example.com:443/orders"],
    ["steps that lead nowhere", "https://api.example.com/x/../orders"],
    ["octets that need no escape", "https://api.example.com/%6frders"],
  ])("may have %s", async (_, url) => {
    expect(await read(await proofWith({ claims: { htu: url } }))).toHaveProperty("jkt");
    expect(await read(await proofWith(), { url })).toHaveProperty("jkt");
  });

  it("keeps the octets that do need an escape, whatever the case of their digits", async () => {
    const proof = await proofWith({ claims: { htu: "https://api.example.com/a%2fb%2525" } });
    expect(await read(proof, { url: "https://api.example.com/a%2Fb%2525" })).toHaveProperty("jkt");
    expect(await read(proof, { url: "https://api.example.com/a/b%2525" })).toEqual({ defect: "wrong_url" });
    expect(await read(proof, { url: "https://api.example.com/a%2Fb%25" })).toEqual({ defect: "wrong_url" });
  });

  it.each([
    ["another host", "https://api.example.org/orders"],
    ["a longer host", "https://api.example.com.evil.example/orders"],
    ["another port", "https://api.example.com:8443/orders"],
    ["plain HTTP", "http://api.example.com/orders"],
    ["another path", "https://api.example.com/order"],
    ["a slash more", "https://api.example.com/orders/"],
    ["capital letters in its path", "https://api.example.com/Orders"],
    ["a user in front of the host", "https://me@api.example.com/orders"],
    ["no host", "/orders"],
    ["nothing in it", ""],
    ["a list for a text", ["https://api.example.com/orders"]],
    ["nothing for a text", undefined],
  ])("is refused with %s", async (_, htu) => {
    expect(await defectOf({ claims: { htu } })).toEqual({ defect: "wrong_url" });
  });
});

describe("a proof that is rightly signed is refused", () => {
  it("control: with nothing changed it is taken", async () => {
    expect(await defectOf({})).toHaveProperty("jkt");
  });

  it.each<[string, DpopDefect, ProofChange]>([
    ["no type", "wrong_type", { header: { typ: undefined } }],
    ["the type of an access token", "wrong_type", { header: { typ: "at+jwt" } }],
    ["its type in capital letters", "wrong_type", { header: { typ: "DPOP+JWT" } }],
    ["its type in full", "wrong_type", { header: { typ: "application/dpop+jwt" } }],
    ["no algorithm", "wrong_algorithm", { header: { alg: undefined } }],
    ["the algorithm none", "wrong_algorithm", { header: { alg: "none" } }],
    ["a symmetric algorithm", "wrong_algorithm", { header: { alg: "HS256" } }],
    ["another curve's algorithm", "wrong_algorithm", { header: { alg: "ES384" } }],
    ["its algorithm in small letters", "wrong_algorithm", { header: { alg: "es256" } }],
    ["a critical extension", "unknown_extension", { header: { crit: ["exp"], exp: 1 } }],
    ["an empty list of extensions", "unknown_extension", { header: { crit: [] } }],
    ["an unencoded payload", "unknown_extension", { header: { b64: false } }],
    ["the word for the usual payload", "unknown_extension", { header: { b64: true } }],
    ["no id", "wrong_id", { claims: { jti: undefined } }],
    ["an empty id", "wrong_id", { claims: { jti: "" } }],
    ["a number for an id", "wrong_id", { claims: { jti: 1 } }],
    ["an id that is too long", "wrong_id", { claims: { jti: "x".repeat(129) } }],
    ["no method", "wrong_method", { claims: { htm: undefined } }],
    ["two methods", "wrong_method", { claims: { htm: ["POST"] } }],
    ["no time", "wrong_time", { claims: { iat: undefined } }],
    ["a text for a time", "wrong_time", { claims: { iat: String(SECONDS) } }],
    ["part of a second", "wrong_time", { claims: { iat: SECONDS - 0.5 } }],
    ["a time ten minutes back", "wrong_time", { claims: { iat: SECONDS - 600 } }],
    ["a time ten minutes ahead", "wrong_time", { claims: { iat: SECONDS + 600 } }],
    ["an end that has come", "wrong_time", { claims: { exp: SECONDS - 30 } }],
    ["a text for an end", "wrong_time", { claims: { exp: String(SECONDS + 60) } }],
    ["a beginning to come", "wrong_time", { claims: { nbf: SECONDS + 31 } }],
    ["a text for a beginning", "wrong_time", { claims: { nbf: String(SECONDS) } }],
    ["a number for a nonce", "wrong_nonce", { claims: { nonce: 1 } }],
    ["no hash of the token", "wrong_token", { claims: { ath: undefined } }],
    ["a list that holds the hash", "wrong_token", { claims: { ath: [] } }],
    ["no key", "wrong_key", { header: { jwk: undefined } }],
    ["an empty key", "wrong_key", { header: { jwk: {} } }],
    ["nothing for a key", "wrong_key", { header: { jwk: null } }],
    ["a list for a key", "wrong_key", { header: { jwk: [] } }],
    ["a symmetric key", "wrong_key", { header: { jwk: { kty: "oct", k: "AAAA" } } }],
  ])("with %s", async (_, defect, change) => {
    expect(await defectOf(change)).toEqual({ defect });
  });

  it("not when it ends later, has begun, or has the longest id", async () => {
    const claims = { exp: SECONDS - 29, nbf: SECONDS + 30, jti: "x".repeat(128) };
    expect(await defectOf({ claims })).toHaveProperty("jkt");
  });

  it("with another key in it than the one that signed", async () => {
    const other = await newEs256Key();
    expect(await defectOf({ header: { jwk: other.jwk } })).toEqual({ defect: "wrong_signature" });
  });
});
