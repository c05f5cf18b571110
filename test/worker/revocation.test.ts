import { describe, expect, it } from "vitest";
import { call, refresh } from "../support/in-worker.ts";
import { brokenAt } from "./support/broken-stores.ts";
import { costOf } from "./support/costs.ts";
import { newProofKey } from "./support/dpop.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { ask, bindings, exchange, introspect, OAUTH_SETTINGS, revoke, signedIn, tokenFor } from "./support/oauth.ts";

useMovedClock();

type Session = Awaited<ReturnType<typeof signedIn>>;

/** Whether a session lives, by everything that it could be used for. */
async function uses({ person, accessToken, ...session }: Session): Promise<unknown[]> {
  const token = await tokenFor({ person, ...session });
  const me = await call("/auth/me", undefined, { bearer: accessToken });
  return [me.status, (await introspect(token)).body.active, (await exchange(token)).status];
}
const LIVES = [200, true, 200];
const ENDED = [401, false, 400];

describe("revocation", () => {
  it("ends the session of an access token everywhere, and no other session", async () => {
    const [session, other] = [await signedIn(), await signedIn()];
    expect(await uses(session)).toEqual(LIVES);
    const answer = await revoke(await tokenFor(session));
    expect(answer).toMatchObject({ status: 200, text: "" });
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    expect(await uses(session)).toEqual(ENDED);
    expect((await refresh(session.refreshToken, { bindings })).status).toBe(401);
    expect(await uses(other)).toEqual(LIVES);
  });

  it("ends the session of a refresh token, whatever the hint says", async () => {
    for (const token_type_hint of ["", "refresh_token", "access_token", "urn:nobody:knows"]) {
      const session = await signedIn();
      const answer = await ask("revoke", { token: session.refreshToken, token_type_hint }, { as: "orders" });
      expect(answer.status).toBe(200);
      expect(await uses(session), token_type_hint).toEqual(ENDED);
    }
  });

  it("ends the session of a bound token without its key: whoever found it should be able to", async () => {
    const [session, { jkt }] = [await signedIn(), await newProofKey()];
    expect((await revoke(await tokenFor(session, { jkt }))).status).toBe(200);
    expect(await uses(session)).toEqual(ENDED);
  });

  it("costs one round trip", async () => {
    const [session, other] = [await signedIn(), await signedIn()];
    const token = await tokenFor(session);
    const access = await costOf((options) => revoke(token, options), { settings: OAUTH_SETTINGS });
    expect(access).toMatchObject({ sequential: 1, calls: ["account.endByAccessToken"] });
    const byRefresh = await costOf((options) => revoke(other.refreshToken, options), { settings: OAUTH_SETTINGS });
    expect(byRefresh).toMatchObject({ sequential: 1, calls: ["account.endByRefreshToken"] });
  });

  it("of anything else is answered the same, ends nothing, and wakes no object", async () => {
    const session = await signedIn();
    const token = await tokenFor(session);
    const [head, payload, signature = ""] = token.split(".");
    const { refreshToken } = session;
    const middle = refreshToken[60] === "A" ? "B" : "A";
    const others = {
      "a token for our own routes": session.accessToken,
      "a token for another service": await tokenFor(session, { audience: "billing" }),
      "another signature": `${head}.${payload}.${signature.startsWith("B") ? "C" : "B"}${signature.slice(1)}`,
      "a forged refresh token": refreshToken.slice(0, 60) + middle + refreshToken.slice(61),
      "a word": "token",
    };
    for (const [name, other] of Object.entries(others)) {
      const cost = await costOf((options) => revoke(other, options), { settings: OAUTH_SETTINGS });
      expect({ name, status: cost.answer.status, text: cost.answer.text }).toEqual({ name, status: 200, text: "" });
      expect(cost.calls, name).toEqual([]);
    }
    expect((await revoke(token, { as: "warehouse" })).status).toBe(200);
    expect(await uses(session)).toEqual(LIVES);
  });

  it("of an expired access token ends nothing", async () => {
    const session = await signedIn();
    const token = await tokenFor(session, { ttl: 60 });
    pass(91 * SECOND);
    expect((await revoke(token)).status).toBe(200);
    expect(await uses(session)).toEqual(LIVES);
  });

  it("that did not reach the account is no success (RFC 7009 §2.2.1)", async () => {
    const session = await signedIn();
    const { bindings: broken } = brokenAt({ at: "endByAccessToken", when: "before" });
    const answer = await revoke(await tokenFor(session), { bindings: { ...broken, ...OAUTH_SETTINGS } });
    expect(answer).toMatchObject({ status: 503, body: { error: "temporarily_unavailable" } });
    expect(answer.headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
  });
});
