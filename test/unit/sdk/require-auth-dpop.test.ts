import { calculateJwkThumbprint } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { proofMemory } from "../../../src/sdk/proof-memory.ts";
import type { RequireAuthOptions } from "../../../src/sdk/require-auth.ts";
import { dpopProof, type ProofChange } from "../../support/dpop-proofs.ts";
import { type Es256Key, newEs256Key } from "../../support/es256-jws.ts";
import { type Json, NOW, SECONDS, signed } from "../support/forged-tokens.ts";
import { ask, guarded, HERE, seen } from "../support/guarded-app.ts";

const URL_ASKED = `${HERE}/orders/mine`;
const GOOD = { status: 200, challenge: null };
const NO_PROOF = { status: 401, challenge: 'DPoP error="invalid_dpop_proof", algs="ES256"' };
const INVALID = { status: 401, challenge: 'DPoP error="invalid_token", algs="ES256"' };

let key: Es256Key;
let token: string;

beforeAll(async () => {
  key = await newEs256Key();
  token = await boundToken();
});

const boundToken = async (claims: Json = {}) =>
  signed({ cnf: { jkt: await calculateJwkThumbprint(key.jwk) }, ...claims });
const proofFor = (accessToken: string, change: ProofChange = {}, url = URL_ASKED) =>
  dpopProof(key, { method: "GET", url, now: NOW, accessToken }, change);
const under = (accessToken: string, proof?: string) => ({
  Authorization: `DPoP ${accessToken}`,
  ...(proof === undefined ? {} : { DPoP: proof }),
});
const askProven = async (change: ProofChange = {}, options: Partial<RequireAuthOptions> = {}) =>
  seen(await ask(guarded(options), under(token, await proofFor(token, change))));

describe("a token that is bound to a key", () => {
  it("is good with a proof of the key, made for this request", async () => {
    expect(await askProven()).toEqual(GOOD);
    const app = guarded();
    const lower = { Authorization: `dpop ${token}`, DPoP: await proofFor(token) };
    expect(await seen(await ask(app, lower, "/orders/mine?page=2"))).toEqual(GOOD);
  });

  it("is counted once where two middlewares of one application share a memory, and in the next request refused", async () => {
    const app = guarded({ seenProof: proofMemory(() => NOW) }, 2);
    const headers = under(token, await proofFor(token));
    expect(await seen(await ask(app, headers))).toEqual(GOOD);
    expect(await seen(await ask(app, headers))).toEqual(NO_PROOF);
  });

  it("is no good without one", async () => {
    expect(await seen(await ask(guarded(), under(token)))).toEqual(NO_PROOF);
    expect(await seen(await ask(guarded(), under(token, "")))).toEqual(NO_PROOF);
  });

  it("is no bearer token, not even with a proof", async () => {
    const answer = { status: 401, challenge: 'Bearer error="invalid_token"' };
    const headers = { Authorization: `Bearer ${token}` };
    expect(await seen(await ask(guarded(), headers))).toEqual(answer);
    expect(await seen(await ask(guarded(), { ...headers, DPoP: await proofFor(token) }))).toEqual(answer);
  });

  it("is no good with a proof of another key", async () => {
    const other = await newEs256Key();
    const proof = await dpopProof(other, { method: "GET", url: URL_ASKED, now: NOW, accessToken: token });
    expect(await seen(await ask(guarded(), under(token, proof)))).toEqual(NO_PROOF);
  });

  it.each<[string, ProofChange]>([
    ["another method", { claims: { htm: "POST" } }],
    ["another path", { claims: { htu: `${HERE}/orders/yours` } }],
    ["another service", { claims: { htu: "https://billing.example.com/orders/mine" } }],
    ["no token", { claims: { ath: undefined } }],
    ["ten minutes ago", { claims: { iat: SECONDS - 600 } }],
    ["ten minutes later", { claims: { iat: SECONDS + 600 } }],
    ["another purpose", { header: { typ: "JWT" } }],
  ])("is no good with a proof that was made for %s", async (_, change) => {
    expect(await askProven(change)).toEqual(NO_PROOF);
  });

  it("is no good with a proof that was made for another token", async () => {
    const other = await boundToken({ jti: "another" });
    expect(await seen(await ask(guarded(), under(token, await proofFor(other))))).toEqual(NO_PROOF);
  });

  it("has one proof beside it", async () => {
    const headers = new Headers(under(token, await proofFor(token)));
    headers.append("DPoP", await proofFor(token));
    expect(await seen(await ask(guarded(), headers))).toEqual(NO_PROOF);
  });

  it("is no good for other reasons too, and the challenge says that it is not the proof", async () => {
    const expired = await boundToken({ exp: SECONDS - 60, iat: SECONDS - 360 });
    expect(await seen(await ask(guarded(), under(expired, await proofFor(expired))))).toEqual(INVALID);
    expect(await seen(await ask(guarded(), { Authorization: "DPoP" }))).toEqual(INVALID);
    expect(await seen(await ask(guarded(), { Authorization: `DPoP ${token}, DPoP ${token}` }))).toEqual(INVALID);
  });

  it("can be too weak, and lack a role", async () => {
    const weak = 'DPoP error="insufficient_user_authentication", acr_values="aal2", max_age=10, algs="ES256"';
    expect(await askProven({}, { acr: "aal2", maxAge: 10 })).toEqual({ status: 401, challenge: weak });
    const forbidden = { status: 403, challenge: 'DPoP error="insufficient_scope", algs="ES256"' };
    expect(await askProven({}, { roles: ["admin"] })).toEqual(forbidden);
  });

  it("may have ended", async () => {
    const isRevoked = async () => true;
    expect(await askProven({}, { revokedSessions: { isRevoked } })).toEqual(INVALID);
  });
});

