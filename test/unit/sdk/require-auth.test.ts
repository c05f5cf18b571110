import { Hono } from "hono";
import { describe, expect, expectTypeOf, it } from "vitest";
import type { AccessTokenClaims } from "../../../src/sdk/access-token.ts";
import { KeysUnavailable } from "../../../src/sdk/refused.ts";
import { type AuthEnv, type RequireAuthOptions, requireAuth } from "../../../src/sdk/require-auth.ts";
import { ACRS } from "../../../src/tokens/proof.ts";
import { AUDIENCE, CLAIMS, ISSUER, type Json, NOW, newPair, SECONDS, signed } from "../support/forged-tokens.ts";
import { ask, guarded, HERE, seen } from "../support/guarded-app.ts";

const INVALID = { status: 401, challenge: 'Bearer error="invalid_token"' };
const NO_CREDENTIALS = { status: 401, challenge: "Bearer" };

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const askWith = async (claims: Json, options: Partial<RequireAuthOptions> = {}) =>
  seen(await ask(guarded(options), bearer(await signed(claims))));

describe("requireAuth", () => {
  it("gives the handler what the token says", async () => {
    const answer = await ask(guarded(), bearer(await signed()));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ auth: CLAIMS });
  });

  it("is typed: behind it the claims are there", () => {
    new Hono().get("/", requireAuth({ issuer: ISSUER, audience: AUDIENCE }), (c) => {
      expectTypeOf(c.get("auth")).toEqualTypeOf<AccessTokenClaims>();
      return c.text("");
    });
  });

  it("is named in traces", () => {
    expect(requireAuth({ issuer: ISSUER, audience: AUDIENCE }).name).toBe("requireAuth");
  });

  it("lets nobody past to the handler whom it refuses", async () => {
    let reached = 0;
    const app = new Hono();
    app.use(requireAuth({ issuer: ISSUER, audience: AUDIENCE, now: () => NOW }));
    app.all("/orders/mine", (c) => c.json({ reached: ++reached }));
    for (const method of ["GET", "HEAD", "POST", "OPTIONS"]) {
      expect((await app.request(`${HERE}/orders/mine`, { method })).status).toBe(401);
    }
    expect(reached).toBe(0);
  });

  it("says no more than it must, and nothing that may be kept", async () => {
    const answer = await ask(guarded(), bearer(await signed({ exp: SECONDS - 100, iat: SECONDS - 400 })));
    expect(Object.fromEntries(answer.headers)).toEqual({
      "cache-control": "no-store",
      "content-type": "application/problem+json",
      "www-authenticate": 'Bearer error="invalid_token"',
    });
    expect(await answer.json()).toEqual({ type: "about:blank", title: "Unauthorized", status: 401 });
  });

  it("leaves the faults of the handler to the application", async () => {
    const app = new Hono<AuthEnv>();
    app.use(
      requireAuth({ issuer: ISSUER, audience: AUDIENCE, keys: { keyFor: () => Promise.reject(new Error("bug")) } }),
    );
    app.get("/orders/mine", (c) => c.text("reached"));
    app.onError((error, c) => c.text(error.message, 500));
    const answer = await ask(app, bearer(await signed()));
    expect([answer.status, await answer.text()]).toEqual([500, "bug"]);
  });
});

