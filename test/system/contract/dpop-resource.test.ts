import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  expectProblem,
  get,
  issuer,
  type Json,
  me,
  ordinaryLines,
  type Person,
  post,
  type Session,
  send,
  sendRaw,
  sessionsOf,
  signedIn,
  verifiedPerson,
} from "../../support/client.ts";
import {
  bareProof,
  boundSession,
  meBound,
  nonce,
  nonceIn,
  proofFor,
  refreshedBound,
  sendProven,
  thumbprintOf,
} from "../../support/dpop-client.ts";
import type { ProofChange } from "../../support/dpop-proofs.ts";
import { accessTokenHash } from "../../support/dpop-proofs.ts";
import { type Es256Key, newEs256Key } from "../../support/es256-jws.ts";
import { atOnce } from "../../support/passkey-client.ts";

let person: Person;
let key: Es256Key;
let foreign: Es256Key;
let session: Session;
let plain: Session;
beforeAll(async () => {
  [person, key, foreign] = await Promise.all([verifiedPerson(), newEs256Key(), newEs256Key()]);
  [session, plain] = [await boundSession(key, person), await signedIn(person)];
});

/** Asserts RFC 9449 §7.1's refusal of a proof. */
function expectProofRefused(answer: Answer, code = "invalid_dpop_proof"): void {
  expectProblem(answer, 401, code);
  const challenge = answer.headers.get("www-authenticate") ?? "";
  expect(challenge).toMatch(/^DPoP /);
  expect(challenge).toContain(`error="${code}"`);
  expect(challenge).toContain('algs="ES256"');
}
const meWith = (headers: Record<string, string>) => get("/auth/me", { headers });

