import { beforeAll, describe, expect, it } from "vitest";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { signAccessToken, verifyAccessToken } from "../../../src/tokens/access-token.ts";
import { signChallengeToken, verifyChallengeToken } from "../../../src/tokens/challenge-token.ts";
import { signEnrolmentToken, verifyEnrolmentToken } from "../../../src/tokens/enrolment-token.ts";
import { partsOf, respelt, signedByHand } from "../support/jwt-parts.ts";
import { NOW, newRing, ringsAcrossEpochs } from "../support/rings.ts";

const ISSUER = "https://auth.example.com";
const ACCOUNT = "1d9a2f0e-0000-4000-8000-000000000001";
const WAITING = "3d9a2f0e-0000-4000-8000-000000000003";
const EXPIRES = NOW + 300_000;

/** Both kinds of token that this service makes for itself, and nobody else can check. */
const KINDS = {
  challenge: {
    header: { alg: "HS256", typ: "challenge+jwt", kid: "1" },
    audience: "urn:sallyport:challenge",
    own: { purpose: "login" },
    reference: { accountId: ACCOUNT, challengeId: WAITING, purpose: "login" },
    sign: (by: KeyRing) =>
      signChallengeToken(by, ISSUER, { accountId: ACCOUNT, challengeId: WAITING, purpose: "login" }, EXPIRES),
    verify: verifyChallengeToken,
  },
  enrolment: {
    header: { alg: "HS256", typ: "enrolment+jwt", kid: "1" },
    audience: "urn:sallyport:enrolment",
    own: {},
    reference: { accountId: ACCOUNT, enrolmentId: WAITING },
    sign: (by: KeyRing) => signEnrolmentToken(by, ISSUER, { accountId: ACCOUNT, enrolmentId: WAITING }, EXPIRES),
    verify: verifyEnrolmentToken,
  },
} as const;

const others = { challenge: KINDS.enrolment, enrolment: KINDS.challenge };

describe.each(["challenge", "enrolment"] as const)("the token of %s", (name) => {
  const { header, audience, own, reference, sign } = KINDS[name];
  const other = others[name];
  let ring: KeyRing;
  let token: string;

  beforeAll(async () => {
    ring = await newRing();
    token = await sign(ring);
  });

  const verify = (text: string, now = NOW) => KINDS[name].verify(ring, ISSUER, text, now);
  const forge = (headerChange: object, claimsChange: object, key = ring.active("challenge").key) =>
    signedByHand(key, { ...header, ...headerChange }, { ...partsOf(token)[1], ...claimsChange });

  it("has a type, an audience and a key of its own, and says nothing about a person", () => {
    const claims = { iss: ISSUER, sub: ACCOUNT, aud: audience, jti: WAITING, exp: EXPIRES / 1000, epoch: 1, ...own };
    expect(partsOf(token)).toEqual([header, claims]);
  });

  it("names what waits for it", async () => {
    expect(await verify(token)).toEqual(reference);
  });

  it("is good until it expires, with no tolerance: one clock made it and reads it", async () => {
    expect(await verify(token, EXPIRES - 1000)).toBeDefined();
    expect(await verify(token, EXPIRES)).toBeUndefined();
  });

  it("is no access token, and an access token is none of its kind", async () => {
    const factors = { pwd: NOW / 1000 };
    const subject = { accountId: ACCOUNT, sessionId: "s", audience: ISSUER, roles: [], factors };
    const access = await signAccessToken(ring, ISSUER, subject, NOW, 300);
    expect(await verifyAccessToken(ring, ISSUER, token, NOW)).toBeUndefined();
    expect(await verify(access)).toBeUndefined();
  });

  it("is not the other kind, whose key is the same", async () => {
    expect(await other.verify(ring, ISSUER, token, NOW)).toBeUndefined();
    // Neither the type nor the audience alone makes it one.
    for (const [typ, aud] of [
      [other.header.typ, audience],
      [header.typ, other.audience],
    ]) {
      const between = await forge({ typ }, { aud, purpose: "login" });
      expect(await verify(between)).toBeUndefined();
      expect(await other.verify(ring, ISSUER, between, NOW)).toBeUndefined();
    }
  });

  it("dies with an emergency drop", async () => {
    const [before, after] = await ringsAcrossEpochs();
    const [old, young] = await Promise.all([sign(before), sign(after)]);
    expect(await KINDS[name].verify(before, ISSUER, old, NOW)).toBeDefined();
    expect(await KINDS[name].verify(after, ISSUER, old, NOW)).toBeUndefined();
    expect(await KINDS[name].verify(before, ISSUER, young, NOW)).toBeUndefined();
  });

  describe("is refused", () => {
    it("control: the same token signed by hand is taken", async () => {
      expect(await verify(await forge({}, {}))).toEqual(reference);
    });

    it.each([
      ["no type", { typ: undefined }],
      ["the type of an access token", { typ: "at+jwt" }],
      ["the type of the other kind", { typ: other.header.typ }],
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
      ["a list that holds the audience", { aud: [audience] }],
      ["a list of our audience and another", { aud: [audience, ISSUER] }],
      ["no expiry", { exp: undefined }],
      ["an expiry that is text", { exp: String(EXPIRES / 1000) }],
      ["no account", { sub: undefined }],
      ["nothing that waits", { jti: undefined }],
      ["no epoch", { epoch: undefined }],
      ["another epoch", { epoch: 2 }],
      ["the epoch as text", { epoch: "1" }],
    ])("with %s", async (_, change) => {
      expect(await verify(await forge({}, change))).toBeUndefined();
    });

    it("when it was signed by any other key of the ring", async () => {
      for (const purpose of ["refresh", "pepper", "digest", "recovery", "handle", "assertion"] as const) {
        expect(await verify(await forge({}, {}, ring.active(purpose).key))).toBeUndefined();
      }
    });

    it("when it was signed with what everybody can read in the JWKS", async () => {
      const text = new TextEncoder().encode(JSON.stringify(ring.jwks[0]));
      const key = await crypto.subtle.importKey("raw", text, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
      expect(await verify(await forge({}, {}, key))).toBeUndefined();
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
        const changed = token[at] === "A" ? "B" : "A";
        if (await verify(token.slice(0, at) + changed + token.slice(at + 1))) accepted.push(at);
      }
      expect(accepted).toEqual([]);
    });
  });
});
