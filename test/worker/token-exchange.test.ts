import { describe, expect, it } from "vitest";
import { type AccessTokenClaims, readAccessToken } from "../../src/sdk/access-token.ts";
import { call, claimsOf, ISSUER, logIn, newPerson, refresh, ring } from "../support/in-worker.ts";
import { brokenAt } from "./support/broken-stores.ts";
import { costOf } from "./support/costs.ts";
import { newProofKey } from "./support/dpop.ts";
import { pass, SECOND, seconds, useMovedClock } from "./support/moved-clock.ts";
import {
  ask,
  bindings,
  type ClientCall,
  claimsIn,
  exchange,
  exchangeForm,
  introspect,
  OAUTH_SETTINGS,
  revoke,
  signedIn,
  tokenFor,
} from "./support/oauth.ts";

useMovedClock();

const SUBJECT_REFUSED = { status: 400, body: { error: "invalid_request" } };
const TARGET_REFUSED = { status: 400, body: { error: "invalid_target" } };
const GRANTED = { status: 200 };

/** What a service that knows the key ring makes of a token. */
async function verified(token: unknown, audience: string): Promise<AccessTokenClaims | { defect: string }> {
  const { verifying } = await ring();
  const keyFor = (kid: string) => verifying.get(kid);
  return readAccessToken(String(token), {
    issuer: ISSUER,
    audience,
    keyFor,
    now: Date.now(),
    clockToleranceSeconds: 0,
  });
}

describe("a token of a service that calls another one", () => {
  it("is exchanged for one that says the same of person, session and proof, and names who acts", async () => {
    const { person } = await signedIn();
    const { body } = await logIn(person, { bindings });
    const first = await tokenFor({ person, sessionId: String(body.session_id) });
    pass(10 * SECOND);
    const answer = await exchange(first);
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      token_type: "Bearer",
      expires_in: 290,
    });
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    const { jti, ...claims } = claimsOf(first);
    const exchanged = claimsIn(answer);
    expect(exchanged).toEqual({
      ...claims,
      aud: "billing",
      client_id: "orders",
      iat: seconds(),
      jti: expect.any(String),
      act: { sub: "orders" },
    });
    expect(exchanged.jti).not.toBe(jti);
    expect(await verified(answer.body.access_token, "billing")).toMatchObject({ sub: person.id });
    expect(await verified(answer.body.access_token, "orders")).toEqual({ defect: "wrong_audience" });
  });

  it("costs one round trip and no row, or one in which a proof of possession is spent", async () => {
    const token = await tokenFor(await signedIn());
    const bare = await costOf((options) => exchange(token, "billing", options), { settings: OAUTH_SETTINGS });
    expect(bare).toMatchObject({
      answer: GRANTED,
      sequential: 1,
      calls: ["account.checkSession"],
      rows: { objects: 0 },
    });
    const headers = { DPoP: await (await newProofKey()).proof("POST", "/oauth/token") };
    const proven = await costOf((options) => exchange(token, "billing", { ...options, headers }), {
      settings: OAUTH_SETTINGS,
    });
    expect(proven).toMatchObject({
      answer: GRANTED,
      sequential: 1,
      calls: ["account.spendProof"],
      rows: { objects: 1 },
    });
  });

  it("is asked about nowhere when it is forged, nor is its client", async () => {
    const token = await tokenFor(await signedIn());
    const [head, payload, signature = ""] = token.split(".");
    const forged = `${head}.${payload}.${signature.startsWith("B") ? "C" : "B"}${signature.slice(1)}`;
    const wrong: [unknown, ClientCall, number][] = [
      [forged, {}, 400],
      [`e30.e30.${"A".repeat(86)}`, {}, 400],
      [token, { secret: "wrong" }, 401],
    ];
    for (const [subject, how, status] of wrong) {
      const cost = await costOf((options) => exchange(subject, "billing", { ...options, ...how }), {
        settings: OAUTH_SETTINGS,
      });
      expect(cost.answer.status).toBe(status);
      // Its gate is told behind the answer.
      expect(cost.calls.filter((name) => name !== "gate.report")).toEqual([]);
    }
  });
});

