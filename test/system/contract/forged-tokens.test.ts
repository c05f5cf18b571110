import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign as signBytes,
} from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { base64url, decodeJwt, decodeProtectedHeader } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { get, issuer, type Json, me, signedInTwice, twoFactorPerson } from "../../support/client.ts";

let token: string;
let header: Json;
let claims: Json;
let publicKey: KeyObject;
let [head, payload, signature] = ["", "", ""];

const attacker = generateKeyPairSync("ec", { namedCurve: "P-256" });
const encode = (value: unknown): string => base64url.encode(typeof value === "string" ? value : JSON.stringify(value));
const signatureOf = (
  input: string,
  key = attacker.privateKey,
  dsaEncoding: "ieee-p1363" | "der" = "ieee-p1363",
): string => base64url.encode(signBytes("sha256", Buffer.from(input), { key, dsaEncoding }));
/** A token signed by the attacker's ES256 key, under the real key id unless the header says otherwise. */
const forge = (headerChange: Json = {}, claimChange: Json = {}): string => {
  const input = `${encode({ ...header, ...headerChange })}.${encode({ ...claims, ...claimChange })}`;
  return `${input}.${signatureOf(input)}`;
};

async function expectRefused(forged: Record<string, string>): Promise<void> {
  for (const [name, bearer] of Object.entries(forged)) {
    const answer = await me(bearer);
    expect({ name, status: answer.status, code: answer.body.code }).toEqual({
      name,
      status: 401,
      code: "invalid_token",
    });
    expect(answer.headers.get("www-authenticate"), name).toMatch(/^Bearer\b.*error="invalid_token"/);
  }
}

beforeAll(async () => {
  token = (await signedInTwice(await twoFactorPerson())).access;
  header = decodeProtectedHeader(token) as Json;
  claims = decodeJwt(token) as Json;
  [head = "", payload = "", signature = ""] = token.split(".");
  const { keys } = (await get("/.well-known/jwks.json")).body as { keys: (JsonWebKey & { kid: string })[] };
  const jwk = keys.find((key) => key.kid === header.kid);
  if (jwk === undefined) throw new Error("the token names no key of the JWKS");
  publicKey = createPublicKey({ key: jwk, format: "jwk" });
});

