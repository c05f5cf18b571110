import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answer, issuer, type Person, text, verifiedPerson } from "../../support/client.ts";
import { bareProof, boundSession, nonceIn, proofFor, thumbprintOf } from "../../support/dpop-client.ts";
import type { ProofChange } from "../../support/dpop-proofs.ts";
import { type Es256Key, newEs256Key } from "../../support/es256-jws.ts";
import { verified } from "../../support/published.ts";
import {
  BILLING,
  claimsOf,
  exchange,
  expectOAuthError,
  introspect,
  leaveServices,
  ORDERS,
  talkToServices,
  tokenFor,
} from "../../support/service-clients.ts";

const TOKEN = { method: "POST", path: "/oauth/token" };
let person: Person;
/** The key of the page, and that of the service which it calls. */
let [pageKey, key]: Es256Key[] = [];
const own = (): Es256Key => key as Es256Key;
beforeAll(async () => {
  await talkToServices();
  [person, pageKey, key] = await Promise.all([verifiedPerson(), newEs256Key(), newEs256Key()]);
});
afterAll(leaveServices);

const boundToken = async () => (await boundSession(pageKey as Es256Key, person, { audience: "orders" })).access;
/** An exchange with a proof of the service's own key. */
const exchangeWith = (dpop: string, subject: string): Promise<Answer> =>
  exchange(ORDERS, subject, "billing", {}, { headers: { dpop } });
const proven = async (subject: string, change: ProofChange = {}) =>
  exchangeWith(await proofFor(own(), TOKEN, change), subject);

function expectProofRefused(answer: Answer, error = "invalid_dpop_proof"): void {
  expectOAuthError(answer, 400, error);
  expect(answer.headers.get("dpop-nonce")).toMatch(/^\S+$/);
}

describe("exchanging a bound token", () => {
  it("is for a client with a key of its own, and gives it a token of that key", async () => {
    const subject = await boundToken();
    const jkt = await thumbprintOf(pageKey as Es256Key);
    expect(claimsOf(subject).cnf).toEqual({ jkt });
    const first = await exchangeWith(await bareProof(own(), TOKEN), subject);
    expectProofRefused(first, "use_dpop_nonce");
    const answer = await proven(subject, { claims: { nonce: nonceIn(first) } });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.token_type).toBe("DPoP");
    expect(answer.headers.get("dpop-nonce")).toMatch(/^\S+$/);
    const { payload } = await verified(text(answer, "access_token"), "billing");
    expect(payload).toMatchObject({ act: { sub: ORDERS.id }, client_id: ORDERS.id, iss: issuer });
    expect(payload.cnf).toEqual({ jkt: await thumbprintOf(own()) });
    expect(Number(payload.exp)).toBeLessThanOrEqual(Number(claimsOf(subject).exp));
    const told = await introspect(BILLING, text(answer, "access_token"));
    expect(told.body).toMatchObject({ active: true, token_type: "DPoP", cnf: payload.cnf });
  });

  it("is refused without a proof", async () => {
    const subject = await boundToken();
    const answer = await exchange(ORDERS, subject, "billing");
    expectOAuthError(answer, 400, ["invalid_request", "invalid_dpop_proof"]);
    expect((await proven(subject)).status).toBe(200);
    // One that is bound to nobody needs none.
    const plain = await exchange(ORDERS, await tokenFor("orders", person), "billing");
    expect(plain.body).toMatchObject({ token_type: "Bearer" });
    expect(claimsOf(text(plain, "access_token"))).not.toHaveProperty("cnf");
  });

  it("is refused with a wrong proof, and with one that was used", async () => {
    const subject = await boundToken();
    const iat = Math.floor(Date.now() / 1000);
    const other = await newEs256Key();
    const changes: Record<string, ProofChange> = {
      "another route": { claims: { htu: `${issuer}/oauth/introspect` } },
      "another method": { claims: { htm: "GET" } },
      "ten minutes old": { claims: { iat: iat - 600 } },
      "ten minutes ahead": { claims: { iat: iat + 600 } },
      "another typ": { header: { typ: "JWT" } },
      HS256: { header: { alg: "HS256" } },
      "another jwk": { header: { jwk: other.jwk } },
      "a jwk with d": { header: { jwk: { ...own().jwk, d: "AA" } } },
      "no jti": { claims: { jti: undefined } },
    };
    for (const [name, change] of Object.entries(changes)) {
      const answer = await proven(subject, change);
      expect({ name, error: answer.body.error }).toEqual({ name, error: "invalid_dpop_proof" });
      expectProofRefused(answer);
    }
    expectProofRefused(await exchangeWith("proof", subject));
    expectProofRefused(await proven(subject, { claims: { nonce: "made up" } }), "use_dpop_nonce");
    const dpop = await proofFor(own(), TOKEN);
    expect((await exchangeWith(dpop, subject)).status).toBe(200);
    expectProofRefused(await exchangeWith(dpop, subject));
  });

  it("goes on binding from one client to the next", async () => {
    const second = text(await proven(await boundToken()), "access_token");
    expectOAuthError(await exchange(BILLING, second, "orders"), 400, ["invalid_request", "invalid_dpop_proof"]);
    const theirs = await newEs256Key();
    const headers = { dpop: await proofFor(theirs, TOKEN) };
    const third = await exchange(BILLING, second, "orders", {}, { headers });
    expect(third.status, third.text).toBe(200);
    expect(claimsOf(text(third, "access_token"))).toMatchObject({
      cnf: { jkt: await thumbprintOf(theirs) },
      act: { sub: BILLING.id, act: { sub: ORDERS.id } },
    });
  });
});