describe("an exchange is granted only", () => {
  it("to the client whose audience the token is for", async () => {
    const session = await signedIn();
    expect(await exchange(await tokenFor(session))).toMatchObject(GRANTED);
    for (const audience of ["billing", "stock", ISSUER]) {
      expect(await exchange(await tokenFor(session, { audience })), audience).toMatchObject(SUBJECT_REFUSED);
    }
    expect(await exchange(session.accessToken)).toMatchObject(SUBJECT_REFUSED);
    const forOrders = await tokenFor(session);
    expect(await exchange(forOrders, "orders", { as: "billing" })).toMatchObject(SUBJECT_REFUSED);
  });

  it("for an audience that is listed for the client, and never for our own routes", async () => {
    const token = await tokenFor(await signedIn());
    for (const audience of ["unreached", "stock", "orders", "nowhere", ISSUER, "billing ", "__proto__"]) {
      expect(await exchange(token, audience), audience).toMatchObject(TARGET_REFUSED);
    }
    expect(await exchange(token)).toMatchObject(GRANTED);
    const forStock = await tokenFor(await signedIn(), { audience: "stock" });
    expect(await exchange(forStock, "billing", { as: "warehouse" })).toMatchObject(TARGET_REFUSED);
  });

  it("while the session lives", async () => {
    const session = await signedIn();
    const token = await tokenFor(session);
    expect(await exchange(token)).toMatchObject(GRANTED);
    await call("/auth/logout", { refresh_token: session.refreshToken });
    expect(await exchange(token)).toMatchObject(SUBJECT_REFUSED);
    const headers = { DPoP: await (await newProofKey()).proof("POST", "/oauth/token") };
    expect(await exchange(token, "billing", { headers })).toMatchObject(SUBJECT_REFUSED);
  });

  it("until the token has expired, to the second, and never beyond its end", async () => {
    const token = await tokenFor(await signedIn(), { ttl: 60 });
    pass(59 * SECOND);
    const last = await exchange(token);
    expect(last.body.expires_in).toBe(1);
    expect(claimsIn(last).exp).toBe(claimsOf(token).exp);
    pass(SECOND);
    // A verifier's tolerance would still take the token itself.
    expect(await exchange(token)).toMatchObject(SUBJECT_REFUSED);
  });

  it("with no end later than what tokens live now", async () => {
    const token = await tokenFor(await signedIn(), { ttl: 600 });
    expect((await exchange(token)).body.expires_in).toBe(300);
  });

  it("where the proof is enough for the audience", async () => {
    const session = await signedIn();
    const now = seconds();
    const [password, code, passkey, recovery] = await Promise.all(
      [{ pwd: now }, { pwd: now, otp: now }, { swk: now, uv: now }, { pwd: now, recovery_code: now }].map((factors) =>
        tokenFor(session, { factors }),
      ),
    );
    expect(await exchange(password, "vault")).toMatchObject(TARGET_REFUSED);
    expect(await exchange(recovery, "vault")).toMatchObject(TARGET_REFUSED);
    expect(await exchange(code, "vault")).toMatchObject(GRANTED);
    expect(await exchange(passkey, "vault")).toMatchObject(GRANTED);
    expect(await exchange(password, "safe")).toMatchObject(TARGET_REFUSED);
    expect(await exchange(passkey, "safe")).toMatchObject(TARGET_REFUSED);
    expect(await exchange(code, "safe")).toMatchObject(GRANTED);
    expect(claimsIn(await exchange(password))).toMatchObject({ acr: "aal1", amr: ["pwd"] });
  });

  it("along a chain of four services at most", async () => {
    let token: unknown = await tokenFor(await signedIn());
    const along = ["billing", "orders", "billing", "orders"] as const;
    for (const [index, audience] of along.entries()) {
      const answer = await exchange(token, audience, { as: index % 2 === 0 ? "orders" : "billing" });
      expect(answer, `${index}`).toMatchObject(GRANTED);
      token = answer.body.access_token;
    }
    const chain = { sub: "billing", act: { sub: "orders", act: { sub: "billing", act: { sub: "orders" } } } };
    expect(claimsOf(token)).toMatchObject({ aud: "orders", client_id: "billing", act: chain });
    expect(await exchange(token)).toMatchObject(SUBJECT_REFUSED);
    expect(await introspect(token)).toMatchObject({ body: { active: true, act: chain } });
  });

  it("for what it can do: no other grant, no other kind of token, no actor, resource or scope", async () => {
    const form = exchangeForm(await tokenFor(await signedIn()));
    const type = "urn:ietf:params:oauth:token-type";
    const send = (more: Record<string, string>) => ask("token", { ...form, ...more }, { as: "orders" });
    expect(await send({ requested_token_type: `${type}:access_token` })).toMatchObject(GRANTED);
    expect((await send({ grant_type: "client_credentials" })).body.error).toBe("unsupported_grant_type");
    const wrong = { subject_token_type: `${type}:jwt`, requested_token_type: `${type}:refresh_token` };
    const more = { actor_token: "x", actor_token_type: "x", resource: "https://x.example", scope: "x" };
    for (const [name, value] of Object.entries({ ...wrong, ...more })) {
      const answer = await send({ [name]: value });
      expect(answer, name).toMatchObject(SUBJECT_REFUSED);
      expect(answer.body.error_description).toContain(name);
    }
    for (const name of Object.keys(form)) {
      const answer = await send({ [name]: "" });
      expect(answer, name).toMatchObject(SUBJECT_REFUSED);
      expect(answer.body.error_description).toContain(name);
    }
  });

  it("when the account can be asked", async () => {
    const token = await tokenFor(await signedIn());
    const { bindings: broken } = brokenAt({ at: "checkSession", when: "before" });
    const answer = await exchange(token, "billing", { bindings: { ...broken, ...OAUTH_SETTINGS } });
    expect(answer).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });
    expect(answer.headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
    expect(answer.text).not.toContain("cut off");
  });
});

