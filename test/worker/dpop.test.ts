import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { AccountStore } from "../../src/account/account-store.ts";
import type { Session } from "../../src/account/sessions.ts";
import {
  accountOf,
  answer,
  call,
  claimsOf,
  type GuardedPerson,
  ISSUER,
  logIn,
  newGuardedPerson,
  newPerson,
  type Person,
} from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { costOf } from "./support/costs.ts";
import { callBound, newProofKey, type ProofKey } from "./support/dpop.ts";

const credentials = ({ email, password }: Person) => ({ email, password });
const WRONG = { status: 400, body: { code: "invalid_dpop_proof" } };

let key: ProofKey;
let other: ProofKey;
let person: Person;
let guarded: GuardedPerson;

beforeAll(async () => {
  [key, other, person, guarded] = await Promise.all([newProofKey(), newProofKey(), newPerson(), newGuardedPerson()]);
});

/** A session without a second factor, bound to the key. */
async function boundSession() {
  const { body } = await callBound(key, "/auth/login", credentials(person));
  expect(body).toMatchObject({ status: "authenticated", token_type: "DPoP" });
  return body as { access_token: string; refresh_token: string; session_id: string };
}

const refresh = (token: string, by: ProofKey = key) => callBound(by, "/auth/refresh", { refresh_token: token });

describe("a sign-in that shows a key", () => {
  it("binds access and refresh tokens to it", async () => {
    const session = await boundSession();
    expect(claimsOf(session.access_token)).toMatchObject({ cnf: { jkt: key.jkt }, aud: ISSUER });
    const next = await refresh(session.refresh_token);
    expect(next).toMatchObject({ status: 200, body: { token_type: "DPoP" } });
    expect(claimsOf(next.body.access_token)).toMatchObject({ cnf: { jkt: key.jkt } });
  });

  it("is told the nonce first, and neither gate, hash nor object has been asked by then", async () => {
    const noNonce = { claims: { nonce: undefined } };
    const { answer: refused, calls } = await costOf((options) =>
      callBound(key, "/auth/login", credentials(person), { ...options, changes: noNonce }),
    );
    expect(refused).toMatchObject({ status: 400, body: { code: "use_dpop_nonce" } });
    expect(calls).toEqual([]);
    const nonce = refused.headers.get("DPoP-Nonce");
    const second = await callBound(key, "/auth/login", credentials(person), { changes: { claims: { nonce } } });
    expect(second.status).toBe(200);
    expect(second.headers.get("DPoP-Nonce")).toBe(nonce);
  });

  it("uses a proof up", async () => {
    const headers = { DPoP: await key.proof("POST", "/auth/login") };
    expect((await call("/auth/login", credentials(person), { headers })).status).toBe(200);
    await evictDurableObject(accountOf(person));
    expect(await call("/auth/login", credentials(person), { headers })).toMatchObject(WRONG);
  });

  it("binds the challenge: nothing but the same key answers it, and no attempt is spent by another", async () => {
    const { body } = await callBound(key, "/auth/login", credentials(guarded));
    const given = { challenge_token: body.challenge_token, method: "totp", code: guarded.code(0) };
    expect(await call("/auth/2fa/verify", given)).toMatchObject(WRONG);
    for (let guess = 0; guess < 6; guess += 1) {
      expect(await callBound(other, "/auth/2fa/verify", given)).toMatchObject(WRONG);
    }
    const opened = await callBound(key, "/auth/2fa/verify", given);
    expect(opened).toMatchObject({ status: 200, body: { token_type: "DPoP" } });
    expect(claimsOf(opened.body.access_token)).toMatchObject({ acr: "aal2", cnf: { jkt: key.jkt } });
  });

  it("cannot be bound halfway", async () => {
    const { body } = await logIn(guarded);
    const given = { challenge_token: body.challenge_token, method: "totp", code: guarded.code(1) };
    expect(await callBound(key, "/auth/2fa/verify", given)).toMatchObject(WRONG);
    const opened = await answer(body.challenge_token, guarded.code(1));
    expect(opened).toMatchObject({ status: 200, body: { token_type: "Bearer" } });
  });

  it("lets a page read its refresh token, from then on", async () => {
    const browser = new Browser();
    const asked = { ...credentials(person), token_delivery: "body" };
    const plain = await call("/auth/login", asked, { browser });
    expect(plain).toMatchObject({ status: 400, body: { errors: [{ path: "token_delivery" }] } });
    const { body, headers } = await callBound(key, "/auth/login", asked, { browser });
    expect(body.refresh_token).toMatch(/^rt_/);
    expect(headers.getSetCookie().join()).not.toContain("__Host-sallyport_rt=rt_");
    const next = await callBound(key, "/auth/refresh", { refresh_token: body.refresh_token }, { browser });
    expect(next.body.refresh_token).toMatch(/^rt_/);
  });

  it("keeps it in a cookie otherwise, which is good with a proof alone and stays where one is missing", async () => {
    const browser = new Browser();
    const { body } = await callBound(key, "/auth/login", credentials(person), { browser });
    expect(body).not.toHaveProperty("refresh_token");
    expect(await call("/auth/refresh", {}, { browser })).toMatchObject(WRONG);
    expect(await callBound(key, "/auth/refresh", {}, { browser })).toMatchObject({ status: 200 });
  });
});

