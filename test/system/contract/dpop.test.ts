import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  distinguishable,
  expectProblem,
  issuer,
  type Json,
  logIn,
  newPerson,
  ordinaryLines,
  type Person,
  sendRaw,
  sessionsOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import { bareProof, logInBound, nonce, nonceIn, proofFor, thumbprintOf } from "../../support/dpop-client.ts";
import type { ProofChange } from "../../support/dpop-proofs.ts";
import { type Es256Key, newEs256Key, signedJws } from "../../support/es256-jws.ts";
import { atOnce } from "../../support/passkey-client.ts";
import { verified } from "../../support/published.ts";

const LOGIN = { method: "POST", path: "/auth/login" };
let person: Person;
let key: Es256Key;
beforeAll(async () => {
  [person, key] = await Promise.all([verifiedPerson(), newEs256Key()]);
});

async function expectBound(answer: Answer, to: Es256Key): Promise<void> {
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body.token_type).toBe("DPoP");
  const { payload } = await verified(text(answer, "access_token"));
  expect(payload.cnf).toEqual({ jkt: await thumbprintOf(to) });
}

describe("a sign-in with a proof", () => {
  it("asks for a nonce first, and then gives tokens of the key", async () => {
    const first = await logInBound(key, person, {}, { dpop: await bareProof(key, LOGIN) });
    expectProblem(first, 400, "use_dpop_nonce");
    const answer = await logInBound(key, person, {}, { change: { claims: { nonce: nonceIn(first) } } });
    await expectBound(answer, key);
    expect(text(answer, "refresh_token")).toMatch(/^rt_/);
    const next = nonceIn(answer);
    await expectBound(await logInBound(key, person, {}, { change: { claims: { nonce: next } } }), key);
    // A nonce is not used up: it is good for five minutes.
    await expectBound(await logInBound(key, person, {}, { change: { claims: { nonce: nonceIn(first) } } }), key);
    expect(Object.keys(decodeJwt(text(answer, "access_token"))).filter((claim) => claim === "cnf")).toEqual(["cnf"]);
  });

  it("takes no nonce that it has not given", async () => {
    const good = await nonce();
    const last = good.at(-1) === "A" ? "B" : "A";
    for (const made of ["", "nonce", good.slice(0, -1) + last, `${good}A`, good.slice(1), 1, null, [good], true]) {
      const answer = await logInBound(key, person, {}, { change: { claims: { nonce: made } } });
      expect({ made, status: answer.status }).toEqual({ made, status: 400 });
      expectProblem(
        answer,
        400,
        typeof made === "string" ? "use_dpop_nonce" : ["use_dpop_nonce", "invalid_dpop_proof"],
      );
      expect(nonceIn(answer)).not.toBe(made);
    }
    await expectBound(await logInBound(key, person), key);
  });

  it("tells nothing about an account to whoever has not its password", async () => {
    const visible = (answer: Answer) => {
      const headers = new Headers(answer.headers);
      headers.delete("dpop-nonce");
      return distinguishable({ ...answer, headers });
    };
    const stranger = newPerson();
    const spent = await proofFor(key, LOGIN);
    await expectBound(await logInBound(key, person, {}, { dpop: spent }), key);
    const wrong = { ...person, password: stranger.password };
    const unknown = await logInBound(key, stranger);
    expectProblem(unknown, 401, "sign_in_failed");
    const answers = [
      await logInBound(key, wrong),
      await logInBound(key, wrong, {}, { dpop: spent }),
      await logInBound(key, stranger, {}, { dpop: spent }),
    ];
    for (const answer of answers) expect(visible(answer)).toEqual(visible(unknown));
    expectProblem(await logInBound(key, person, {}, { dpop: spent }), 400, "invalid_dpop_proof");
  });

  it("without one gives bearer tokens, and no nonce", async () => {
    const answer = await logIn(person);
    expect(answer.body.token_type).toBe("Bearer");
    expect(decodeJwt(text(answer, "access_token"))).not.toHaveProperty("cnf");
    expect(answer.headers.get("dpop-nonce")).toBeNull();
  });

  it("takes its proof once, however many come at once", async () => {
    const dpop = await proofFor(key, LOGIN);
    const before = (await sessionsOf((await signedIn(person)).access)).length;
    const answers = await atOnce(10, () => logInBound(key, person, {}, { dpop }));
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    for (const answer of answers) if (answer.status !== 200) expectProblem(answer, 400, "invalid_dpop_proof");
    const after = await sessionsOf((await signedIn(person)).access);
    expect(after.length).toBe(before + 2);
    const { jti } = decodeJwt(dpop);
    const again = await logInBound(key, person, {}, { change: { claims: { jti } } });
    expectProblem(again, 400, "invalid_dpop_proof");
  });
});

