import { SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { signAccessToken, verifyAccessToken } from "../../../src/tokens/access-token.ts";
import { signChallengeToken, verifyChallengeToken } from "../../../src/tokens/challenge-token.ts";
import { NOW, newRing, ringsAcrossEpochs } from "../support/rings.ts";

const ISSUER = "https://auth.example.com";
const REFERENCE = {
  accountId: "1d9a2f0e-0000-4000-8000-000000000001",
  challengeId: "3d9a2f0e-0000-4000-8000-000000000003",
  purpose: "login",
} as const;
const EXPIRES = NOW + 300_000;

let ring: KeyRing;
let token: string;

beforeAll(async () => {
  ring = await newRing();
  token = await signChallengeToken(ring, ISSUER, REFERENCE, EXPIRES);
});

const verify = (text: string, now = NOW) => verifyChallengeToken(ring, ISSUER, text, now);

describe("a challenge token", () => {
  it("has a type, an audience and a key of its own, and says nothing about a person", () => {
    const [header, claims] = partsOf(token);
    expect(header).toEqual({ alg: "HS256", typ: "challenge+jwt", kid: "1" });
    expect(claims).toEqual({
      iss: ISSUER,
      sub: REFERENCE.accountId,
      aud: "urn:sallyport:challenge",
      jti: REFERENCE.challengeId,
      exp: EXPIRES / 1000,
      purpose: "login",
      epoch: 1,
    });
  });

  it.each(["login", "step_up", "reauthenticate"] as const)(
    "names its challenge and its purpose: %s",
    async (purpose) => {
      const signed = await signChallengeToken(ring, ISSUER, { ...REFERENCE, purpose }, EXPIRES);
      expect(await verify(signed)).toEqual({ ...REFERENCE, purpose });
    },
  );

  it("is good until it expires, with no tolerance: one clock made it and reads it", async () => {
    expect(await verify(token, EXPIRES - 1000)).toBeDefined();
    expect(await verify(token, EXPIRES)).toBeUndefined();
  });

  it("is no access token, and an access token is no challenge", async () => {
    const factors = { pwd: NOW / 1000 };
    const subject = { accountId: REFERENCE.accountId, sessionId: "s", audience: ISSUER, roles: [], factors };
    const access = await signAccessToken(ring, ISSUER, subject, NOW, 300);
    expect(await verifyAccessToken(ring, ISSUER, token, NOW)).toBeUndefined();
    expect(await verify(access)).toBeUndefined();
  });

  it("dies with an emergency drop", async () => {
    const [before, after] = await ringsAcrossEpochs();
    const signed = await signChallengeToken(before, ISSUER, REFERENCE, EXPIRES);
    expect(await verifyChallengeToken(before, ISSUER, signed, NOW)).toBeDefined();
    expect(await verifyChallengeToken(after, ISSUER, signed, NOW)).toBeUndefined();
    const newer = await signChallengeToken(after, ISSUER, REFERENCE, EXPIRES);
    expect(await verifyChallengeToken(before, ISSUER, newer, NOW)).toBeUndefined();
  });
});

describe("a challenge token is refused", () => {
  const header = { alg: "HS256", typ: "challenge+jwt", kid: "1" };

  it("control: the same token signed by hand is taken", async () => {
    expect(await verify(await forge({}, {}))).toEqual(REFERENCE);
  });

  it.each([
    ["no type", { typ: undefined }],
    ["the type of an access token", { typ: "at+jwt" }],
    ["the type of an enrolment", { typ: "enrolment+jwt" }],
    ["no key id", { kid: undefined }],
    ["an empty key id", { kid: "" }],
    ["an unknown key id", { kid: "2" }],
    ["a critical extension", { crit: ["exp"], exp: 1 }],
  ])("with %s in its header", async (_, change) => {
    expect(await verify(await forge(change, {}))).toBeUndefined();
  });

  it.each([
    ["another issuer", { iss: "https://evil.example.com" }],
    ["no issuer", { iss: undefined }],
    ["the issuer as audience", { aud: ISSUER }],
    ["no audience", { aud: undefined }],
    ["no expiry", { exp: undefined }],
    ["an expiry that is text", { exp: String(EXPIRES / 1000) }],
    ["no account", { sub: undefined }],
    ["no challenge", { jti: undefined }],
    ["no purpose", { purpose: undefined }],
    ["no epoch", { epoch: undefined }],
    ["another epoch", { epoch: 2 }],
    ["the epoch as text", { epoch: "1" }],
  ])("with %s", async (_, change) => {
    expect(await verify(await forge({}, change))).toBeUndefined();
  });

  it("when it was signed by any other key of the ring", async () => {
    for (const purpose of ["refresh", "pepper", "digest"] as const) {
      const { key } = ring.active(purpose);
      const forged = await new SignJWT(partsOf(token)[1]).setProtectedHeader(header).sign(key);
      expect(await verify(forged)).toBeUndefined();
    }
  });

  it("when it was signed with what everybody can read in the JWKS", async () => {
    const text = JSON.stringify(ring.jwks[0]);
    const secret = new TextEncoder().encode(text);
    const forged = await new SignJWT(partsOf(token)[1]).setProtectedHeader(header).sign(secret);
    expect(await verify(forged)).toBeUndefined();
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

  async function forge(headerChange: object, claimsChange: object): Promise<string> {
    const parts = [
      { ...header, ...headerChange },
      { ...partsOf(token)[1], ...claimsChange },
    ];
    const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    const mac = await crypto.subtle.sign("HMAC", ring.active("challenge").key, new TextEncoder().encode(input));
    return `${input}.${Buffer.from(mac).toString("base64url")}`;
  }
});

function partsOf(jwt: string): [header: Record<string, unknown>, claims: Record<string, unknown>] {
  const [header = "", claims = ""] = jwt.split(".").map((part) => Buffer.from(part, "base64url").toString());
  return [JSON.parse(header), JSON.parse(claims)];
}

/** The same signature with its unused last bits set: lenient decoders do not see the difference. */
function respelt(jwt: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return jwt.slice(0, -1) + alphabet[alphabet.indexOf(jwt.at(-1) ?? "") + 1];
}