describe("a bound refresh token", () => {
  it("is good with its key alone, and whoever has another one moves nothing", async () => {
    const { refresh_token, session_id } = await boundSession();
    expect(await call("/auth/refresh", { refresh_token })).toMatchObject(WRONG);
    expect(await refresh(refresh_token, other)).toMatchObject(WRONG);
    const { body } = await refresh(refresh_token);
    // Used twice without its key, an old one does not even end the session.
    await refresh(String(body.refresh_token));
    expect(await call("/auth/refresh", { refresh_token })).toMatchObject(WRONG);
    const last = await callBound(key, "/auth/sessions", undefined, { bearer: body.access_token });
    expect(last.text).toContain(session_id);
    expect(await refresh(refresh_token)).toMatchObject({ status: 401, body: { code: "invalid_refresh_token" } });
  });

  it("takes each proof once, across eviction, and costs one row as ever", async () => {
    const { refresh_token } = await boundSession();
    const headers = { DPoP: await key.proof("POST", "/auth/refresh") };
    const {
      answer: first,
      rows,
      calls,
    } = await costOf((options) => call("/auth/refresh", { refresh_token }, { ...options, headers }));
    expect([first.status, rows, calls]).toEqual([200, { objects: 1, d1: 0 }, ["account.refresh"]]);
    await evictDurableObject(accountOf(person));
    const token = first.body.refresh_token;
    expect(await call("/auth/refresh", { refresh_token: token }, { headers })).toMatchObject(WRONG);
    expect(await refresh(String(token))).toMatchObject({ status: 200 });
  });

  it("of an unbound session takes no proof", async () => {
    const { body } = await logIn(person);
    expect(await refresh(String(body.refresh_token))).toMatchObject(WRONG);
    expect(await call("/auth/refresh", { refresh_token: body.refresh_token })).toMatchObject({ status: 200 });
  });
});

