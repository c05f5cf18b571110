import { describe, expect, it } from "vitest";
import { signAccessToken } from "../../src/tokens/access-token.ts";
import { signChallengeToken } from "../../src/tokens/challenge-token.ts";
import { call, claimsOf, ISSUER, refresh, ring } from "../support/in-worker.ts";
import { brokenAt } from "./support/broken-stores.ts";
import { costOf } from "./support/costs.ts";
import { newProofKey } from "./support/dpop.ts";
import { pass, SECOND, seconds, useMovedClock } from "./support/moved-clock.ts";
import { ask, bindings, exchange, introspect, OAUTH_SETTINGS, signedIn, tokenFor } from "./support/oauth.ts";

useMovedClock();

const INACTIVE = '{"active":false}';

describe("introspection", () => {
  it("tells the client of a good token all that the token says", async () => {
    const token = await tokenFor(await signedIn());
    const answer = await introspect(token);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ active: true, ...claimsOf(token), token_type: "Bearer" });
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    expect(answer.headers.get("Content-Type")).toMatch(/^application\/json\b/);
  });

  it("tells of an exchanged or bound token what is more about it", async () => {
    const session = await signedIn();
    const { jkt } = await newProofKey();
    const bound = await introspect(await tokenFor(session, { jkt }));
    expect(bound.body).toMatchObject({ active: true, token_type: "DPoP", cnf: { jkt } });
    const exchanged = await exchange(await tokenFor(session));
    const answer = await introspect(exchanged.body.access_token, { as: "billing" });
    expect(answer.body).toMatchObject({ active: true, aud: "billing", client_id: "orders", act: { sub: "orders" } });
  });

  it("costs one round trip and no row", async () => {
    const token = await tokenFor(await signedIn());
    const cost = await costOf((options) => introspect(token, options), { settings: OAUTH_SETTINGS });
    expect(cost).toMatchObject({ sequential: 1, calls: ["account.checkSession"], rows: { objects: 0, d1: 0 } });
    expect(cost.answer.body.active).toBe(true);
  });

  it("says no to whatever is no access token for this client, and asks no object about it", async () => {
    const session = await signedIn();
    const token = await tokenFor(session);
    const [head, payload, signature = ""] = token.split(".");
    const reference = { accountId: session.person.id, challengeId: "x", purpose: "login" } as const;
    const others = {
      "a refresh token": session.refreshToken,
      "a challenge token": await signChallengeToken(await ring(), ISSUER, reference, Date.now() + 60_000),
      "a token for our own routes": session.accessToken,
      "a token for another service": await tokenFor(session, { audience: "billing" }),
      "another signature": `${head}.${payload}.${signature.startsWith("B") ? "C" : "B"}${signature.slice(1)}`,
      "no signature": `${head}.${payload}.`,
      "a token of another key": await foreignToken(session),
      "a word": "token",
      "too much": "A".repeat(9_000),
    };
    for (const [name, other] of Object.entries(others)) {
      const cost = await costOf((options) => introspect(other, options), { settings: OAUTH_SETTINGS });
      expect({ name, status: cost.answer.status, text: cost.answer.text }).toEqual({
        name,
        status: 200,
        text: INACTIVE,
      });
      expect(cost.calls, name).toEqual([]);
    }
    expect((await introspect(token, { as: "warehouse" })).text).toBe(INACTIVE);
    expect((await introspect(token)).body.active).toBe(true);
  });

  it("says no from the second in which the token expires", async () => {
    const token = await tokenFor(await signedIn(), { ttl: 60 });
    pass(59 * SECOND);
    expect((await introspect(token)).body.active).toBe(true);
    pass(SECOND);
    // Verifiers may go on for half a minute: their clocks may differ from ours.
    expect((await introspect(token)).text).toBe(INACTIVE);
  });

  it("says no as soon as the session has ended, and yes across a refresh", async () => {
    const session = await signedIn();
    const token = await tokenFor(session);
    const { body } = await refresh(session.refreshToken, { bindings });
    expect((await introspect(token)).body.active).toBe(true);
    await call("/auth/logout", { refresh_token: body.refresh_token }, { bindings });
    expect((await introspect(token)).text).toBe(INACTIVE);
  });

  it("takes a hint for no more than a hint", async () => {
    const token = await tokenFor(await signedIn());
    for (const token_type_hint of ["access_token", "refresh_token", "urn:nobody:knows"]) {
      const answer = await ask("introspect", { token, token_type_hint }, { as: "orders" });
      expect(answer.body.active, token_type_hint).toBe(true);
    }
  });

  it("never says no because the account cannot be asked", async () => {
    const token = await tokenFor(await signedIn());
    const { bindings: broken } = brokenAt({ at: "checkSession", when: "before" });
    const answer = await introspect(token, { bindings: { ...broken, ...OAUTH_SETTINGS } });
    expect(answer).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });
    expect(answer.headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
  });
});

/** A token that says the right things under a key that is not in the ring. */
async function foreignToken({ person, sessionId }: Awaited<ReturnType<typeof signedIn>>): Promise<string> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  const ours = await ring();
  const signing = { ...ours.signing, key: (pair as CryptoKeyPair).privateKey };
  const about = { accountId: person.id, sessionId, audience: "orders", roles: [], factors: { pwd: seconds() } };
  return signAccessToken({ ...ours, signing }, ISSUER, about, Date.now(), 300);
}
