import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  expectProblem,
  get,
  issuer,
  post,
  refreshed,
  send,
  sessionsOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import { otherPassword } from "../../support/life-client.ts";
import { type CoveredPerson, coveredPerson, factorsOf, nobody, recover, spare } from "../../support/recovery-client.ts";
import { claimsOf, leaveServices, serviceSession, talkToServices } from "../../support/service-clients.ts";

let owner: CoveredPerson;
/** Of the owner's session, at aal2 and as fresh as can be: for the service, and for the issuer. */
let forService: string;
let own: string;

beforeAll(async () => {
  await talkToServices();
  owner = await coveredPerson();
  const login = await post("/auth/login", { email: owner.email, password: owner.password, audience: "orders" });
  const answer = await post("/auth/2fa/verify", {
    challenge_token: text(login, "challenge_token"),
    method: "totp",
    code: await owner.authenticator.next(),
  });
  forService = text(answer, "access_token");
  const next = await post("/auth/refresh", { refresh_token: text(answer, "refresh_token"), audience: issuer });
  own = text(next, "access_token");
});
afterAll(leaveServices);

/** Every route of the contract that is for somebody signed in, with a body that it takes. */
const routes: [string, string, unknown?][] = [
  ["GET", "/auth/me"],
  ["POST", "/auth/step-up", {}],
  ["GET", "/auth/2fa"],
  ["POST", "/auth/2fa/totp/enroll", {}],
  ["POST", "/auth/2fa/totp/confirm", { factor_id: nobody, code: "123456" }],
  ["POST", "/auth/2fa/passkeys/options", {}],
  ["PATCH", `/auth/2fa/factors/${nobody}`, { label: "Phone" }],
  ["DELETE", `/auth/2fa/factors/${nobody}`],
  ["GET", "/auth/sessions"],
  ["DELETE", `/auth/sessions/${nobody}`],
  ["GET", "/auth/browsers"],
  ["DELETE", `/auth/browsers/${nobody}`],
  ["POST", "/auth/2fa/turn-off", {}],
  ["POST", "/auth/2fa/recovery-codes", {}],
  ["DELETE", "/auth/sessions"],
  ["POST", "/auth/password/change", { current_password: "not the password", new_password: otherPassword }],
  ["POST", "/auth/email/change", { new_email: "somebody@mail.example" }],
  ["DELETE", "/auth/me"],
];
/** Those that change something: what the issuer's token can do there is tried elsewhere. */
const grave = ["turn-off", "recovery-codes", "email/change", "DELETE /auth/me", "enroll"];

const ask = ([method, path, body]: (typeof routes)[number], bearer: string): Promise<Answer> =>
  send(method, path, body, { bearer });

describe("a token for a service", () => {
  it.each(routes)("is refused at %s %s, where the issuer's is not", async (...route) => {
    const answer = await ask(route, forService);
    expectProblem(answer, 401, "invalid_token");
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer\b.*error="invalid_token"/);
    if (grave.some((word) => `${route[0]} ${route[1]}`.includes(word))) return;
    const control = await ask(route, own);
    expect(control.body.code, control.text).not.toBe("invalid_token");
    expect(control.status).not.toBe(500);
  });

  it("has ended and changed nothing there", async () => {
    expect((await factorsOf(own)).factors.map(({ id }) => id)).toContain(owner.factorId);
    expect(claimsOf(own).aud).toBe(issuer);
    const login = await post("/auth/login", { email: owner.email, password: owner.password });
    const answer = await recover(text(login, "challenge_token"), spare(owner));
    expect(answer.body.status, answer.text).toBe("authenticated");
  });

  it("does not sign out, and starts nothing else", async () => {
    const session = await serviceSession("orders", await verifiedPerson());
    expect((await post("/auth/logout", {}, { bearer: session.access })).status).toBe(204);
    const cancel = await post("/auth/recovery/cancel", {}, { bearer: session.access });
    expect(cancel.status).toBeGreaterThanOrEqual(400);
    expect((await refreshed(session.refresh)).status).toBe(200);
  });

  it("of one account says nothing about another's sessions", async () => {
    const person = await verifiedPerson();
    const [mine, service] = [await signedIn(person), await serviceSession("billing", person)];
    expect((await sessionsOf(mine.access)).map(({ id }) => id).sort()).toEqual([mine.id, service.id].sort());
    expectProblem(await get("/auth/sessions", { bearer: service.access }), 401, "invalid_token");
  });
});