describe("a forged access token is refused when", () => {
  it("nothing is signed: alg none in any spelling, with and without a signature", async () => {
    const forged: Record<string, string> = {};
    for (const alg of ["none", "None", "NONE", "nOnE", "", null]) {
      forged[`${alg}, no signature`] = `${encode({ ...header, alg })}.${payload}.`;
      forged[`${alg}, kept signature`] = `${encode({ ...header, alg })}.${payload}.${signature}`;
      forged[`${alg}, two parts`] = `${encode({ ...header, alg })}.${payload}`;
    }
    await expectRefused(forged);
  });

  it("the public key serves as an HMAC secret", async () => {
    const jwk = publicKey.export({ format: "jwk" });
    const [x, y] = [Buffer.from(jwk.x ?? "", "base64url"), Buffer.from(jwk.y ?? "", "base64url")];
    const der = publicKey.export({ format: "der", type: "spki" });
    const pem = publicKey.export({ format: "pem", type: "spki" }).toString();
    const secrets = {
      pem,
      "pem without the last newline": pem.trim(),
      der,
      jwk: JSON.stringify(jwk),
      raw: Buffer.concat([x, y]),
      point: Buffer.concat([Buffer.of(4), x, y]),
      x,
      empty: "",
    };
    const forged: Record<string, string> = {};
    for (const [name, secret] of Object.entries(secrets)) {
      for (const alg of ["HS256", "HS384", "HS512"]) {
        const input = `${encode({ ...header, alg })}.${payload}`;
        forged[`${alg} over ${name}`] = `${input}.${createHmac(`sha${alg.slice(2)}`, secret)
          .update(input)
          .digest("base64url")}`;
      }
    }
    await expectRefused(forged);
  });

  it("the header brings its own key, and nobody is asked for one", async () => {
    let asked = 0;
    const server = createServer((_, response) => {
      asked += 1;
      response.end("{}");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
    const jwk = { ...attacker.publicKey.export({ format: "jwk" }), kid: header.kid, alg: "ES256", use: "sig" };
    const x5c = [attacker.publicKey.export({ format: "der", type: "spki" }).toString("base64")];
    const forged: Record<string, string> = {
      "embedded jwk": forge({ jwk }),
      "embedded jwk, no kid": forge({ jwk, kid: undefined }),
      "embedded jwk, its own kid": forge({ jwk, kid: "mine" }),
      x5c: forge({ x5c }),
    };
    for (const place of [
      url,
      `${issuer}/../jwks.json`,
      `${issuer}/.well-known/jwks.json`,
      "http://169.254.169.254/",
      "file:///etc/passwd",
      "data:application/json,{}",
    ]) {
      forged[`jku ${place}`] = forge({ jku: place });
      forged[`x5u ${place}`] = forge({ x5u: place, kid: undefined });
    }
    await expectRefused(forged);
    await new Promise((resolve) => server.close(resolve));
    expect(asked).toBe(0);
  });

  it("the key id is odd, foreign or missing", async () => {
    const ids = [
      "",
      "../../dev/null",
      "' OR '1'='1",
      "x' UNION SELECT 'key",
      "|sleep 10",
      "k".repeat(2_000),
      1,
      ["a"],
      { a: 1 },
      null,
      true,
      "__proto__",
      "constructor",
      "toString",
    ];
    await expectRefused(Object.fromEntries(ids.map((kid) => [JSON.stringify(kid).slice(0, 40), forge({ kid })])));
    // With a kept signature the header has changed, so it cannot be right; without a kid no key may be guessed.
    await expectRefused({
      "attacker's key, real kid": forge(),
      "no kid": forge({ kid: undefined }),
      "kept signature": `${encode({ ...header, kid: undefined })}.${payload}.${signature}`,
    });
  });

  it("the signature is a special case of ECDSA", async () => {
    const order = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    const bytes = (n: bigint) => Buffer.from(n.toString(16).padStart(64, "0"), "hex");
    const forged: Record<string, string> = {};
    const values = { 0: 0n, 1: 1n, "n-1": order - 1n, n: order };
    for (const [r, rValue] of Object.entries(values)) {
      for (const [s, sValue] of Object.entries(values)) {
        forged[`r=${r} s=${s}`] =
          `${head}.${payload}.${base64url.encode(Buffer.concat([bytes(rValue), bytes(sValue)]))}`;
      }
    }
    await expectRefused(forged);
  });

  it("the signature has another form or length", async () => {
    const raw = base64url.decode(signature);
    const der = signatureOf(`${head}.${payload}`, attacker.privateKey, "der");
    const of = (bytes: Uint8Array) => `${head}.${payload}.${base64url.encode(bytes)}`;
    await expectRefused({
      DER: `${head}.${payload}.${der}`,
      "real signature as DER": of(derOf(raw)),
      "63 bytes": of(raw.slice(0, 63)),
      "65 bytes": of(Buffer.concat([raw, Buffer.of(0)])),
      "96 bytes": of(Buffer.concat([raw, Buffer.alloc(32)])),
      twice: of(Buffer.concat([raw, raw])),
      empty: `${head}.${payload}.`,
      "2,600 characters": `${head}.${payload}.${"A".repeat(2_600)}`,
    });
  });

  it("a claim was edited and the signature kept", async () => {
    const changes: Json[] = [
      { sub: "00000000-0000-4000-8000-000000000000" },
      { acr: "aal3" },
      { amr: ["pwd", "hwk", "mfa"] },
      { sid: "1" },
      { roles: ["admin"] },
      { exp: Number(claims.exp) + 1 },
      { auth_time: Number(claims.auth_time) + 1 },
      { aud: [issuer, "https://evil.example"] },
    ];
    await expectRefused(
      Object.fromEntries(
        changes.map((change) => [JSON.stringify(change), `${head}.${encode({ ...claims, ...change })}.${signature}`]),
      ),
    );
    await expectRefused({ "edited and signed by the attacker": forge({}, { acr: "aal3" }) });
  });

  it("type, audience, issuer, time or critical headers are not ours", async () => {
    const headers: Json[] = [
      { typ: "JWT" },
      { typ: undefined },
      { typ: "dpop+jwt" },
      { typ: "mfa+jwt" },
      { typ: "challenge+jwt" },
      { crit: ["exp"] },
      { crit: [] },
      { crit: ["alg"] },
      { b64: false },
      { b64: false, crit: ["b64"] },
      { alg: "ES384" },
      { alg: "RS256" },
      { zip: "DEF" },
      { cty: "JWT" },
    ];
    const bodies: Json[] = [
      { aud: undefined },
      { aud: "" },
      { aud: [issuer] },
      { aud: `${issuer}/` },
      { aud: issuer.slice(0, -1) },
      { iss: `${issuer}/` },
      { iss: issuer.toUpperCase() },
      { iss: issuer.replace("http:", "https:") },
      { exp: undefined },
      { exp: "9999999999" },
      { exp: 9999999999.5 },
      { iat: Number(claims.iat) + 3_600 },
      { sid: undefined },
      JSON.parse('{"__proto__": {"acr": "aal2"}, "constructor": 1, "hasOwnProperty": 1}') as Json,
    ];
    await expectRefused(Object.fromEntries(headers.map((change) => [JSON.stringify(change), forge(change)])));
    await expectRefused(
      Object.fromEntries(bodies.map((change, i) => [`${i} ${JSON.stringify(change)}`, forge({}, change)])),
    );
  });

  it("a member name comes twice", async () => {
    const twice = (object: Json, member: string, value: unknown) =>
      encode(`${JSON.stringify(object).slice(0, -1)},${JSON.stringify(member)}:${JSON.stringify(value)}}`);
    const inputs = {
      "two alg": `${twice(header, "alg", "none")}.${payload}`,
      "two sub": `${head}.${twice(claims, "sub", "admin")}`,
      "two exp": `${head}.${twice(claims, "exp", 9_999_999_999)}`,
    };
    await expectRefused(
      Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, `${input}.${signatureOf(input)}`])),
    );
    await expectRefused(
      Object.fromEntries(
        Object.entries(inputs).map(([name, input]) => [`${name}, kept signature`, `${input}.${signature}`]),
      ),
    );
  });
});

/** The ASN.1 form of a raw ECDSA signature (RFC 3279 §2.2.3). */
function derOf(raw: Uint8Array): Uint8Array {
  const integer = (bytes: Uint8Array): Buffer => {
    const trimmed = Buffer.from(bytes).subarray(bytes.findIndex((byte) => byte !== 0));
    const value = (trimmed[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), trimmed]) : trimmed;
    return Buffer.concat([Buffer.of(2, value.length), value]);
  };
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
  return Buffer.concat([Buffer.of(0x30, body.length), body]);
}