describe("a bound access token", () => {
  const REFUSED = (error: string) => ({ status: 401, header: `DPoP error="${error}", algs="ES256"` });
  const told = ({ status, headers }: Awaited<ReturnType<typeof call>>) => ({
    status,
    header: headers.get("WWW-Authenticate"),
  });

  it("opens a route with its proof, once, for one row more", async () => {
    const { access_token: bearer } = await boundSession();
    const headers = { Authorization: `DPoP ${bearer}`, DPoP: await key.proof("GET", "/auth/me", bearer) };
    const {
      answer: first,
      rows,
      sequential,
    } = await costOf((options) => call("/auth/me", undefined, { ...options, headers }));
    expect([first.status, rows, sequential]).toEqual([200, { objects: 1, d1: 0 }, 2]);
    await evictDurableObject(accountOf(person));
    expect(told(await call("/auth/me", undefined, { headers }))).toEqual(REFUSED("invalid_dpop_proof"));
  });

  it("is nobody's bearer token", async () => {
    const { access_token: bearer } = await boundSession();
    const { status, body, headers } = await call("/auth/me", undefined, { bearer });
    expect([status, body.code]).toEqual([401, "invalid_token"]);
    expect(headers.get("WWW-Authenticate")).toBe('Bearer error="invalid_token"');
  });

  it("is not good with another key, another token's proof or none, and says which nonce to use", async () => {
    const { access_token: bearer } = await boundSession();
    const { access_token: another } = await boundSession();
    const get = (headers: Record<string, string>) => call("/auth/me", undefined, { headers });
    const Authorization = `DPoP ${bearer}`;
    expect(told(await get({ Authorization }))).toEqual(REFUSED("invalid_dpop_proof"));
    const wrong = [
      await other.proof("GET", "/auth/me", bearer),
      await key.proof("GET", "/auth/me", another),
      await key.proof("GET", "/auth/me"),
      await key.proof("POST", "/auth/me", bearer),
      await key.proof("GET", "/auth/sessions", bearer),
    ];
    for (const DPoP of wrong) expect(told(await get({ Authorization, DPoP }))).toEqual(REFUSED("invalid_dpop_proof"));
    const noNonce = await key.proof("GET", "/auth/me", bearer, { claims: { nonce: undefined } });
    const asked = await get({ Authorization, DPoP: noNonce });
    expect(told(asked)).toEqual(REFUSED("use_dpop_nonce"));
    expect(asked.headers.get("DPoP-Nonce")).toBeTruthy();
  });

  it("does not make an unbound one good under its scheme", async () => {
    const { body } = await logIn(person);
    const answered = await callBound(key, "/auth/me", undefined, { bearer: body.access_token });
    expect(told(answered)).toEqual(REFUSED("invalid_token"));
  });

  it("ends its session with a proof alone", async () => {
    const { access_token: bearer } = await boundSession();
    expect((await call("/auth/logout", {}, { bearer })).status).toBe(204);
    expect((await call("/auth/logout", {}, { headers: { Authorization: `DPoP ${bearer}` } })).status).toBe(204);
    expect((await callBound(key, "/auth/me", undefined, { bearer })).status).toBe(200);
    expect((await callBound(key, "/auth/logout", {}, { bearer })).status).toBe(204);
    expect((await callBound(key, "/auth/me", undefined, { bearer })).status).toBe(401);
  });

  it("steps up to another one of the same key", async () => {
    const { access_token: bearer } = await boundSession();
    const { body } = await callBound(key, "/auth/step-up", { password: person.password }, { bearer });
    expect(body.token_type).toBe("DPoP");
    expect(claimsOf(body.access_token)).toMatchObject({ cnf: { jkt: key.jkt } });
  });
});

describe("a proof", () => {
  it("of a key with two sessions is good once in both together", async () => {
    const [first, second] = [await boundSession(), await boundSession()];
    const headers = { DPoP: await key.proof("POST", "/auth/refresh") };
    expect(await call("/auth/refresh", { refresh_token: first.refresh_token }, { headers })).toMatchObject({
      status: 200,
    });
    expect(await call("/auth/refresh", { refresh_token: second.refresh_token }, { headers })).toMatchObject(WRONG);
  });

  it("is used up by a refresh that is refused", async () => {
    const bindings = { ...env, AUDIENCES: '[{"name":"vault","min_acr":"aal2"}]' };
    const { refresh_token } = await boundSession();
    const headers = { DPoP: await key.proof("POST", "/auth/refresh") };
    const asked = await call("/auth/refresh", { refresh_token, audience: "vault" }, { headers, bindings });
    expect(asked).toMatchObject({ status: 401, body: { code: "insufficient_user_authentication" } });
    expect(await call("/auth/refresh", { refresh_token }, { headers })).toMatchObject(WRONG);
    expect(await refresh(refresh_token)).toMatchObject({ status: 200 });
  });

  it("too many of a key within two minutes is 429, for that key", async () => {
    const { access_token: bearer, session_id } = await boundSession();
    await runInDurableObject(accountOf(person), (_, state) => {
      const store = new AccountStore(state.storage.sql);
      const session = store.session(session_id) as Session;
      const expiresAt = Date.now() + 60_000;
      const spentProofs = Array.from({ length: 256 }, (_, index) => ({ id: `p${index}`, jkt: key.jkt, expiresAt }));
      store.saveSession({ ...session, spentProofs });
    });
    const { status, body, headers } = await callBound(key, "/auth/me", undefined, { bearer });
    expect([status, body.code]).toEqual([429, "too_many_attempts"]);
    expect(headers.get("Retry-After")).toBe("30");
    expect(headers.get("WWW-Authenticate")).toBeNull();
  });
});