describe("a bound access token", () => {
  it("names its key and opens the routes with a proof, whatever the case of the scheme", async () => {
    expect(decodeJwt(session.access).cnf).toEqual({ jkt: await thumbprintOf(key) });
    for (const scheme of ["DPoP", "dpop", "DPOP"]) {
      const answer = await meBound(key, session.access, { headers: { authorization: `${scheme} ${session.access}` } });
      expect(answer.status, answer.text).toBe(200);
      expect(answer.body.email).toBe(person.email);
    }
  });

  it("asks for a nonce first, and gives one with every answer", async () => {
    const first = await meBound(key, session.access, {
      dpop: await bareProof(key, { method: "GET", path: "/auth/me", access: session.access }),
    });
    expectProofRefused(first, "use_dpop_nonce");
    const claims = { nonce: nonceIn(first) };
    const answer = await meBound(key, session.access, { change: { claims } });
    expect(answer.status, answer.text).toBe(200);
    const again = await meBound(key, session.access, { change: { claims: { nonce: nonceIn(answer) } } });
    expect(again.status, again.text).toBe(200);
    const last = claims.nonce.at(-1) === "A" ? "B" : "A";
    for (const made of ["", "nonce", claims.nonce.slice(0, -1) + last])
      expectProofRefused(await meBound(key, session.access, { change: { claims: { nonce: made } } }), "use_dpop_nonce");
  });

  it("is nothing as a bearer token, with a proof and without", async () => {
    const dpop = await proofFor(key, { method: "GET", path: "/auth/me", access: session.access });
    const authorization = `Bearer ${session.access}`;
    for (const headers of [{ authorization }, { authorization, dpop }] as Record<string, string>[]) {
      const answer = await meWith(headers);
      expectProblem(answer, 401, "invalid_token");
      expect(answer.headers.get("www-authenticate")).toMatch(/error="invalid_token"/);
    }
    for (const scheme of ["Basic", "Token", "DPoPX", "D"])
      expectProblem(await meWith({ authorization: `${scheme} ${session.access}`, dpop }), 401, "invalid_token");
    for (const [method, path] of [
      ["GET", "/auth/sessions"],
      ["GET", "/auth/2fa"],
      ["DELETE", "/auth/sessions"],
      ["DELETE", "/auth/me"],
    ] as const)
      expectProblem(await send(method, path, undefined, { bearer: session.access }), 401, "invalid_token");
    expectProblem(await post("/auth/step-up", {}, { bearer: session.access }), 401, "invalid_token");
    expect((await meBound(key, session.access)).status).toBe(200);
    expect((await me(plain.access)).status).toBe(200);
  });

  it("is nothing without a proof, or with a wrong one", async () => {
    const authorization = `DPoP ${session.access}`;
    expectProofRefused(await meWith({ authorization }));
    const iat = Math.floor(Date.now() / 1000);
    const d = Buffer.alloc(32, 7).toString("base64url");
    const changes: Record<string, ProofChange> = {
      "typ at+jwt": { header: { typ: "at+jwt" } },
      "no typ": { header: { typ: undefined } },
      "alg none": { header: { alg: "none" } },
      HS256: { header: { alg: "HS256" } },
      "jwk with d": { header: { jwk: { ...key.jwk, d } } },
      "no jwk": { header: { jwk: undefined } },
      "another key's jwk": { header: { jwk: foreign.jwk } },
      "htm POST": { claims: { htm: "POST" } },
      "htu of another route": { claims: { htu: `${issuer}/auth/sessions` } },
      "htu of another host": { claims: { htu: "https://evil.example/auth/me" } },
      "two minutes old": { claims: { iat: iat - 120 } },
      "ten minutes old": { claims: { iat: iat - 600 } },
      "ten minutes ahead": { claims: { iat: iat + 600 } },
      "no iat": { claims: { iat: undefined } },
      "no jti": { claims: { jti: undefined } },
      "no ath": { claims: { ath: undefined } },
      "ath of another token": { claims: { ath: await accessTokenHash(plain.access) } },
      "ath in hex": {
        claims: { ath: Buffer.from(await accessTokenHash(session.access), "base64url").toString("hex") },
      },
      "ath with padding": { claims: { ath: `${await accessTokenHash(session.access)}=` } },
      "the token as ath": { claims: { ath: session.access } },
    };
    for (const [name, change] of Object.entries(changes)) {
      const answer = await meBound(key, session.access, { change });
      expect({ name, code: answer.body.code }).toEqual({ name, code: "invalid_dpop_proof" });
      expectProofRefused(answer);
      expect(answer.text).not.toContain(person.email);
    }
    expect((await meBound(key, session.access)).status).toBe(200);
  });

  it("is nothing with a proof of another key, however good that is", async () => {
    const theirs = await boundSession(foreign, person);
    expect((await meBound(foreign, theirs.access)).status).toBe(200);
    for (const [proven, access] of [
      [foreign, session.access],
      [key, theirs.access],
    ] as const) {
      const answer = await meBound(proven, access);
      expect(["invalid_dpop_proof", "invalid_token"]).toContain(answer.body.code);
      expectProblem(answer, 401, String(answer.body.code));
      expect(answer.headers.get("www-authenticate")).toMatch(/^DPoP /);
    }
  });

  it("takes each proof once, however many come at once, and whatever its answer was", async () => {
    const dpop = await proofFor(key, { method: "GET", path: "/auth/me", access: session.access });
    const answers = await atOnce(20, () => meBound(key, session.access, { dpop }));
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    for (const answer of answers) if (answer.status !== 200) expectProofRefused(answer);
    const claims: Json = { jti: crypto.randomUUID() };
    expect((await meBound(key, session.access, { change: { claims } })).status).toBe(200);
    expectProofRefused(await meBound(key, session.access, { change: { claims } }));
    // A proof that was used while signing in is not one for a route, and the other way round.
    const path = "/auth/sessions/00000000-0000-4000-8000-000000000000";
    const used = await proofFor(key, { method: "DELETE", path, access: session.access });
    const missing = await sendProven(key, "DELETE", path, undefined, { access: session.access, dpop: used });
    expectProblem(missing, 404, "not_found");
    expectProofRefused(await sendProven(key, "DELETE", path, undefined, { access: session.access, dpop: used }));
  });

  it("is never called bad only because it comes often", async () => {
    const busy = await boundSession(key, person);
    const answers: Answer[] = [];
    for (let round = 0; round < 15; round++) answers.push(...(await atOnce(20, () => meBound(key, busy.access))));
    const refused = answers.filter(({ status }) => status !== 200);
    for (const answer of refused) {
      expectProblem(answer, 429, "too_many_attempts");
      expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    }
    expect(answers.length - refused.length).toBeGreaterThan(100);
    // Nobody else pays for it.
    expect((await meBound(key, session.access)).status).toBe(200);
    expect((await me(plain.access)).status).toBe(200);
  });

  it("is refused when two proofs come, or two credentials", async () => {
    const proof = () => proofFor(key, { method: "GET", path: "/auth/me", access: session.access });
    const lines = (more: [string, string][]) => [...ordinaryLines(), ...more];
    const authorization: [string, string] = ["Authorization", `DPoP ${session.access}`];
    const ask = (more: [string, string][]) => sendRaw("GET", "/auth/me", lines(more));
    const twice: [string, string][] = [authorization, ["DPoP", await proof()], ["DPoP", await proof()]];
    expectProofRefused(await ask(twice));
    const both: [string, string][] = [
      authorization,
      ["Authorization", `Bearer ${plain.access}`],
      ["DPoP", await proof()],
    ];
    expectProblem(await ask(both), 401, "invalid_token");
    expect((await ask([authorization, ["DPoP", await proof()]])).status).toBe(200);
  });

  it("is for the path, whatever the query of the request or of the proof", async () => {
    const at = (path: string, change: ProofChange = {}) =>
      sendProven(key, "GET", path, undefined, { access: session.access, change });
    expect((await at("/auth/sessions")).status).toBe(200);
    expect((await at("/auth/sessions", { claims: { htu: `${issuer}/auth/sessions?x=1#y` } })).status).toBe(200);
    expect((await at("/auth/sessions?x=1")).status).toBe(200);
    expectProofRefused(await at("/auth/sessions?x=1", { claims: { htu: `${issuer}/auth/2fa?x=1` } }));
  });

  it("opens nothing when its session has ended, with the best of proofs", async () => {
    const gone = await boundSession(key, person);
    const end = `/auth/sessions/${gone.id}`;
    const ended = await sendProven(key, "DELETE", end, undefined, { access: session.access });
    expect(ended.status, ended.text).toBe(204);
    const answer = await meBound(key, gone.access);
    expectProblem(answer, 401, "invalid_token");
    expect(answer.headers.get("www-authenticate")).toMatch(/^DPoP\b.*error="invalid_token"/);
    expectProblem(await refreshedBound(key, gone.refresh), 401, "invalid_refresh_token");
    expect((await sessionsOf(plain.access)).map(({ id }) => id)).not.toContain(gone.id);
  });
});

