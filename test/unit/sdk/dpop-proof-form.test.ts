import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { readDpopProof } from "../../../src/sdk/dpop-proof.ts";
import { dpopProof } from "../../support/dpop-proofs.ts";
import { type Es256Key, newEs256Key, signedJws } from "../../support/es256-jws.ts";
import { MISSPELLINGS } from "../support/byte-flips.ts";
import { respelt } from "../support/jwt-parts.ts";
import { NOW } from "../support/rings.ts";

const DEMAND = { method: "POST", url: "https://api.example.com/orders", now: NOW };
const MALFORMED = { defect: "malformed" };

let key: Es256Key;
let proof: string;
let header: string;
let claims: string;

beforeAll(async () => {
  key = await newEs256Key();
  proof = await dpopProof(key, DEMAND);
  header = JSON.stringify({ typ: "dpop+jwt", alg: "ES256", jwk: key.jwk });
  claims = JSON.stringify({ jti: "j", htm: "POST", htu: DEMAND.url, iat: NOW / 1000 });
});

const read = (text: string) => readDpopProof(text, DEMAND);
const readSigned = async (headerPart: unknown, claimsPart: unknown) =>
  read(await signedJws(key, headerPart, claimsPart));

describe("the form of a proof", () => {
  it("control: put together by hand it is taken", async () => {
    expect(await readSigned(header, claims)).toHaveProperty("jkt");
    expect(await read(proof)).toHaveProperty("jkt");
  });

  it.each(MISSPELLINGS)("is refused with %s", async (_, misspell) => {
    expect(await read(misspell(proof))).toEqual(MALFORMED);
  });

  it("is one value: two headers arrive as a list", async () => {
    for (const two of [`${proof}, ${proof}`, `${proof},${proof}`, `${proof} ${proof}`, `,${proof}`]) {
      expect(await read(two)).toEqual(MALFORMED);
    }
  });

  it("has three parts, none of them empty", async () => {
    const [first = "", second = "", third = ""] = proof.split(".");
    for (const parts of [
      [first, second],
      [first, second, third, third],
      ["", second, third],
      [first, "", third],
    ]) {
      expect(await read(parts.join("."))).toEqual(MALFORMED);
    }
    expect(await read(`${first}.${second}.`)).toEqual(MALFORMED);
  });

  it("has a signature of one length", async () => {
    expect(await read(proof.slice(0, -1))).toEqual(MALFORMED);
    expect(await read(`${proof}A`)).toEqual(MALFORMED);
    expect(await read(`${proof}AAA`)).toEqual(MALFORMED);
  });

  it("has one spelling of its signature", async () => {
    expect(await read(respelt(proof))).toEqual(MALFORMED);
  });

  it.each([0, 1])("has one spelling of part %i, even where the other is what was signed", async (index) => {
    const parts = [header, claims].map((text) => Buffer.from(text.padEnd(Math.ceil(text.length / 3) * 3 + 1)));
    const spelt = parts.map((bytes) => bytes.toString("base64url"));
    const input = spelt.map((part, at) => (at === index ? respelt(part) : part)).join(".");
    const sign = (text: string) =>
      crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key.privateKey, new TextEncoder().encode(text));
    const whole = async (text: string) => `${text}.${Buffer.from(await sign(text)).toString("base64url")}`;
    expect(await read(await whole(spelt.join(".")))).toHaveProperty("jkt");
    expect(await read(await whole(input))).toEqual(MALFORMED);
  });

  it("is not longer than 4 KiB", async () => {
    const signed = (length: number) => dpopProof(key, DEMAND, { claims: { more: "x".repeat(length) } });
    const room = 4096 - (await signed(0)).length;
    const longest = await signed(Math.floor((room * 3) / 4) - 1);
    expect(longest.length).toBeGreaterThan(4090);
    expect(longest.length).toBeLessThanOrEqual(4096);
    expect(await read(longest)).toHaveProperty("jkt");
    expect(await read(await signed(Math.floor((room * 3) / 4) + 3))).toEqual(MALFORMED);
  });

  it("names no member twice, in neither part and in no spelling", async () => {
    const twice = (text: string) => text.replace("{", '{"x":1,"\\u0078":1,');
    expect(await readSigned(twice(header), claims)).toEqual(MALFORMED);
    expect(await readSigned(header, twice(claims))).toEqual(MALFORMED);
    expect(await readSigned(header.replace('"crv"', '"kty":"EC","crv"'), claims)).toEqual(MALFORMED);
  });

  it.each([
    ["no JSON", "x"],
    ["a list", "[]"],
    ["nothing", "null"],
    ["a text", '"x"'],
    ["an end that is missing", '{"jti":"j"'],
    ["a byte order mark", Buffer.from("\ufeff{}")],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ])("holds JSON objects, not %s", async (_, part) => {
    expect(await readSigned(part, claims)).toEqual(MALFORMED);
    expect(await readSigned(header, part)).toEqual(MALFORMED);
  });

  it("holds UTF-8 without a mark before it, even around what would be right", async () => {
    const marked = (text: string) => Buffer.from(`\ufeff${text}`);
    const broken = (text: string) =>
      Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from(',"x":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    for (const spoil of [marked, broken]) {
      expect(await readSigned(spoil(header), claims)).toEqual(MALFORMED);
      expect(await readSigned(header, spoil(claims))).toEqual(MALFORMED);
    }
  });
});

describe("a changed proof", () => {
  it("is refused, whichever character became whichever other", async () => {
    const at = fc.nat(proof.length - 1);
    const character = fc.oneof(
      fc.constantFrom(...proof),
      fc.nat(0xffff).map((code) => String.fromCharCode(code)),
    );
    await fc.assert(
      fc.asyncProperty(at, character, async (position, instead) => {
        fc.pre(proof[position] !== instead);
        const changed = proof.slice(0, position) + instead + proof.slice(position + 1);
        expect(await read(changed)).toHaveProperty("defect");
      }),
      { numRuns: 300 },
    );
  });

  it("is refused with a bit of any single byte of it flipped", async () => {
    const parts = proof.split(".").map((part) => Buffer.from(part, "base64url"));
    const taken: string[] = [];
    for (const [index, part] of parts.entries()) {
      for (let at = 0; at < part.length; at += 1) {
        const flipped = Buffer.from(part);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << (at & 7));
        const changed = parts.map((bytes, n) => (n === index ? flipped : bytes).toString("base64url")).join(".");
        if (!("defect" in (await read(changed)))) taken.push(`${index}:${at}`);
      }
    }
    expect(taken).toEqual([]);
  });

  it("is refused with the parts of another", async () => {
    const mine = proof.split(".");
    const other = (await dpopProof(await newEs256Key(), DEMAND)).split(".");
    for (const at of [0, 1, 2]) {
      const mixed = mine.map((part, index) => (index === at ? other[index] : part)).join(".");
      expect(await read(mixed)).toEqual({ defect: "wrong_signature" });
    }
  });
});