describe("credentials", () => {
  it.each(["Bearer", "bearer", "BEARER", "BeArEr"])("come under the scheme %s", async (scheme) => {
    expect((await ask(guarded(), { Authorization: `${scheme} ${await signed()}` })).status).toBe(200);
    expect((await ask(guarded(), { Authorization: `${scheme}   ${await signed()}` })).status).toBe(200);
  });

  it.each<[string, (token: string) => Record<string, string>]>([
    ["nothing", () => ({})],
    ["an empty header", () => ({ Authorization: "" })],
    ["another scheme", (token) => ({ Authorization: `Basic ${token}` })],
    ["the scheme Token", (token) => ({ Authorization: `Token ${token}` })],
    ["no scheme", (token) => ({ Authorization: token })],
    ["a longer scheme", (token) => ({ Authorization: `Bearers ${token}` })],
    ["another scheme before it", (token) => ({ Authorization: `Basic eA==, Bearer ${token}` })],
    ["another header", (token) => ({ "X-Authorization": `Bearer ${token}` })],
    ["a cookie", (token) => ({ Cookie: `access_token=${token}` })],
  ])("are asked for where there is %s", async (_, headers) => {
    expect(await seen(await ask(guarded(), headers(await signed())))).toEqual(NO_CREDENTIALS);
  });

  it("do not stand in the address or in the body", async () => {
    const token = await signed();
    const app = guarded();
    expect(await seen(await ask(app, {}, `/orders/mine?access_token=${token}`))).toEqual(NO_CREDENTIALS);
    const body = new URLSearchParams({ access_token: token });
    expect(await seen(await app.request(`${HERE}/orders/mine`, { method: "POST", body }))).toEqual(NO_CREDENTIALS);
  });

  it.each<[string, (token: string) => string]>([
    ["no token", () => "Bearer"],
    ["two tokens", (token) => `Bearer ${token} ${token}`],
    ["a list of tokens", (token) => `Bearer ${token}, ${token}`],
    ["a list without spaces", (token) => `Bearer ${token},${token}`],
    ["a second header", (token) => `Bearer ${token}, Bearer ${token}`],
    ["another scheme behind it", (token) => `Bearer ${token}, Basic eA==`],
    ["a parameter", (token) => `Bearer token="${token}"`],
    ["a comma behind it", (token) => `Bearer ${token},`],
    ["a tab before it", (token) => `Bearer \t${token}`],
    ["padding", (token) => `Bearer ${token}=`],
    ["a token of nobody", () => "Bearer x.y.z"],
  ])("are no good with %s", async (_, header) => {
    expect(await seen(await ask(guarded(), { Authorization: header(await signed()) }))).toEqual(INVALID);
  });

  it("are one header", async () => {
    const headers = new Headers(bearer(await signed()));
    headers.append("Authorization", `Bearer ${await signed()}`);
    expect(await seen(await ask(guarded(), headers))).toEqual(INVALID);
  });

  it("are no good when the token is not", async () => {
    expect(await askWith({ aud: "billing" })).toEqual(INVALID);
    expect(await askWith({ exp: SECONDS - 30, iat: SECONDS - 330 })).toEqual(INVALID);
    expect(await askWith({ exp: SECONDS - 29, iat: SECONDS - 329 })).toMatchObject({ status: 200 });
    expect(await askWith({ exp: SECONDS - 29, iat: SECONDS - 329 }, { clockToleranceSeconds: 29 })).toEqual(INVALID);
    const { privateKey } = await newPair();
    expect(await seen(await ask(guarded(), bearer(await signed({}, {}, privateKey))))).toEqual(INVALID);
  });
});

describe("a route that demands more than a good token", () => {
  const WEAK = 'Bearer error="insufficient_user_authentication"';

  // Written out: what may pass where. Rows are what the route demands, columns what the token says.
  it.each([
    ["aal1", ["aal1", "aal2-recovery", "aal2"]],
    ["aal2-recovery", ["aal2-recovery", "aal2"]],
    ["aal2", ["aal2"]],
  ] as const)("%s: lets in who is that strong", async (acr, enough) => {
    for (const held of [...ACRS, "AAL2", "aal3", "0"]) {
      const expected = (enough as readonly string[]).includes(held)
        ? { status: 200, challenge: null }
        : { status: 401, challenge: `${WEAK}, acr_values="${acr}"` };
      expect(await askWith({ acr: held }, { acr })).toEqual(expected);
    }
  });

  it("lets in who has proven something as lately, and nobody a second later", async () => {
    const old = { status: 401, challenge: `${WEAK}, max_age=300` };
    expect(await askWith({ auth_time: SECONDS - 300 }, { maxAge: 300 })).toMatchObject({ status: 200 });
    expect(await askWith({ auth_time: SECONDS - 301 }, { maxAge: 300 })).toEqual(old);
    // A fresh token does not make a fresh user.
    expect(await askWith({ auth_time: SECONDS - 301, iat: SECONDS, exp: SECONDS + 60 }, { maxAge: 300 })).toEqual(old);
  });

  it("says all that it demands of the user, whichever is lacking", async () => {
    const both = { status: 401, challenge: `${WEAK}, acr_values="aal2", max_age=300` };
    const options = { acr: "aal2", maxAge: 300 } as const;
    expect(await askWith({ acr: "aal1" }, options)).toEqual(both);
    expect(await askWith({ auth_time: SECONDS - 301 }, options)).toEqual(both);
    expect(await askWith({}, options)).toMatchObject({ status: 200 });
  });

  it("lets in who has all of its roles", async () => {
    const forbidden = { status: 403, challenge: 'Bearer error="insufficient_scope"' };
    const roles = ["reader", "writer"];
    expect(await askWith({ roles: ["writer", "x", "reader"] }, { roles })).toMatchObject({ status: 200 });
    for (const held of [["reader"], ["writer"], [], undefined, ["Reader", "writer"], ["reader writer"]]) {
      expect(await askWith({ roles: held }, { roles })).toEqual(forbidden);
    }
    expect(await askWith({ roles: [] }, { roles: [] })).toMatchObject({ status: 200 });
  });

  it("does not send somebody through a step-up who lacks a role anyway", async () => {
    const answer = await ask(guarded({ acr: "aal2", roles: ["admin"] }), bearer(await signed({ acr: "aal1" })));
    expect(answer.status).toBe(403);
    expect(await answer.json()).toEqual({ type: "about:blank", title: "Forbidden", status: 403 });
  });
});

