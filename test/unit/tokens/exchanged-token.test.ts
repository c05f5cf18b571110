import { beforeAll, describe, expect, it } from "vitest";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { type IssuedClaims, signAccessToken, verifyIssuedToken } from "../../../src/tokens/access-token.ts";
import { hasRoomForActor, signExchangedToken } from "../../../src/tokens/exchanged-token.ts";
import { partsOf } from "../support/jwt-parts.ts";
import { NOW, newRing } from "../support/rings.ts";

const ISSUER = "https://auth.example.com";
const SECONDS = NOW / 1000;
const EXCHANGE = { clientId: "orders-api", audience: "billing", jkt: undefined };

let ring: KeyRing;
let subject: IssuedClaims;

beforeAll(async () => {
  ring = await newRing();
  const about = { accountId: "a", sessionId: "s", audience: "orders", roles: ["reader"] };
  const token = await signAccessToken(ring, ISSUER, { ...about, factors: { pwd: SECONDS - 60 } }, NOW, 300);
  const claims = await verifyIssuedToken(ring, ISSUER, token, NOW, "orders");
  if (!claims) throw new Error("not verified");
  subject = claims;
});

const claimsAfter = async (from: IssuedClaims, now: number, exchange: object = {}, ttl = 300) =>
  partsOf((await signExchangedToken(ring, from, { ...EXCHANGE, ...exchange }, now, ttl)).accessToken)[1];

describe("an exchanged token", () => {
  it("has the header of every access token, in the same order", async () => {
    const { accessToken } = await signExchangedToken(ring, subject, EXCHANGE, NOW, 300);
    const header = Buffer.from(accessToken.split(".")[0] ?? "", "base64url").toString();
    expect(header).toBe(`{"alg":"ES256","typ":"at+jwt","kid":"${ring.signing.kid}"}`);
  });

  it("says the same of person, session and proof, names the client, and has an id of its own", async () => {
    const claims = await claimsAfter(subject, NOW + 10_000);
    expect(claims).toEqual({
      ...subject,
      aud: "billing",
      client_id: "orders-api",
      iat: SECONDS + 10,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      act: { sub: "orders-api" },
    });
    expect(claims.jti).not.toBe(subject.jti);
    expect(claims.exp).toBe(subject.exp);
  });

  it("ends with the subject, or before it where tokens live shorter now", async () => {
    expect(await signExchangedToken(ring, subject, EXCHANGE, NOW + 290_000, 300)).toMatchObject({
      expiresInSeconds: 10,
    });
    expect(await signExchangedToken(ring, subject, EXCHANGE, NOW, 60)).toMatchObject({ expiresInSeconds: 60 });
    expect((await claimsAfter(subject, NOW, {}, 60)).exp).toBe(SECONDS + 60);
  });

  it("is not older than the proof that it tells of, and ends with the subject all the same", async () => {
    const ahead = { ...subject, auth_time: SECONDS + 20 };
    expect(await claimsAfter(ahead, NOW)).toMatchObject({ iat: SECONDS + 20, exp: SECONDS + 300 });
  });

  it("is bound to the client's key alone: never to the subject's", async () => {
    const bound = { ...subject, cnf: { jkt: "of-the-user" } };
    expect((await claimsAfter(bound, NOW, { jkt: "of-the-client" })).cnf).toEqual({ jkt: "of-the-client" });
    expect(await claimsAfter(bound, NOW)).not.toHaveProperty("cnf");
  });

  it("keeps who acted before, the last one outermost, up to four", async () => {
    let chained = subject;
    for (const clientId of ["one", "two", "three", "four"]) {
      expect(hasRoomForActor(chained), clientId).toBe(true);
      chained = (await claimsAfter(chained, NOW, { clientId })) as unknown as IssuedClaims;
    }
    expect(chained.act).toEqual({ sub: "four", act: { sub: "three", act: { sub: "two", act: { sub: "one" } } } });
    expect(hasRoomForActor(chained)).toBe(false);
  });
});

describe("the verification of a token for any audience", () => {
  const sign = (now: number) =>
    signAccessToken(
      ring,
      ISSUER,
      { accountId: "a", sessionId: "s", audience: "orders", roles: [], factors: { pwd: SECONDS - 60 } },
      now,
      300,
    );

  it("takes the token for its audience and for no other", async () => {
    const token = await sign(NOW);
    expect(await verifyIssuedToken(ring, ISSUER, token, NOW, "orders")).toMatchObject({ aud: "orders", sub: "a" });
    for (const audience of ["billing", ISSUER, "order", "orders/", ""]) {
      expect(await verifyIssuedToken(ring, ISSUER, token, NOW, audience), audience).toBeUndefined();
    }
    expect(await verifyIssuedToken(ring, "https://other.example", token, NOW, "orders")).toBeUndefined();
  });

  it("refuses what was issued before an emergency drop", async () => {
    const token = await sign(NOW);
    const dropped = (notBefore: number) => ({ ...ring, notBefore });
    expect(await verifyIssuedToken(dropped(NOW), ISSUER, token, NOW, "orders")).toBeDefined();
    expect(await verifyIssuedToken(dropped(NOW + 999), ISSUER, token, NOW, "orders")).toBeDefined();
    expect(await verifyIssuedToken(dropped(NOW + 1_000), ISSUER, token, NOW, "orders")).toBeUndefined();
  });
});
