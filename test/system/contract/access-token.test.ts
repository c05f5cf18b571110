import { setTimeout as sleep } from "node:timers/promises";
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  expectProblem,
  issuer,
  logIn,
  me,
  type Person,
  refreshed,
  type Session,
  send,
  sessionOf,
  signedIn,
  signedInTwice,
  type TwoFactorPerson,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";

const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", issuer));
/** What another service does with the token: it shares a URL with the issuer, nothing else. */
const verified = (token: string) =>
  jwtVerify(token, keys, { issuer, audience: issuer, typ: "at+jwt", algorithms: ["ES256"] });
const now = () => Date.now() / 1000;
const proofs = (payload: JWTPayload) => payload.factors as Record<string, number>;

const claims = [
  "acr",
  "amr",
  "aud",
  "auth_time",
  "client_id",
  "exp",
  "factors",
  "iat",
  "iss",
  "jti",
  "roles",
  "sid",
  "sub",
];

describe.concurrent("an access token", () => {
  let person: Person;
  beforeAll(async () => {
    person = await verifiedPerson();
  });

  it("of a password sign-in verifies against the JWKS and says aal1", async () => {
    const answer = await logIn(person);
    const { payload, protectedHeader } = await verified(text(answer, "access_token"));
    expect(Object.keys(protectedHeader).sort()).toEqual(["alg", "kid", "typ"]);
    expect(protectedHeader).toMatchObject({ alg: "ES256", typ: "at+jwt" });
    expect(Object.keys(payload).sort()).toEqual(claims);
    expect(payload).toMatchObject({
      iss: issuer,
      aud: issuer,
      client_id: "first-party",
      sid: answer.body.session_id,
      acr: "aal1",
      amr: ["pwd"],
      roles: [],
    });
    expect(payload.sub).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number(payload.exp) - Number(payload.iat)).toBe(300);
    expect(Math.abs(Number(payload.iat) - now())).toBeLessThan(10);
    expect(payload.jti).toMatch(/\S{8,}/);
    for (const time of [payload.iat, payload.exp, payload.auth_time, proofs(payload).pwd])
      expect(time).toSatisfy(Number.isInteger);
    expect(Object.keys(proofs(payload))).toEqual(["pwd"]);
    expect(payload.auth_time).toBe(proofs(payload).pwd);
    expect(JSON.stringify(payload)).not.toContain(person.email.split("@")[0]);
  });

  it("behind both doors says aal2 and when each proof was given", async () => {
    const { payload } = await verified((await signedInTwice(await twoFactorPerson())).access);
    expect(Object.keys(payload).sort()).toEqual(claims);
    expect(payload.acr).toBe("aal2");
    expect([...(payload.amr as string[])].sort()).toEqual(["mfa", "otp", "pwd"]);
    expect(Object.keys(proofs(payload)).sort()).toEqual(["otp", "pwd"]);
    expect(payload.auth_time).toBe(Math.max(...Object.values(proofs(payload))));
  });

  it("after confirming the first factor says aal2 from the next refresh, with both proofs", async () => {
    const person = await twoFactorPerson();
    expect(decodeJwt(person.session.access).acr).toBe("aal1");
    const { payload } = await verified(sessionOf(await refreshed(person.session.refresh)).access);
    expect(payload).toMatchObject({ acr: "aal2", sid: person.session.id, sub: decodeJwt(person.session.access).sub });
    expect([...(payload.amr as string[])].sort()).toEqual(["mfa", "otp", "pwd"]);
    expect(proofs(payload)).toEqual({ pwd: expect.any(Number), otp: expect.any(Number) });
  });

  it("of a refresh is a new token that moves no proof", async () => {
    const session = await signedIn(person);
    await sleep(1_100);
    const [before, after] = [decodeJwt(session.access), decodeJwt(sessionOf(await refreshed(session.refresh)).access)];
    const { jti, iat, exp, ...kept } = before;
    const { jti: newId, iat: newIat, exp: newExp, ...still } = after;
    expect(still).toEqual(kept);
    expect(newId).not.toBe(jti);
    expect(Number(newIat)).toBeGreaterThan(Number(iat));
    expect(Number(newExp)).toBeGreaterThan(Number(exp));
  });

  it("names the account the same in every session, and different accounts differently", async () => {
    const eve = await verifiedPerson();
    const [one, two, other] = [await signedIn(person), await signedIn(person), await signedIn(eve)].map(({ access }) =>
      decodeJwt(access),
    );
    expect(two?.sub).toBe(one?.sub);
    expect(two?.sid).not.toBe(one?.sid);
    expect(other?.sub).not.toBe(one?.sub);
  });

  it("names a key of the JWKS", async () => {
    const { access } = await signedIn(person);
    const { kid } = decodeProtectedHeader(access);
    const set = (await (await fetch(`${issuer}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] };
    expect(set.keys.map((key) => key.kid)).toContain(kid);
  });
});

describe.concurrent("auth/me", () => {
  let person: TwoFactorPerson;
  let session: Session;
  beforeAll(async () => {
    person = await twoFactorPerson();
    session = await signedInTwice(person);
  });

  it("says who is signed in and how, and nothing else", async () => {
    const answer = await me(session.access);
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body).sort()).toEqual([
      "acr",
      "amr",
      "auth_time",
      "email",
      "email_verified",
      "factors",
      "id",
      "roles",
    ]);
    const token = decodeJwt(session.access);
    expect(answer.body).toMatchObject({
      id: token.sub,
      email: person.email,
      email_verified: true,
      roles: [],
      acr: "aal2",
      amr: token.amr,
    });
    // "Times: seconds since the epoch in tokens, RFC 3339 in JSON."
    expect(answer.body.auth_time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/);
    expect(Math.floor(Date.parse(String(answer.body.auth_time)) / 1000)).toBe(token.auth_time);
    expect(answer.headers.get("cache-control")).toMatch(/no-store/);
  });

  it("takes the token in one way only: Authorization with the Bearer scheme, whatever its case", async () => {
    for (const scheme of ["Bearer", "bearer", "BEARER"]) {
      expect(
        (await send("GET", "/auth/me", undefined, { headers: { authorization: `${scheme} ${session.access}` } }))
          .status,
      ).toBe(200);
    }
    const elsewhere = [
      {},
      { authorization: session.access },
      { authorization: `Basic ${session.access}` },
      { authorization: `Token ${session.access}` },
      { authorization: `Basic ${btoa(`user:${session.access}`)}` },
      { authorization: "Bearer" },
      { authorization: "Bearer " },
      { authorization: `Bearer ${session.access}, Bearer ${session.access}` },
      { authorization: `Bearer ${session.access} ${session.access}` },
      { "x-access-token": session.access },
      { cookie: `access_token=${session.access}` },
    ] as Record<string, string>[];
    for (const headers of elsewhere) {
      const answer = await send("GET", "/auth/me", undefined, { headers });
      expectProblem(answer, 401, "invalid_token");
      expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer\b.*error="invalid_token"/);
    }
    for (const name of ["access_token", "token"]) {
      const answer = await send("GET", `/auth/me?${name}=${session.access}`);
      expect([400, 401]).toContain(answer.status);
      expect(answer.text).not.toContain(person.email);
    }
  });
});
