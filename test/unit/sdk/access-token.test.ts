import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { TokenDefect } from "../../../src/sdk/refused.ts";
import {
  CLAIMS,
  encoded,
  HEADER,
  ISSUER,
  type Json,
  KID,
  NOW,
  newPair,
  read,
  SECONDS,
  signatureOf,
  signed,
  signedTexts,
  trusted,
  trustedJwk,
} from "../support/forged-tokens.ts";

const refusal = (defect: TokenDefect) => ({ defect });
const json = JSON.stringify;
/** The members of the good header and of the good claims as text, to put something beside them. */
const headerWith = (members: string) => `{${members},${json(HEADER).slice(1)}`;
const claimsWith = (members: string) => `{${members},${json(CLAIMS).slice(1)}`;

describe("a good access token", () => {
  it("is read as what it says", async () => {
    expect(await read(await signed())).toEqual(CLAIMS);
  });

  it.each<[string, Json]>([
    ["without roles and factors", { roles: undefined, factors: undefined }],
    ["bound to a key", { cnf: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }],
    ["of a chain of four services", { act: { sub: "a", act: { sub: "b", act: { sub: "c", act: { sub: "d" } } } } }],
  ])("is read %s", async (_, claims) => {
    expect(await read(await signed(claims))).toEqual(JSON.parse(json({ ...CLAIMS, ...claims })));
  });

  it.each([
    ["the longer name of its type", json({ ...HEADER, typ: "application/at+jwt" }), json(CLAIMS)],
    ["an escape in the name of a header member", json(HEADER).replace("alg", "\\u0061lg"), json(CLAIMS)],
    ["an escape in the name of a claim", json(HEADER), json(CLAIMS).replace('"aud"', '"\\u0061ud"')],
    ["white space in its claims", json(HEADER), json(CLAIMS, undefined, 2)],
  ])("is read with %s", async (_, header, claims) => {
    expect(await read(await signedTexts(header, claims))).toEqual(CLAIMS);
  });

  it.each(["__proto__", "constructor", "hasOwnProperty", "toString", "email"])(
    "does not pass on a claim named %s",
    async (name) => {
      const claims = await read(
        await signedTexts(json(HEADER), claimsWith(`"${name}":{"sub":"admin","aud":"orders"}`)),
      );
      expect(claims).toEqual(CLAIMS);
      expect(Object.keys(claims).sort()).toEqual(Object.keys(CLAIMS).sort());
      expect(Object.getPrototypeOf(claims)).toBe(Object.prototype);
    },
  );

  it("does not lend what it lacks from a claim named __proto__", async () => {
    const { sub: _, ...rest } = CLAIMS;
    const token = await signedTexts(json(HEADER), `{"__proto__":{"sub":"admin"},${json(rest).slice(1)}`);
    expect(await read(token)).toEqual(refusal("invalid_claims"));
  });
});

describe("the header (JWT-01, JWT-02, JWT-08, attacks E01 to E07, E12, E13)", () => {
  it.each<[string, Json]>([
    ["alg none", { alg: "none" }],
    ["alg None", { alg: "None" }],
    ["alg HS256", { alg: "HS256" }],
    ["alg es256", { alg: "es256" }],
    ["alg ES384", { alg: "ES384" }],
    ["alg in a list", { alg: ["ES256"] }],
    ["no alg", { alg: undefined }],
    ["typ JWT", { typ: "JWT" }],
    ["typ AT+JWT", { typ: "AT+JWT" }],
    ["typ dpop+jwt", { typ: "dpop+jwt" }],
    ["typ challenge+jwt", { typ: "challenge+jwt" }],
    ["typ revoked+jwt", { typ: "revoked+jwt" }],
    ["typ with a parameter", { typ: "at+jwt;v=1" }],
    ["no typ", { typ: undefined }],
    ["no kid", { kid: undefined }],
    ["an empty kid", { kid: "" }],
    ["a number as kid", { kid: 1 }],
    ["a list as kid", { kid: [KID] }],
    ["an embedded key", { jwk: trustedJwk }],
    ["jku", { jku: `${ISSUER}/.well-known/jwks.json` }],
    ["x5u", { x5u: "http://169.254.169.254/" }],
    ["x5c", { x5c: ["MIIB"] }],
    ["crit with something unknown", { crit: ["exp"], exp: 1 }],
    ["an empty crit", { crit: [] }],
    ["crit with alg", { crit: ["alg"] }],
    ["b64 false", { b64: false }],
    ["b64 false and crit", { b64: false, crit: ["b64"] }],
    ["b64 true", { b64: true }],
    ["zip", { zip: "DEF" }],
    ["cty", { cty: "JWT" }],
  ])("with %s is refused, validly signed, whatever the key id finds", async (_, header) => {
    expect(await read(await signed({}, header), { anyKid: true })).toEqual(refusal("unsupported_header"));
  });

  it.each(["../../dev/null", "' OR 1=1 --", "|sleep 10", "k".repeat(2000), "__proto__", "constructor", `${KID} `])(
    "with the kid %j names no key of ours",
    async (kid) => {
      const defect = kid.includes(" ") ? "malformed" : "unknown_key";
      expect(await read(await signed({}, { kid }))).toEqual(refusal(defect));
    },
  );

  it("is read before a key is looked up", async () => {
    expect(await read(await signed({}, { alg: "none", kid: "unknown" }))).toEqual(refusal("unsupported_header"));
  });

  it("with white space is not one of ours", async () => {
    expect(await read(await signedTexts(json(HEADER, undefined, 1), json(CLAIMS)))).toEqual(refusal("malformed"));
  });
});