describe("what cannot be known now", () => {
  const silent = () => Promise.reject(new KeysUnavailable("not now"));

  it.each<[string, Partial<RequireAuthOptions>]>([
    ["the keys", { keys: { keyFor: silent } }],
    ["the list of ended sessions", { revokedSessions: { isRevoked: silent } }],
  ])("is neither good nor bad: %s", async (_, options) => {
    const answer = await ask(guarded(options), bearer(await signed()));
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Retry-After")).toBe("5");
    expect(answer.headers.get("WWW-Authenticate")).toBeNull();
    expect(await answer.json()).toEqual({ type: "about:blank", title: "Service Unavailable", status: 503 });
  });

  it("is not asked about tokens that are bad anyway", async () => {
    const options = { revokedSessions: { isRevoked: silent } };
    expect(await askWith({ aud: "billing" }, options)).toEqual(INVALID);
  });

  it("ends a token whose session is listed", async () => {
    const isRevoked = async ({ sid, iat }: { sid: string; iat: number }) => sid === CLAIMS.sid && iat === CLAIMS.iat;
    expect(await askWith({}, { revokedSessions: { isRevoked } })).toEqual(INVALID);
    expect(await askWith({ sid: "another" }, { revokedSessions: { isRevoked } })).toMatchObject({ status: 200 });
  });
});

describe("options out of bounds", () => {
  it.each<[string, object]>([
    ["no issuer", { issuer: undefined }],
    ["an issuer that is no address", { issuer: "auth" }],
    ["an issuer over plain HTTP", { issuer: "http://auth.example.com" }],
    ["no audience", { audience: "" }],
    ["a clock of another world", { clockToleranceSeconds: 61 }],
    ["a class that does not exist", { acr: "aal3" }],
    ["no age", { maxAge: 0 }],
    ["part of a second", { maxAge: 0.5 }],
    ["a text for an age", { maxAge: "300" }],
    ["one role as a text", { roles: "admin" }],
    ["a role without a name", { roles: [""] }],
    ["a role that is no text", { roles: [1] }],
    ["an origin that is none", { origin: "orders.example.com" }],
    ["an origin with a path", { origin: `${HERE}/orders` }],
    ["an origin with a slash behind it", { origin: `${HERE}/` }],
    ["an issuer with a slash behind it", { issuer: `${ISSUER}/` }],
    ["a demand that is misspelt", { role: ["admin"] }],
    ["another one", { max_age: 300 }],
    ["a memory that is none", { seenProof: 5 }],
    ["the options of a feed in place of one", { revokedSessions: { onFeedLost: "closed" } }],
  ])("are refused when it is built: %s", (_, options) => {
    const all = { issuer: ISSUER, audience: AUDIENCE, ...options } as RequireAuthOptions;
    expect(() => requireAuth(all)).toThrow(TypeError);
  });

  it("control: those within are taken", () => {
    const options = { acr: "aal2", maxAge: 1, roles: ["a"], origin: HERE, clockToleranceSeconds: 60 } as const;
    expect(() => requireAuth({ issuer: ISSUER, audience: AUDIENCE, ...options })).not.toThrow();
  });
});