/** Proofs that are none, each for one reason alone; `nonce` is right. */
async function wrongProofs(): Promise<Record<string, string>> {
  const good = { jti: "a jti", htm: "POST", htu: `${issuer}/auth/login`, iat: Math.floor(Date.now() / 1000) };
  const claims: Json = { ...good, nonce: await nonce() };
  const header: Json = { typ: "dpop+jwt", alg: "ES256", jwk: key.jwk };
  const other = await newEs256Key();
  const change = (more: ProofChange) => proofFor(key, LOGIN, more);
  const seconds = (more: number) => Number(good.iat) + more;
  const d = Buffer.alloc(32, 7).toString("base64url");
  const headers: Record<string, Json> = {
    "typ jwt": { typ: "JWT" },
    "typ at+jwt": { typ: "at+jwt" },
    "no typ": { typ: undefined },
    "alg none": { alg: "none" },
    "alg HS256": { alg: "HS256" },
    "alg RS256": { alg: "RS256" },
    "alg ES384": { alg: "ES384" },
    "no alg": { alg: undefined },
    "no jwk": { jwk: undefined },
    "jwk with d": { jwk: { ...key.jwk, d } },
    "jwk of another curve": { jwk: { ...key.jwk, crv: "P-384" } },
    "jwk of another kind": { jwk: { kty: "oct", k: d } },
    "jwk off the curve": { jwk: { ...key.jwk, y: key.jwk.x } },
    "jwk without y": { jwk: { ...key.jwk, y: undefined } },
    "jwk as text": { jwk: JSON.stringify(key.jwk) },
    "jwk of another key": { jwk: other.jwk },
    crit: { crit: ["exp"] },
    "b64 false": { b64: false, crit: ["b64"] },
  };
  const bodies: Record<string, Json> = {
    "htm GET": { htm: "GET" },
    "htm post": { htm: "post" },
    "no htm": { htm: undefined },
    "htu of another route": { htu: `${issuer}/auth/refresh` },
    "htu of another host": { htu: "https://evil.example/auth/login" },
    "htu of another scheme": { htu: `${issuer.replace("http:", "https:")}/auth/login` },
    "htu with a slash": { htu: `${issuer}/auth/login/` },
    "htu as a path": { htu: "/auth/login" },
    "htu as a list": { htu: [`${issuer}/auth/login`] },
    "no htu": { htu: undefined },
    "two minutes old": { iat: seconds(-120) },
    "ten minutes old": { iat: seconds(-600) },
    "two minutes ahead": { iat: seconds(120) },
    "ten minutes ahead": { iat: seconds(600) },
    "iat in milliseconds": { iat: Date.now() },
    "iat as text": { iat: String(good.iat) },
    "iat with a fraction": { iat: Number(good.iat) + 0.5 },
    "no iat": { iat: undefined },
    "no jti": { jti: undefined },
    "empty jti": { jti: "" },
    "jti too long": { jti: "j".repeat(129) },
    "jti as number": { jti: 1 },
  };
  const forms: Record<string, string> = {
    "two names": await signedJws(key, header, `${JSON.stringify(claims).slice(0, -1)},"htm":"POST"}`),
    "two algs": await signedJws(key, `${JSON.stringify(header).slice(0, -1)},"alg":"ES256"}`, claims),
    "no object": await signedJws(key, header, JSON.stringify([claims])),
    "no JSON": await signedJws(key, header, "claims"),
    "two in one header": `${await change({})}, ${await change({})}`,
    "two parts": (await change({})).replace(/\.[^.]*$/, ""),
    "another spelling": `${await change({})}=`,
    "another signer": await signedJws(other, header, claims),
    "too long": await change({ claims: { more: "m".repeat(4_096) } }),
    "an access token": (await signedIn(person)).access,
    "a word": "proof",
  };
  const made = async (kind: keyof ProofChange, changes: Record<string, Json>) =>
    Promise.all(Object.entries(changes).map(async ([name, one]) => [name, await change({ [kind]: one })] as const));
  return { ...Object.fromEntries([...(await made("header", headers)), ...(await made("claims", bodies))]), ...forms };
}

describe("a wrong proof", () => {
  it("is refused at sign-in, whatever is wrong with it", async () => {
    const before = (await sessionsOf((await signedIn(person)).access)).length;
    for (const [name, dpop] of Object.entries(await wrongProofs())) {
      const answer = await logInBound(key, person, {}, { dpop });
      expect({ name, status: answer.status, code: answer.body.code }).toEqual({
        name,
        status: 400,
        code: "invalid_dpop_proof",
      });
      expect(answer.text).not.toContain("rt_");
    }
    expect((await sessionsOf((await signedIn(person)).access)).length).toBe(before + 2);
    await expectBound(await logInBound(key, person), key);
  });

  it("is refused when two headers come, each of them right", async () => {
    const body = JSON.stringify({ email: person.email, password: person.password });
    const lines = async (count: number): Promise<[string, string][]> => [
      ...ordinaryLines(person.source),
      ["Content-Type", "application/json"],
      ["Content-Length", String(Buffer.byteLength(body))],
      ...(await Promise.all(
        Array.from({ length: count }, async (): Promise<[string, string]> => ["DPoP", await proofFor(key, LOGIN)]),
      )),
    ];
    expectProblem(await sendRaw("POST", "/auth/login", await lines(2), [body]), 400, "invalid_dpop_proof");
    await expectBound(await sendRaw("POST", "/auth/login", await lines(1), [body]), key);
  });

  it("is taken with what makes no difference", async () => {
    const iat = Math.floor(Date.now() / 1000);
    const changes: ProofChange[] = [
      { claims: { iat: iat - 30 } },
      { claims: { iat: iat + 30 } },
      { claims: { jti: "j".repeat(128) } },
      { claims: { jti: "é" } },
      { claims: { htu: `${issuer}/auth/login?x=1` } },
      { claims: { htu: `${issuer}/auth/login#x` } },
      { claims: { more: { than: "asked for" } } },
    ];
    for (const change of changes) await expectBound(await logInBound(key, person, {}, { change }), key);
  });

  it("costs nothing: no failure is counted for a source or an address", async () => {
    const wrong = { ...person, password: "not the password" };
    for (let times = 0; times < 25; times++) {
      const answer = await logInBound(key, wrong, {}, { dpop: "proof" });
      expectProblem(answer, 400, "invalid_dpop_proof");
    }
    await expectBound(await logInBound(key, person), key);
  });
});