describe("a token that is bound to no key", () => {
  it("is not taken under the scheme of bound ones", async () => {
    const unbound = await signed();
    expect(await seen(await ask(guarded(), under(unbound, await proofFor(unbound))))).toEqual(INVALID);
    expect(await seen(await ask(guarded(), under(unbound)))).toEqual(INVALID);
  });
});

describe("a proof", () => {
  it("is good once", async () => {
    const app = guarded();
    const headers = under(token, await proofFor(token));
    expect(await seen(await ask(app, headers))).toEqual(GOOD);
    expect(await seen(await ask(app, headers))).toEqual(NO_PROOF);
    expect(await seen(await ask(app, under(token, await proofFor(token))))).toEqual(GOOD);
  });

  it("is good once of twenty at the same time", async () => {
    const app = guarded();
    const headers = under(token, await proofFor(token));
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(app, headers)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it("is known by its key and its id, not by its text", async () => {
    const app = guarded();
    const [one, two] = await Promise.all([1, 2].map(() => proofFor(token, { claims: { jti: "same" } })));
    expect(one).not.toBe(two);
    expect(await seen(await ask(app, under(token, one)))).toEqual(GOOD);
    expect(await seen(await ask(app, under(token, two)))).toEqual(NO_PROOF);
  });

  it("is not remembered when its token is no good: it was not used", async () => {
    const shown: unknown[] = [];
    const options = { seenProof: (proof: unknown) => shown.push(proof) > 1 };
    expect(await askProven({}, { ...options, revokedSessions: { isRevoked: async () => true } })).toEqual(INVALID);
    expect(await askProven({ claims: { htm: "POST" } }, options)).toEqual(NO_PROOF);
    expect(shown).toEqual([]);
  });

  it("can be remembered elsewhere", async () => {
    const jkt = await calculateJwkThumbprint(key.jwk);
    const shown: unknown[] = [];
    const answer = (wasSeen: boolean) =>
      askProven(
        { claims: { jti: "j" } },
        {
          seenProof: async (proof) => {
            shown.push(proof);
            return wasSeen;
          },
        },
      );
    expect(await answer(false)).toEqual(GOOD);
    expect(await answer(true)).toEqual(NO_PROOF);
    expect(shown[0]).toEqual({ jkt, jti: "j", expiresAt: NOW + 60_000 });
  });
});

describe("the address of a service behind a proxy", () => {
  const INSIDE = "http://10.0.0.7:8080/orders/mine";
  const askInside = async (options: Partial<RequireAuthOptions>) =>
    seen(await guarded(options).request(INSIDE, { headers: under(token, await proofFor(token)) }));

  it("is the one that clients know, once it is told", async () => {
    expect(await askInside({})).toEqual(NO_PROOF);
    expect(await askInside({ origin: HERE })).toEqual(GOOD);
    expect(await askInside({ origin: "https://billing.example.com" })).toEqual(NO_PROOF);
  });

  it("is not the one that a request names: a proof for another service does not become one for this", async () => {
    const elsewhere = "https://evil.example.com/orders/mine";
    const headers = under(token, await proofFor(token, {}, elsewhere));
    expect(await seen(await guarded().request(elsewhere, { headers }))).toEqual(GOOD);
    expect(await seen(await guarded({ origin: HERE }).request(elsewhere, { headers }))).toEqual(NO_PROOF);
  });

  it("has the path of the request, even one that looks like a host", async () => {
    const path = "/orders//evil.example.com/x";
    const headers = under(token, await proofFor(token, {}, `${HERE}${path}`));
    expect(await seen(await ask(guarded({ origin: HERE }), headers, path))).toEqual(GOOD);
  });
});