describe("every answer to a request with a proof", () => {
  it("brings a nonce, whatever else it says", async () => {
    const { email } = person;
    const evil = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    const requests: [number, string, string, unknown?, Record<string, string>?][] = [
      [404, "GET", "/auth/nothing"],
      [405, "GET", "/auth/login"],
      [400, "POST", "/auth/login", "{"],
      [400, "POST", "/auth/login", { email, password: 1 }],
      [401, "POST", "/auth/login", { email, password: "not the password" }],
      [403, "POST", "/auth/login", { email, password: "not the password" }, evil],
      [413, "POST", "/auth/login", { email, password: "p".repeat(20_000) }],
      [415, "POST", "/auth/login", "{}", { "content-type": "text/plain" }],
      [401, "POST", "/auth/refresh", { refresh_token: `rt_${"A".repeat(120)}` }],
      [401, "POST", "/auth/2fa/verify", { challenge_token: "a.b.c", method: "totp", code: "123456" }],
      [401, "GET", "/auth/me"],
      [204, "POST", "/auth/logout", { refresh_token: `rt_${"A".repeat(120)}` }],
    ];
    const seen: unknown[] = [];
    for (const [, method, path, body, headers] of requests) {
      const dpop = await proofFor(key, { method, path });
      const answer = await send(method, path, body, { headers: { ...headers, dpop } });
      seen.push([answer.status, method, path, answer.headers.has("dpop-nonce")]);
    }
    expect(seen).toEqual(requests.map(([status, method, path]) => [status, method, path, true]));
  });
});

describe("an unbound access token", () => {
  it("is nothing under the scheme DPoP, even with a proof", async () => {
    expectProblem(await meBound(key, plain.access), 401, "invalid_token");
    const answer = await meWith({ authorization: `DPoP ${plain.access}` });
    expect(answer.status).toBe(401);
    expect(["invalid_token", "invalid_dpop_proof"]).toContain(answer.body.code);
    expect((await me(plain.access)).status).toBe(200);
  });

  it("is answered without a nonce", async () => {
    expect((await me(plain.access)).headers.get("dpop-nonce")).toBeNull();
    expect(await nonce()).toMatch(/^\S+$/);
  });
});
