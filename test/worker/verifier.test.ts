import { env, exports } from "cloudflare:workers";
import { Hono } from "hono";
import { beforeAll, describe, expect, it } from "vitest";
import {
  KeysUnavailable,
  publishedKeys,
  type RequireAuthOptions,
  requireAuth,
  revokedSessions,
  TokenRefused,
  verifyAccessToken,
} from "../../src/sdk/verify.ts";
import { type Answer, call, claimsOf, ISSUER, newGuardedPerson, newPerson, type Person } from "../support/in-worker.ts";
import { callBound, newProofKey, type ProofKey } from "./support/dpop.ts";

const bindings = { ...env, AUDIENCES: "orders" };
const POLL_SECONDS = 30;

let person: Person;
let bearer: string;

/** What this service has asked the real one for. */
const asked: string[] = [];
const fetch = (url: string, init: RequestInit) => {
  asked.push(new URL(url).pathname);
  return exports.default.fetch(url, init);
};
const keys = publishedKeys(ISSUER, { fetch });
const expected = { issuer: ISSUER, audience: "orders", keys };

const logIn = ({ email, password }: Person, audience = "orders") =>
  call("/auth/login", { email, password, audience }, { bindings });
const tokenOf = ({ body }: Answer) => String(body.access_token);

/** Another service, in this runtime. */
function orders(options: Partial<RequireAuthOptions> = {}) {
  const app = new Hono();
  app.get("/orders/mine", requireAuth({ ...expected, ...options }), (c) => c.json({ owner: c.get("auth").sub }));
  return async (token: string, headers: Record<string, string> = {}) => {
    const answer = await app.request(`${ISSUER}/orders/mine`, {
      headers: { Authorization: `Bearer ${token}`, ...headers },
    });
    return { status: answer.status, challenge: answer.headers.get("WWW-Authenticate"), body: await answer.json() };
  };
}

const INVALID = { status: 401, challenge: 'Bearer error="invalid_token"' };
const refusedAs = (code: string) => expect.objectContaining({ name: "TokenRefused", code });

beforeAll(async () => {
  person = await newPerson();
  bearer = tokenOf(await logIn(person));
});

describe("a service that verifies in workerd", () => {
  it("takes a token that was made for it, after one look at the keys", async () => {
    const claims = await verifyAccessToken(bearer, expected);
    expect(claims).toEqual(claimsOf(bearer));
    expect(claims).toMatchObject({ iss: ISSUER, aud: "orders", sub: person.id, client_id: "first-party", acr: "aal1" });
    expect(await orders()(bearer)).toMatchObject({ status: 200, body: { owner: person.id } });
    expect(asked.filter((path) => path === "/.well-known/jwks.json")).toHaveLength(1);
  });

  it("takes no token for another service, for the issuer itself, or of another kind", async () => {
    const { body } = await logIn(await newGuardedPerson());
    const own = tokenOf(await logIn(person, ISSUER));
    await expect(verifyAccessToken(bearer, { ...expected, audience: "billing" })).rejects.toEqual(
      refusedAs("wrong_audience"),
    );
    await expect(verifyAccessToken(own, expected)).rejects.toEqual(refusedAs("wrong_audience"));
    await expect(verifyAccessToken(String(body.challenge_token), expected)).rejects.toThrow(TokenRefused);
    expect(await orders()(own)).toMatchObject(INVALID);
    expect(await orders()(String(body.challenge_token))).toMatchObject(INVALID);
  });

  it("takes none that was changed or has expired", async () => {
    const at = bearer.length - 50;
    const changed = bearer.slice(0, at) + (bearer[at] === "A" ? "B" : "A") + bearer.slice(at + 1);
    await expect(verifyAccessToken(changed, expected)).rejects.toEqual(refusedAs("bad_signature"));
    const later = () => Date.now() + 331_000;
    // Its own clock is not that of the keys: they are still good.
    await expect(verifyAccessToken(bearer, { ...expected, now: later })).rejects.toEqual(refusedAs("expired"));
  });

  it("asks for a second factor where a route needs one", async () => {
    const challenge = 'Bearer error="insufficient_user_authentication", acr_values="aal2", max_age=300';
    expect(await orders({ acr: "aal2", maxAge: 300 })(bearer)).toMatchObject({ status: 401, challenge });
  });

  it("knows nothing while the issuer answers with nothing", async () => {
    const failing = publishedKeys(ISSUER, { fetch: () => exports.default.fetch(`${ISSUER}/no-such-document`) });
    await expect(verifyAccessToken(bearer, { ...expected, keys: failing })).rejects.toThrow(KeysUnavailable);
    expect(await orders({ keys: failing })(bearer)).toMatchObject({ status: 503, challenge: null });
  });
});