describe("with a proof of possession", () => {
  const proven = async (token: unknown, key: Awaited<ReturnType<typeof newProofKey>>, changes = {}) => {
    const proof = await key.proof("POST", "/oauth/token", undefined, changes);
    return { proof, answer: await exchange(token, "billing", { headers: { DPoP: proof } }) };
  };

  it("a bound token is exchanged for one that is bound to the client's key; without one it is not exchanged", async () => {
    const [user, service] = [await newProofKey(), await newProofKey()];
    const token = await tokenFor(await signedIn(), { jkt: user.jkt });
    expect(await exchange(token)).toMatchObject(SUBJECT_REFUSED);
    const { answer } = await proven(token, service);
    expect(answer.body.token_type).toBe("DPoP");
    expect(claimsIn(answer).cnf).toEqual({ jkt: service.jkt });
    expect(answer.headers.get("DPoP-Nonce")).toMatch(/^\S+$/);
  });

  it("an unbound token becomes a bound one", async () => {
    const service = await newProofKey();
    const { answer } = await proven(await tokenFor(await signedIn()), service);
    expect(answer.body.token_type).toBe("DPoP");
    expect(claimsIn(answer).cnf).toEqual({ jkt: service.jkt });
  });

  it("a proof is good for one of a person's sessions, not for each of them", async () => {
    const [service, { person, ...first }] = [await newProofKey(), await signedIn()];
    const { body } = await logIn(person, { bindings });
    const { proof, answer } = await proven(await tokenFor({ person, ...first }), service);
    expect(answer).toMatchObject(GRANTED);
    const other = await tokenFor({ person, sessionId: String(body.session_id) });
    const again = await exchange(other, "billing", { headers: { DPoP: proof } });
    expect(again).toMatchObject({ status: 400, body: { error: "invalid_dpop_proof" } });
  });

  it("each proof is good once, and only with a nonce of ours, for this address", async () => {
    const [service, token] = [await newProofKey(), await tokenFor(await signedIn())];
    const { proof, answer } = await proven(token, service);
    expect(answer).toMatchObject(GRANTED);
    const again = await exchange(token, "billing", { headers: { DPoP: proof } });
    expect(again).toMatchObject({ status: 400, body: { error: "invalid_dpop_proof" } });
    const stale = await proven(token, service, { claims: { nonce: "x" } });
    expect(stale.answer).toMatchObject({ status: 400, body: { error: "use_dpop_nonce" } });
    expect(stale.answer.headers.get("DPoP-Nonce")).toMatch(/^\S+$/);
    const elsewhere = await proven(token, service, { claims: { htu: `${ISSUER}/oauth/revoke` } });
    expect(elsewhere.answer).toMatchObject({ status: 400, body: { error: "invalid_dpop_proof" } });
  });
});

describe("an exchanged token", () => {
  it("opens none of our own routes, and refreshes nothing", async () => {
    const { body } = await exchange(await tokenFor(await signedIn()));
    const person = await newPerson();
    for (const path of ["/auth/me", "/auth/2fa", "/auth/sessions", "/auth/export"]) {
      expect((await call(path, undefined, { bearer: body.access_token, bindings })).body.code).toBe("invalid_token");
    }
    const change = { current_password: person.password, new_password: "quite another passphrase 7" };
    expect((await call("/auth/password/change", change, { bearer: body.access_token })).status).toBe(401);
    expect((await refresh(body.access_token, { bindings })).status).toBe(401);
  });

  it("ends with the session, which the next service can end too", async () => {
    const session = await signedIn();
    const { body } = await exchange(await tokenFor(session));
    expect((await introspect(body.access_token, { as: "billing" })).body.active).toBe(true);
    expect((await revoke(body.access_token, { as: "billing" })).status).toBe(200);
    expect((await introspect(body.access_token, { as: "billing" })).body).toEqual({ active: false });
    expect((await refresh(session.refreshToken, { bindings })).status).toBe(401);
  });
});
