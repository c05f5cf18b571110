import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  challenged,
  get,
  issuer,
  logIn,
  me,
  type Person,
  post,
  refreshed,
  send,
  signedIn,
  type TwoFactorPerson,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";
import { itTakesClientsAndForms } from "../../support/client-endpoint.ts";
import { boundSession, thumbprintOf } from "../../support/dpop-client.ts";
import { newEs256Key } from "../../support/es256-jws.ts";
import { changePassword } from "../../support/life-client.ts";
import { REVOKED } from "../../support/published.ts";
import {
  BILLING,
  claimsOf,
  exchange,
  expectInactive,
  introspect,
  leaveServices,
  ORDERS,
  serviceSession,
  talkToServices,
  tokenFor,
  VAULT,
} from "../../support/service-clients.ts";

let person: Person;
let owner: TwoFactorPerson;
beforeAll(async () => {
  await talkToServices();
  [person, owner] = await Promise.all([verifiedPerson(), twoFactorPerson()]);
});
afterAll(leaveServices);

const members = [
  ...["active", "iss", "sub", "aud", "client_id", "iat", "exp", "jti", "sid"],
  ...["auth_time", "acr", "amr", "factors", "roles", "token_type"],
].sort();

function expectActive(answer: Answer): void {
  expect({ status: answer.status, active: answer.body.active }).toEqual({ status: 200, active: true });
}

describe("introspection", () => {
  itTakesClientsAndForms({
    path: "/oauth/introspect",
    client: ORDERS,
    form: async () => ({ token: await tokenFor("orders", person) }),
    granted: expectActive,
    untouched: async () => {},
  });

  itTakesClientsAndForms({
    path: "/oauth/introspect",
    client: BILLING,
    form: async () => ({ token: await tokenFor("billing", person), token_type_hint: "access_token" }),
    granted: expectActive,
    untouched: async () => {},
  });

  it("tells what a token says, and nothing else", async () => {
    const token = await tokenFor("orders", person);
    const answer = await introspect(ORDERS, token);
    expectActive(answer);
    expect(Object.keys(answer.body).sort()).toEqual(members);
    expect(answer.body).toEqual({ active: true, token_type: "Bearer", ...claimsOf(token) });
    expect(answer.text).not.toContain(person.email);
    expect(answer.headers.get("content-type")).toMatch(/^application\/json\b/);
  });

  it("tells of an exchanged token who has exchanged it", async () => {
    const next = text(await exchange(ORDERS, await tokenFor("orders", person), "billing"), "access_token");
    const answer = await introspect(BILLING, next);
    expectActive(answer);
    expect(Object.keys(answer.body).sort()).toEqual([...members, "act"].sort());
    expect(answer.body).toMatchObject({ aud: "billing", client_id: ORDERS.id, act: { sub: ORDERS.id } });
    expectInactive(await introspect(ORDERS, next));
  });

  it("tells of a bound token to which key", async () => {
    const key = await newEs256Key();
    const { access } = await boundSession(key, person, { audience: "orders" });
    const answer = await introspect(ORDERS, access);
    expectActive(answer);
    expect(answer.body).toMatchObject({ token_type: "DPoP", cnf: { jkt: await thumbprintOf(key) } });
  });

  it("tells a client of tokens for its own service only, and of nothing that is no access token", async () => {
    const session = await serviceSession("orders", person);
    const { refresh } = session;
    const token = session.access;
    const [head, payload, signature = ""] = token.split(".");
    const others: Record<string, string> = {
      "for the issuer": (await signedIn(person)).access,
      "for another service": await tokenFor("billing", person),
      "a refresh token": refresh,
      "a refresh token without its beginning": refresh.slice(3),
      "a challenge token": await challenged(owner),
      "the feed": (await get(REVOKED)).text,
      "a word": "token",
      "another signature": `${head}.${payload}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`,
      "no signature": `${head}.${payload}.`,
      "another spelling": `${token}=`,
      "with a space": ` ${token}`,
      "too long": token + "A".repeat(5_000),
    };
    for (const [name, other] of Object.entries(others)) {
      for (const hint of [{}, { token_type_hint: "refresh_token" }, { token_type_hint: "access_token" }]) {
        const answer = await introspect(ORDERS, other, hint as Record<string, string>);
        expect({ name, body: answer.body }).toEqual({ name, body: { active: false } });
        expectInactive(answer);
      }
    }
    expectInactive(await introspect(VAULT, token));
    // Asking has changed nothing, and a hint is no more than that.
    for (const hint of ["refresh_token", "access_token", "urn:nobody:knows"])
      expectActive(await introspect(ORDERS, token, { token_type_hint: hint }));
    expect((await refreshed(refresh)).status).toBe(200);
  });

  it("says no as soon as the session has ended, however it has", async () => {
    const ends: Record<string, (session: Awaited<ReturnType<typeof serviceSession>>) => Promise<Answer>> = {
      "logout with the refresh token": ({ refresh }) => post("/auth/logout", { refresh_token: refresh }),
      "the session ended from another one": async ({ id }) => {
        const { access } = await signedIn(person);
        return send("DELETE", `/auth/sessions/${id}`, undefined, { bearer: access });
      },
      "all others ended": async () => {
        const { access } = await signedIn(person);
        return send("DELETE", "/auth/sessions", undefined, { bearer: access });
      },
      theft: async ({ refresh }) => {
        const next = text(await refreshed(refresh), "refresh_token");
        expect((await refreshed(next)).status).toBe(200);
        return refreshed(refresh);
      },
    };
    for (const [name, end] of Object.entries(ends)) {
      const session = await serviceSession("orders", person);
      expectActive(await introspect(ORDERS, session.access));
      const answer = await end(session);
      expect(answer.status, name).toBe(name === "theft" ? 401 : 204);
      const after = await introspect(ORDERS, session.access);
      expect({ name, body: after.body }).toEqual({ name, body: { active: false } });
    }
  });

  it("says no after a change of password, and yes to the session that goes on", async () => {
    const somebody = await verifiedPerson();
    const lost = await serviceSession("orders", somebody);
    const mine = await signedIn(somebody);
    const changed = await changePassword(mine.access, somebody);
    expect(changed.status, changed.text).toBe(200);
    expectInactive(await introspect(ORDERS, lost.access));
    const next = await post("/auth/refresh", { refresh_token: text(changed, "refresh_token"), audience: "orders" });
    expectActive(await introspect(ORDERS, text(next, "access_token")));
  });

  it("goes on saying yes to a token from before a refresh", async () => {
    const session = await serviceSession("orders", person);
    const next = await refreshed(session.refresh);
    expectActive(await introspect(ORDERS, session.access));
    expectActive(await introspect(ORDERS, text(next, "access_token")));
  });

  it("does not make a token one for our own routes", async () => {
    const answer = await logIn(person, { audience: "orders" });
    const token = text(answer, "access_token");
    expectActive(await introspect(ORDERS, token));
    expect((await me(token)).body.code).toBe("invalid_token");
    expect(claimsOf(token).iss).toBe(issuer);
  });
});