describe("a service that polls for ended sessions in workerd", () => {
  it("refuses a session's tokens once it has signed out, and no others", async () => {
    let waited = 0;
    const now = () => Date.now() + waited;
    const revoked = revokedSessions(ISSUER, { onFeedLost: "closed", pollSeconds: POLL_SECONDS, fetch, now, keys });
    const ask = orders({ revokedSessions: revoked });
    const { body } = await logIn(person);
    const token = String(body.access_token);
    expect(await ask(token)).toMatchObject({ status: 200 });
    expect((await call("/auth/logout", { refresh_token: body.refresh_token })).status).toBe(204);
    waited = POLL_SECONDS * 1000;
    expect(await ask(token)).toMatchObject(INVALID);
    await expect(verifyAccessToken(token, { ...expected, revokedSessions: revoked })).rejects.toEqual(
      refusedAs("revoked"),
    );
    expect(await ask(bearer)).toMatchObject({ status: 200 });
    expect(asked.filter((path) => path === "/.well-known/revoked-sessions")).toHaveLength(2);
  });

  it("is closed or open while the list is lost, as it wants", async () => {
    const lost = { fetch: () => exports.default.fetch(`${ISSUER}/no-such-document`), keys };
    const closed = revokedSessions(ISSUER, { onFeedLost: "closed", ...lost });
    const open = revokedSessions(ISSUER, { onFeedLost: "open", ...lost });
    expect(await orders({ revokedSessions: closed })(bearer)).toMatchObject({ status: 503 });
    expect(await orders({ revokedSessions: open })(bearer)).toMatchObject({ status: 200 });
  });

  it("takes an access token for no list", async () => {
    const fake = revokedSessions(ISSUER, { onFeedLost: "closed", fetch: async () => new Response(bearer), keys });
    expect(await orders({ revokedSessions: fake })(bearer)).toMatchObject({ status: 503 });
  });
});

describe("a service that asks for proofs in workerd", () => {
  let key: ProofKey;
  let bound: string;

  beforeAll(async () => {
    key = await newProofKey();
    const { email, password } = person;
    bound = tokenOf(await callBound(key, "/auth/login", { email, password, audience: "orders" }, { bindings }));
  });

  const proven = async (by = key) => ({
    Authorization: `DPoP ${bound}`,
    DPoP: await by.proof("GET", "/orders/mine", bound),
  });

  it("takes a token that the service has bound with a proof of its key, once", async () => {
    const ask = orders();
    const headers = await proven();
    expect(await ask(bound, headers)).toMatchObject({ status: 200, body: { owner: person.id } });
    const again = { status: 401, challenge: 'DPoP error="invalid_dpop_proof", algs="ES256"' };
    expect(await ask(bound, headers)).toMatchObject(again);
    expect(await ask(bound, await proven(await newProofKey()))).toMatchObject(again);
  });

  it("does not take it as a bearer token", async () => {
    expect(await orders()(bound)).toMatchObject(INVALID);
    await expect(verifyAccessToken(bound, expected)).rejects.toEqual(refusedAs("proof_missing"));
  });
});
