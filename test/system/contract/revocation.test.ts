import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  cookieOf,
  expectProblem,
  logIn,
  me,
  ownPage,
  type Person,
  post,
  refreshCookie,
  refreshed,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import { itTakesClientsAndForms } from "../../support/client-endpoint.ts";
import { boundSession, meBound, refreshedBound } from "../../support/dpop-client.ts";
import { newEs256Key } from "../../support/es256-jws.ts";
import { becomesListed, isListed } from "../../support/published.ts";
import {
  BILLING,
  claimsOf,
  exchange,
  expectInactive,
  expectOAuthError,
  introspect,
  leaveServices,
  ORDERS,
  revoke,
  serviceSession,
  talkToServices,
  tokenFor,
} from "../../support/service-clients.ts";

let person: Person;
beforeAll(async () => {
  await talkToServices();
  person = await verifiedPerson();
});
afterAll(leaveServices);

function expectTaken(answer: Answer): void {
  expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: "" });
  expect(answer.headers.get("cache-control")).toMatch(/\bno-store\b/);
}

/** A session with a token for the orders and one for the issuer. */
async function bothTokens() {
  const session = await serviceSession("orders", person);
  const own = await post("/auth/refresh", { refresh_token: session.refresh, audience: issuerOf(session.access) });
  return { ...session, own: text(own, "access_token"), refresh: text(own, "refresh_token") };
}
const issuerOf = (token: string): string => String(claimsOf(token).iss);

async function expectLives(session: { access: string; own: string }): Promise<void> {
  expect((await me(session.own)).status).toBe(200);
  expect((await introspect(ORDERS, session.access)).body.active).toBe(true);
}

async function expectEnded(session: { access: string; own: string; refresh: string; id: string }): Promise<void> {
  expectProblem(await me(session.own), 401, "invalid_token");
  expectInactive(await introspect(ORDERS, session.access));
  expectOAuthError(await exchange(ORDERS, session.access, "billing"), 400, "invalid_request");
  expectProblem(await refreshed(session.refresh), 401, "invalid_refresh_token");
  expect(await becomesListed(session.id)).toBe(true);
}

describe("revocation", () => {
  itTakesClientsAndForms({
    path: "/oauth/revoke",
    client: ORDERS,
    form: async () => ({ token: await tokenFor("orders", person) }),
    granted: expectTaken,
    untouched: async ({ token = "" }) => {
      expect((await introspect(ORDERS, token)).body.active).toBe(true);
    },
  });

  it("of an access token for the client's service ends the session everywhere, and no other of the account", async () => {
    const [session, other] = [await bothTokens(), await bothTokens()];
    await expectLives(session);
    expect(await isListed(session.id)).toBe(false);
    expectTaken(await revoke(ORDERS, session.access));
    await expectEnded(session);
    await expectLives(other);
    expect(await isListed(other.id)).toBe(false);
  });

  it("of a refresh token does the same, whatever the hint says", async () => {
    for (const hint of [
      {},
      { token_type_hint: "refresh_token" },
      { token_type_hint: "access_token" },
      { token_type_hint: "nobody knows" },
    ] as Record<string, string>[]) {
      const session = await bothTokens();
      expectTaken(await revoke(ORDERS, session.refresh, hint));
      await expectEnded(session);
      const byAccess = await bothTokens();
      expectTaken(await revoke(ORDERS, byAccess.access, hint));
      await expectEnded(byAccess);
    }
  });

  it("of a browser's refresh token ends its session too", async () => {
    const page = await logIn(person, {}, { headers: ownPage });
    expectTaken(await revoke(BILLING, refreshCookie(page)?.value ?? ""));
    expectProblem(await me(text(page, "access_token")), 401, "invalid_token");
    const answer = await post("/auth/refresh", {}, { headers: ownPage, cookie: cookieOf(page) });
    expectProblem(answer, 401, "invalid_refresh_token");
  });

  it("of an exchanged token ends the session that it comes from", async () => {
    const session = await bothTokens();
    const next = text(await exchange(ORDERS, session.access, "billing"), "access_token");
    expectTaken(await revoke(ORDERS, next));
    await expectLives(session);
    expectTaken(await revoke(BILLING, next));
    await expectEnded(session);
  });

  it("of a bound token needs no proof", async () => {
    const key = await newEs256Key();
    const [one, other] = [await boundSession(key, person), await boundSession(key, person, { audience: "orders" })];
    const own = text(await refreshedBound(key, one.refresh), "access_token");
    expect((await meBound(key, own)).status).toBe(200);
    expectTaken(await revoke(ORDERS, one.refresh));
    expectProblem(await meBound(key, own), 401, "invalid_token");
    expectTaken(await revoke(ORDERS, other.access));
    expectProblem(await refreshedBound(key, other.refresh), 401, "invalid_refresh_token");
  });

  it("of anything else is answered the same, and ends nothing", async () => {
    const session = await bothTokens();
    const plain = await signedIn(person);
    const [head, payload, signature = ""] = session.access.split(".");
    const { refresh } = session;
    const others = [
      plain.access,
      session.own,
      await tokenFor("billing", person),
      `${head}.${payload}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`,
      `${refresh.slice(0, 60)}${refresh[60] === "A" ? "B" : "A"}${refresh.slice(61)}`,
      `${refresh}=`,
      `rt_${"A".repeat(120)}`,
      "rt_",
      "a.b.c",
      "anything",
      session.id,
    ];
    for (const token of others) expectTaken(await revoke(ORDERS, token));
    expectTaken(await revoke(BILLING, session.access));
    await expectLives(session);
    expect((await me(plain.access)).status).toBe(200);
    expect((await refreshed(refresh)).status).toBe(200);
    expect((await refreshed(plain.refresh)).status).toBe(200);
  });

  it("is answered the same when it comes again", async () => {
    const session = await bothTokens();
    for (let times = 0; times < 3; times++) expectTaken(await revoke(ORDERS, session.access));
    expectTaken(await revoke(ORDERS, session.refresh));
    await expectEnded(session);
  });
});
