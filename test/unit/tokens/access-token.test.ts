import { SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { signAccessToken, verifyAccessToken } from "../../../src/tokens/access-token.ts";
import { describeProof, type Proof } from "../../../src/tokens/proof.ts";
import { partsOf, respelt } from "../support/jwt-parts.ts";
import { NOW, newRing } from "../support/rings.ts";

const ISSUER = "https://auth.example.com";
const SECONDS = NOW / 1000;
const SUBJECT = {
  accountId: "1d9a2f0e-0000-4000-8000-000000000001",
  sessionId: "2d9a2f0e-0000-4000-8000-000000000002",
  audience: ISSUER,
  roles: ["reader"],
  factors: { pwd: SECONDS - 60, otp: SECONDS - 30 },
};

let ring: KeyRing;
let token: string;

beforeAll(async () => {
  ring = await newRing();
  token = await signAccessToken(ring, ISSUER, SUBJECT, NOW, 300);
});

const verify = (text: string, now = NOW) => verifyAccessToken(ring, ISSUER, text, now);

describe("an access token", () => {
  it("has the header and the claims of the RFC 9068 profile, and no others", () => {
    const [header, claims] = partsOf(token);
    expect(header).toEqual({ alg: "ES256", typ: "at+jwt", kid: ring.signing.kid });
    expect(claims).toEqual({
      iss: ISSUER,
      sub: SUBJECT.accountId,
      aud: ISSUER,
      client_id: "first-party",
      iat: SECONDS,
      exp: SECONDS + 300,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      sid: SUBJECT.sessionId,
      auth_time: SECONDS - 30,
      acr: "aal2",
      amr: ["pwd", "otp", "mfa"],
      factors: SUBJECT.factors,
      roles: ["reader"],
    });
  });

  it("has another id each time", async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => partsOf(await signAccessToken(ring, ISSUER, SUBJECT, NOW, 300))[1].jti),
    );
    expect(new Set(ids).size).toBe(20);
  });

  it("verifies as what was signed", async () => {
    expect(await verify(token)).toEqual({
      accountId: SUBJECT.accountId,
      sessionId: SUBJECT.sessionId,
      roles: ["reader"],
      acr: "aal2",
      amr: ["pwd", "otp", "mfa"],
      auth_time: SECONDS - 30,
      factors: SUBJECT.factors,
    });
  });

  it("is good until it expires, and thirty seconds more for clocks that differ", async () => {
    expect(await verify(token, NOW + 329_000)).toBeDefined();
    expect(await verify(token, NOW + 330_000)).toBeUndefined();
  });

  it("is never older than the proof it tells of, which another clock has seen", async () => {
    const ahead = { ...SUBJECT, factors: { pwd: SECONDS + 2 } };
    const [, claims] = partsOf(await signAccessToken(ring, ISSUER, ahead, NOW, 300));
    expect(claims).toMatchObject({ iat: SECONDS + 2, auth_time: SECONDS + 2, exp: SECONDS + 302 });
  });

  it("is over when it was issued before the second of an emergency drop", async () => {
    const dropped = (notBefore: number) => verifyAccessToken({ ...ring, notBefore }, ISSUER, token, NOW);
    expect(await dropped(NOW + 999)).toBeDefined();
    expect(await dropped(NOW + 1000)).toBeUndefined();
  });

  it("is short enough for any header", () => {
    expect(token.length).toBeLessThan(1024);
  });
});

describe("what a token says about the sign-in", () => {
  const claimsOf = async (factors: Proof) =>
    partsOf(await signAccessToken(ring, ISSUER, { ...SUBJECT, factors }, NOW, 300));

  it("is computed from the proof of the session, and from nothing else", async () => {
    const at = SECONDS - 30;
    const samples: Proof[] = [
      { pwd: at },
      { pwd: at - 60, otp: at },
      { pwd: at, hwk: at - 60 },
      { swk: at, uv: at },
      { pwd: at - 60, recovery_code: at },
    ];
    for (const factors of samples) {
      const [, claims] = await claimsOf(factors);
      expect(claims).toMatchObject({ ...describeProof(factors) });
      expect(claims.factors).toEqual(describeProof(factors).factors);
    }
  });

  it("keeps to itself when the user was verified, in every place of it", async () => {
    const factors = { swk: SECONDS - 30, uv: SECONDS - 40 };
    const parts = JSON.stringify(await claimsOf(factors));
    expect(parts).not.toContain('"uv"');
    expect(parts).not.toContain(String(SECONDS - 40));
    expect(parts).toContain('"aal2"');
  });
});

