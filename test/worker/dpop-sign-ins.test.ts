import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { call, codeOf, newGuardedPerson, newPerson, type Person } from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { callBound, newProofKey, type ProofKey } from "./support/dpop.ts";
import { newPasskeyPerson, signInOptions } from "./support/passkeys.ts";

const credentials = ({ email, password }: Person) => ({ email, password });
const WRONG = { status: 400, body: { code: "invalid_dpop_proof" } };

let key: ProofKey;
let other: ProofKey;
let person: Person;

beforeAll(async () => {
  [key, other, person] = await Promise.all([newProofKey(), newProofKey(), newPerson()]);
});

const refresh = (token: string) => callBound(key, "/auth/refresh", { refresh_token: token });

it("a proof is used up by a refresh that asks for the factor again", async () => {
  const bindings = { ...env, FACTOR_MAX_AGE: "60" };
  const somebody = await newGuardedPerson();
  const { body } = await callBound(key, "/auth/login", credentials(somebody));
  const given = { challenge_token: body.challenge_token, method: "totp", code: somebody.code(0) };
  const { body: opened } = await callBound(key, "/auth/2fa/verify", given);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 62_000 });
  const headers = { DPoP: await key.proof("POST", "/auth/refresh") };
  const asked = { refresh_token: opened.refresh_token };
  const again = await call("/auth/refresh", asked, { headers, bindings });
  expect(again.body.status).toBe("challenge");
  expect(await call("/auth/refresh", asked, { headers, bindings })).toMatchObject(WRONG);
  vi.useRealTimers();
});

describe("an enrolment that a key has begun", () => {
  const bindings = { ...env, SECOND_FACTOR: "required" };

  it("goes on with that key alone, each proof once, and ends in bound tokens", async () => {
    const { body } = await callBound(key, "/auth/login", credentials(await newPerson()), { bindings });
    const headers = { Authorization: `Bearer ${body.enrolment_token}` };
    const path = "/auth/2fa/totp/enroll";
    const refused = await call(path, {}, { headers, bindings });
    expect(refused).toMatchObject({ status: 401, body: { code: "invalid_dpop_proof" } });
    expect(refused.headers.get("WWW-Authenticate")).toBe('DPoP error="invalid_dpop_proof", algs="ES256"');
    expect((await callBound(other, path, {}, { headers, bindings })).status).toBe(401);
    const proven = { ...headers, DPoP: await key.proof("POST", path) };
    const { body: shown } = await call(path, {}, { headers: proven, bindings });
    expect((await call(path, {}, { headers: proven, bindings })).status).toBe(401);
    const code = codeOf(shown.secret, Date.now());
    const given = { factor_id: shown.factor_id, code };
    expect((await call("/auth/2fa/totp/confirm", given, { headers, bindings })).status).toBe(401);
    const confirmed = await callBound(key, "/auth/2fa/totp/confirm", given, { headers, bindings });
    expect(confirmed).toMatchObject({ status: 200, body: { status: "active", token_type: "DPoP" } });
  });

  it("cannot be taken over by a key where none began it", async () => {
    const { body } = await call("/auth/login", credentials(await newPerson()), { bindings });
    const headers = { Authorization: `Bearer ${body.enrolment_token}` };
    expect((await callBound(key, "/auth/2fa/totp/enroll", {}, { headers, bindings })).status).toBe(401);
    expect((await call("/auth/2fa/totp/enroll", {}, { headers, bindings })).status).toBe(201);
  });
});

it("a page that reads its refresh token is rid of the cookie of an earlier sign-in", async () => {
  const browser = new Browser();
  await call("/auth/login", credentials(person), { browser });
  const asked = { ...credentials(person), token_delivery: "body" };
  const { body } = await callBound(key, "/auth/login", asked, { browser });
  const next = await callBound(key, "/auth/refresh", { refresh_token: body.refresh_token }, { browser });
  expect(next.status).toBe(200);
});

it("a program that asks for its refresh token in the body, without a key, gives no page the right to read one", async () => {
  const { body } = await call("/auth/login", { ...credentials(person), token_delivery: "body" });
  const browser = new Browser();
  const next = await call("/auth/refresh", { refresh_token: body.refresh_token }, { browser });
  expect(next.status).toBe(200);
  expect(next.body).not.toHaveProperty("refresh_token");
});

it("a password that is changed leaves the session bound", async () => {
  const somebody = await newPerson();
  const { body } = await callBound(key, "/auth/login", credentials(somebody));
  const change = { current_password: somebody.password, new_password: "another ordinary long one" };
  const changed = await callBound(key, "/auth/password/change", change, { bearer: body.access_token });
  expect(changed).toMatchObject({ status: 200, body: { token_type: "DPoP" } });
  expect(await call("/auth/refresh", { refresh_token: changed.body.refresh_token })).toMatchObject(WRONG);
  expect(await refresh(String(changed.body.refresh_token))).toMatchObject({ status: 200 });
});

describe("a passkey alone", () => {
  it("opens a bound session with a proof, and none of it without", async () => {
    const { key: passkey } = await newPasskeyPerson();
    const response = await passkey.assert(await signInOptions());
    const { body } = await callBound(key, "/auth/passkey/verify", { response });
    expect(body).toMatchObject({ status: "authenticated", token_type: "DPoP" });
    expect(await call("/auth/refresh", { refresh_token: body.refresh_token })).toMatchObject(WRONG);
    expect(await refresh(String(body.refresh_token))).toMatchObject({ status: 200 });
  });

  it("takes each proof once, with whatever assertion", async () => {
    const { key: passkey } = await newPasskeyPerson();
    const headers = { DPoP: await key.proof("POST", "/auth/passkey/verify") };
    const verify = async () =>
      call("/auth/passkey/verify", { response: await passkey.assert(await signInOptions()) }, { headers });
    expect((await verify()).status).toBe(200);
    expect(await verify()).toMatchObject(WRONG);
  });

  it("that is asked for more than it proves is used up, and nobody has failed", async () => {
    const bindings = { ...env, AUDIENCES: '[{"name":"vault","require_amr":["otp"]}]' };
    const { key: passkey } = await newPasskeyPerson();
    const source = "203.0.113.77";
    for (let tries = 0; tries < 21; tries += 1) {
      const asked = { response: await passkey.assert(await signInOptions()), audience: "vault" };
      const refused = await call("/auth/passkey/verify", asked, { bindings, source });
      expect([refused.status, refused.body.code]).toEqual([401, "insufficient_user_authentication"]);
      const again = await call("/auth/passkey/verify", { response: asked.response }, { bindings });
      expect(again.body.code).toBe("invalid_code");
    }
    const response = await passkey.assert(await signInOptions());
    expect((await call("/auth/passkey/verify", { response }, { source })).status).toBe(200);
  });
});