describe("what is signed (JWT-07, attacks E11, E21)", () => {
  it.each([
    ["two subjects", json(HEADER), claimsWith('"sub":"admin"')],
    ["two expiries", json(HEADER), claimsWith('"exp":9999999999')],
    ["two subjects, one of them escaped", json(HEADER), claimsWith('"s\\u0075b":"admin"')],
    ["two equal issuers", json(HEADER), claimsWith(`"iss":"${ISSUER}"`)],
    ["a name twice inside", json(HEADER), claimsWith('"act":{"sub":"a","sub":"b"}')],
    ["two algorithms", headerWith('"alg":"none"'), json(CLAIMS)],
    ["two key ids", headerWith('"kid":"other"'), json(CLAIMS)],
    ["a mark before its header", `\uFEFF${json(HEADER)}`, json(CLAIMS)],
    ["a mark before its claims", json(HEADER), `\uFEFF${json(CLAIMS)}`],
    ["claims in UTF-16", json(HEADER), Buffer.from(json(CLAIMS), "utf16le")],
    ["a header in UTF-16", Buffer.from(json(HEADER), "utf16le"), json(CLAIMS)],
    ["a byte that is no UTF-8", json(HEADER), Buffer.concat([Buffer.from(claimsWith('"x":"')), Buffer.from([0xff])])],
    ["a byte in a value that is no UTF-8", json(HEADER), Buffer.from(claimsWith('"x":"\xe9"'), "latin1")],
    ["claims in a list", json(HEADER), json([CLAIMS])],
    ["claims that are null", json(HEADER), "null"],
    ["claims that are no JSON", json(HEADER), `${json(CLAIMS)}}`],
    ["claims with a comment", json(HEADER), `${json(CLAIMS)}//`],
    ["a header in a list", json([HEADER]), json(CLAIMS)],
    ["claims nine levels deep", json(HEADER), claimsWith(`"x":${"[".repeat(8)}${"]".repeat(8)}`)],
    ["a header a thousand levels deep", headerWith(`"x":${"[".repeat(1000)}${"]".repeat(1000)}`), json(CLAIMS)],
    ["sixty-five claims", json(HEADER), claimsWith(Array.from({ length: 52 }, (_, n) => `"x${n}":0`).join(","))],
  ])("is refused with %s, validly signed", async (_, header, payload) => {
    expect(await read(await signedTexts(header, payload))).toEqual(refusal("malformed"));
  });

  it.each<[string, Json]>([
    ["sub", { sub: "admin" }],
    ["acr", { acr: "aal2-recovery" }],
    ["amr", { amr: ["hwk"] }],
    ["sid", { sid: "other" }],
    ["exp", { exp: SECONDS + 301 }],
  ])("is refused when %s was changed under an old signature (E24)", async (_, claims) => {
    const [header, , signature] = (await signed()).split(".");
    expect(await read(`${header}.${encoded(json({ ...CLAIMS, ...claims }))}.${signature}`)).toEqual(
      refusal("bad_signature"),
    );
  });

  it("is refused under the key of another issuer, whoever's name it has", async () => {
    const { privateKey } = await newPair();
    expect(await read(await signed({}, {}, privateKey))).toEqual(refusal("bad_signature"));
  });

  it("is refused with an HMAC of the public key, in whatever form (E02)", async () => {
    const der = Buffer.from((await crypto.subtle.exportKey("spki", trusted.publicKey)) as ArrayBuffer);
    const pem = `-----BEGIN PUBLIC KEY-----\n${der.toString("base64")}\n-----END PUBLIC KEY-----\n`;
    const point = Buffer.from((await crypto.subtle.exportKey("raw", trusted.publicKey)) as ArrayBuffer);
    const secrets = [
      pem,
      pem.trim(),
      der,
      json(trustedJwk),
      point,
      point.subarray(1),
      Buffer.from(trustedJwk.x ?? "", "base64url"),
    ];
    for (const secret of secrets) {
      for (const alg of ["HS256", "ES256"]) {
        const input = `${encoded(json({ ...HEADER, alg }))}.${encoded(json(CLAIMS))}`;
        const mac = createHmac("sha512", secret).update(input).digest();
        const short = createHmac("sha256", secret).update(input).digest();
        expect(await read(`${input}.${encoded(short)}`)).toEqual(refusal("malformed"));
        const expected = alg === "HS256" ? "unsupported_header" : "bad_signature";
        expect(await read(`${input}.${encoded(mac)}`)).toEqual(refusal(expected));
      }
    }
  });

  it("verifies with its other signature too, so nothing may go by its text (JWT-05)", async () => {
    const order = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    const input = `${encoded(json(HEADER))}.${encoded(json(CLAIMS))}`;
    const [r, s] =
      Buffer.from(await signatureOf(input))
        .toString("hex")
        .match(/.{64}/g) ?? [];
    const other = (order - BigInt(`0x${s}`)).toString(16).padStart(64, "0");
    const claims = await read(`${input}.${encoded(Buffer.from(`${r}${other}`, "hex"))}`);
    expect(claims).toEqual(CLAIMS);
  });

  it("is refused at the moment that it expires by the service's clock, tolerance and all", async () => {
    expect(await read(await signed(), { now: NOW + 300_000, tolerance: 0 })).toEqual(refusal("expired"));
    expect(await read(await signed(), { now: NOW + 299_999, tolerance: 0 })).toEqual(CLAIMS);
  });
});