describe("an access token is refused", () => {
  const header = () => ({ alg: "ES256", typ: "at+jwt", kid: ring.signing.kid });
  const claims = () => partsOf(token)[1];

  it("control: the same token signed by hand is taken", async () => {
    expect(await verify(await forge(header(), claims()))).toBeDefined();
    expect(await verify(await forge({ ...header(), typ: "application/at+jwt" }, claims()))).toBeDefined();
  });

  it.each([
    ["no type", { typ: undefined }],
    ["the type of any JWT", { typ: "JWT" }],
    ["the type of a challenge", { typ: "challenge+jwt" }],
    ["a type that begins the same", { typ: "at+jwt2" }],
    ["a type that is a number", { typ: 1 }],
    ["no key id", { kid: undefined }],
    ["an unknown key id", { kid: "k2" }],
    ["an empty key id", { kid: "" }],
    ["a key id that every object knows", { kid: "__proto__" }],
    ["no algorithm", { alg: undefined }],
    ["alg none", { alg: "none" }],
    ["a symmetric algorithm", { alg: "HS256" }],
    ["another curve", { alg: "ES384" }],
    ["the algorithm in small letters", { alg: "es256" }],
    ["a critical extension", { crit: ["exp"], exp: 1 }],
    ["an empty list of critical extensions", { crit: [] }],
    ["b64 false without crit", { b64: false }],
    ["b64 true", { b64: true }],
    ["b64 false and critical", { b64: false, crit: ["b64"] }],
  ])("with %s in its header", async (_, change) => {
    expect(await verify(await forge({ ...header(), ...change }, claims()))).toBeUndefined();
  });

  it.each([
    ["another issuer", { iss: "https://evil.example.com" }],
    ["the issuer with a slash", { iss: `${ISSUER}/` }],
    ["no issuer", { iss: undefined }],
    ["a list of issuers", { iss: [ISSUER] }],
    ["another audience", { aud: "https://service.example.com" }],
    ["no audience", { aud: undefined }],
    ["a list with the one audience", { aud: [ISSUER] }],
    ["a list of audiences", { aud: [ISSUER, "https://service.example.com"] }],
    ["no expiry", { exp: undefined }],
    ["an expiry in the past", { exp: SECONDS - 31 }],
    ["an expiry that is text", { exp: String(SECONDS + 300) }],
    ["an expiry that is null", { exp: null }],
    ["a start in the future", { nbf: SECONDS + 31 }],
    ["no time of issue", { iat: undefined }],
    ["a time of issue that is text", { iat: String(SECONDS) }],
    ["no subject", { sub: undefined }],
    ["no session", { sid: undefined }],
    ["no id", { jti: undefined }],
    ["no time of sign-in", { auth_time: undefined }],
    ["no level", { acr: undefined }],
    ["no factors", { factors: undefined }],
    ["no roles", { roles: undefined }],
  ])("with %s", async (_, change) => {
    expect(await verify(await forge(header(), { ...claims(), ...change }))).toBeUndefined();
  });

  // JWT-03: jose takes all of these, so our own check has to refuse them.
  it.each([
    ["a time of issue in the future", () => JSON.stringify({ ...claims(), iat: SECONDS + 31 })],
    ["an expiry that is no whole number", () => JSON.stringify({ ...claims(), exp: SECONDS + 300.5 })],
    ["an endless life", () => JSON.stringify(claims()).replace(`"exp":${SECONDS + 300}`, '"exp":1e400')],
    ["a life that we never give", () => JSON.stringify({ ...claims(), exp: SECONDS + 601 })],
    ["a time of sign-in that is text", () => JSON.stringify({ ...claims(), auth_time: "now" })],
  ])("with %s, though the signature is ours", async (_, payload) => {
    expect(await verify(await forge(header(), payload()))).toBeUndefined();
  });

  it("when it is longer than 4 KiB, though the signature is ours", async () => {
    const roles = (length: number) => ({ ...claims(), roles: ["x".repeat(length)] });
    expect(await verify(await forge(header(), roles(2400)))).toBeDefined();
    expect(await verify(await forge(header(), roles(3000)))).toBeUndefined();
  });

  it("when it was signed by another key under our key id", async () => {
    const stranger = await newRing();
    const forged = await new SignJWT(claims()).setProtectedHeader(header()).sign(stranger.signing.key);
    expect(await verify(forged)).toBeUndefined();
  });

  it("when it brings its own key", async () => {
    const stranger = await newRing();
    const own = {
      ...header(),
      jwk: { ...stranger.jwks[0] },
      jku: "https://evil.example.com/jwks.json",
      x5u: "https://evil",
    };
    const forged = await new SignJWT(claims()).setProtectedHeader(own).sign(stranger.signing.key);
    expect(await verify(forged)).toBeUndefined();
  });

  it("when it was signed for another issuer with the same keys", async () => {
    const other = await signAccessToken(ring, "https://other.example.com", SUBJECT, NOW, 300);
    expect(await verify(other)).toBeUndefined();
  });

  it.each([
    ["padding", (text: string) => `${text}==`],
    ["a line break", (text: string) => `${text}\n`],
    ["a space in front", (text: string) => ` ${text}`],
    ["a space in its signature", (text: string) => text.replace(/\.(?=[^.]*$)/, ". ")],
    ["stray bits at its end", respelt],
  ])("when it is spelt with %s, which decodes to the same bytes", async (_, spell) => {
    expect(spell(token)).not.toBe(token);
    expect(await verify(spell(token))).toBeUndefined();
  });

  it("with any single character of it changed", async () => {
    const accepted: number[] = [];
    for (let at = 0; at < token.length; at += 1) {
      const other = token[at] === "A" ? "B" : "A";
      if (await verify(token.slice(0, at) + other + token.slice(at + 1))) accepted.push(at);
    }
    expect(accepted).toEqual([]);
  });

  async function forge(head: Record<string, unknown>, payload: Record<string, unknown> | string): Promise<string> {
    const text = typeof payload === "string" ? payload : JSON.stringify(payload);
    const input = [JSON.stringify(head), text].map((part) => Buffer.from(part).toString("base64url")).join(".");
    const algorithm = { name: "ECDSA", hash: "SHA-256" };
    const signature = await crypto.subtle.sign(algorithm, ring.signing.key, new TextEncoder().encode(input));
    return `${input}.${Buffer.from(signature).toString("base64url")}`;
  }
});
