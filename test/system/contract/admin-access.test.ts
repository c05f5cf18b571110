import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  distinguishable,
  expectProblem,
  logIn,
  me,
  ownPage,
  send,
  sessionOf,
  talkTo,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";
import { freshByPasskey } from "../../support/life-client.ts";
import {
  accountId,
  adminGet,
  grant,
  type Known,
  knownPerson,
  type Operated,
  operatorToken,
  talkToOperated,
} from "../../support/operator-client.ts";
import { signInByPasskey } from "../../support/passkey-client.ts";
import { type CoveredPerson, coveredPerson, nobody, recoverySession } from "../../support/recovery-client.ts";
import { sharedInstance } from "../../support/shared-instance.ts";

let operated: Operated;
let admin: Known;
let target: Known;
let covered: CoveredPerson;
beforeAll(async () => {
  operated = await talkToOperated();
  admin = operated.admin;
  [target, covered] = [await knownPerson(), await coveredPerson()];
}, 120_000);
afterAll(() => talkTo(sharedInstance()));

/** Every route of the contract's "Operators", with a body that would be taken. */
const reads = (): string[] => [
  "/events",
  "/events?kind=authn_login_fail",
  "/events/stream",
  "/events/export",
  "/alerts",
  "/stats",
  `/users?email=${encodeURIComponent(target.email)}`,
  "/keys",
];
const writes = (): [string, unknown][] => [
  ["/users/invite", { email: `new-${target.email}` }],
  [`/users/${target.id}/disable`, {}],
  [`/users/${target.id}/enable`, {}],
  [`/users/${target.id}/sign-out`, {}],
  [`/users/${target.id}/reset-factors`, {}],
  [`/users/${target.id}/unlock`, {}],
  [`/users/${target.id}/roles`, { roles: ["admin"] }],
  ["/keys", { action: "rotate", purpose: "signing" }],
];
const shapeless = (): [string, unknown][] => [
  [`/users/${nobody}/disable`, {}],
  ["/users/not-an-id/disable", {}],
  [`/users/${target.id}/roles`, { roles: 1 }],
  [`/users/${target.id}/roles`, "{"],
  ["/users/invite", { email: [] }],
  ["/keys", { action: "burn" }],
];

/** Asks for everything; a token of `undefined` is none at all. */
async function everything(bearer: string | undefined, also: [string, unknown][] = []): Promise<[string, Answer][]> {
  const call = bearer === undefined ? {} : { bearer };
  const answers: [string, Answer][] = [];
  for (const path of reads()) answers.push([`GET ${path}`, await send("GET", `/admin/api${path}`, undefined, call)]);
  for (const [path, body] of [...writes(), ...also])
    answers.push([`POST ${path}`, await send("POST", `/admin/api${path}`, body, call)]);
  return answers;
}

/** Nothing has come of what was refused. */
async function expectUntouched(): Promise<void> {
  expect((await me(target.session.access)).status).toBe(200);
  const found = await adminGet(`/users?email=${encodeURIComponent(target.email)}`, await operatorToken(admin));
  expect(found.status, found.text).toBe(200);
  expect(found.text).not.toContain('"admin"');
  expect(found.text).not.toContain('"disabled"');
}

describe("every route of operators", { timeout: 120_000 }, () => {
  it("asks for a token of this service", async () => {
    const session = await freshByPasskey(admin);
    const forged = session.replace(/\.[^.]+$/, `.${"A".repeat(86)}`);
    const refresh = text(await signInByPasskey(admin.passkey), "refresh_token");
    const challenge = text(await logIn(covered), "challenge_token");
    for (const bearer of [undefined, "a.b.c", forged, refresh, challenge]) {
      for (const [route, answer] of await everything(bearer)) {
        expect({ route, code: answer.body.code }).toEqual({ route, code: "invalid_token" });
        expectProblem(answer, 401, "invalid_token");
        expect(answer.headers.get("www-authenticate")).toMatch(/^(Bearer|DPoP)\b/);
      }
    }
    await expectUntouched();
  });

  it("is forbidden to people without the role, whatever else is missing, and says nothing else to them", async () => {
    const plain = await verifiedPerson();
    const weak = sessionOf(await logIn(plain)).access;
    const recovered = (await recoverySession(covered)).access;
    const fresh = await freshByPasskey(target);
    const answers: Answer[] = [];
    for (const bearer of [weak, recovered, fresh, target.session.access]) {
      for (const [route, answer] of await everything(bearer, shapeless())) {
        expect({ route, code: answer.body.code }).toEqual({ route, code: "forbidden" });
        expectProblem(answer, 403, "forbidden");
        answers.push(answer);
      }
    }
    const kinds = new Set(answers.map((answer) => JSON.stringify(distinguishable(answer))));
    expect([...kinds]).toHaveLength(1);
    await expectUntouched();
  });

  it("asks an operator for a second factor that is no recovery code", async () => {
    const person = await coveredPerson();
    await grant(operated.instance, person);
    const { access } = await recoverySession(person);
    expect((await me(access)).body).toMatchObject({ acr: "aal2-recovery", roles: ["admin"] });
    for (const [route, answer] of await everything(access)) {
      expect({ route, code: answer.body.code }).toEqual({ route, code: "insufficient_user_authentication" });
      expectProblem(answer, 401, "insufficient_user_authentication");
      expect(answer.headers.get("www-authenticate")).toContain('acr_values="aal2"');
    }
    await expectUntouched();
  });

  it("opens to a factor of a moment ago, and the role counts from the moment it is given", async () => {
    const person = await twoFactorPerson();
    const id = await accountId(person.session.access);
    expectProblem(await adminGet("/stats", person.session.access), 403, "forbidden");
    await grant(operated.instance, person);
    // The role ends all sessions: nobody becomes an operator in a tab that stands open.
    expectProblem(await adminGet("/stats", person.session.access), 401, "invalid_token");
    const token = await operatorToken(admin);
    for (const path of reads().filter((one) => one !== "/events/stream")) {
      const answer = await adminGet(path, token);
      expect({ path, status: answer.status }).toEqual({ path, status: 200 });
      expect(answer.headers.get("cache-control")).toMatch(/\bno-store\b/);
      expect(answer.text).not.toContain(person.password);
    }
    const found = await adminGet(`/users?email=${encodeURIComponent(person.email.toUpperCase())}`, token);
    expect(found.text).toContain(id);
    expect(found.text).toContain('"admin"');
  });

  it("refuses an operator what has no proper shape or does not exist", async () => {
    const token = await operatorToken(admin);
    for (const [path, body] of shapeless()) {
      const answer = await send("POST", `/admin/api${path}`, body, { bearer: token });
      expect([400, 404], `${path} ${answer.text}`).toContain(answer.status);
      expectProblem(answer, answer.status, ["invalid_request", "not_found"]);
    }
    expectProblem(await adminGet("/nothing", token), 404, "not_found");
    const unknown = await adminGet(`/users?email=nobody-${target.email}`, token);
    expect([200, 404], unknown.text).toContain(unknown.status);
    expect(unknown.text).not.toContain(target.id);
    for (const path of ["/events", "/stats", "/alerts"])
      expectProblem(await send("DELETE", `/admin/api${path}`, undefined, { bearer: token }), 405, "method_not_allowed");
  });

  it("takes a token, and never a cookie; another page cannot read it", async () => {
    const signIn = await signInByPasskey(admin.passkey);
    const cookie = `__Host-sallyport_rt=${text(signIn, "refresh_token")}`;
    expectProblem(
      await send("GET", "/admin/api/events", undefined, { cookie, headers: ownPage }),
      401,
      "invalid_token",
    );
    const bearer = text(signIn, "access_token");
    const foreign = await send("GET", "/admin/api/events", undefined, {
      bearer,
      headers: { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
    });
    expect(foreign.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("an operator who has turned his second factor off", () => {
  it("has a role, and reads and writes nothing with it", async () => {
    const person = await knownPerson();
    await grant(operated.instance, person);
    const off = await send("POST", "/auth/2fa/turn-off", {}, { bearer: await freshByPasskey(person) });
    expect(off.status, off.text).toBeLessThan(300);
    const access = text(await logIn(person), "access_token");
    expect((await me(access)).body).toMatchObject({ acr: "aal1", roles: ["admin"] });
    for (const [route, answer] of await everything(access)) {
      expect({ route, code: answer.body.code }).toEqual({ route, code: "insufficient_user_authentication" });
      expect(answer.headers.get("www-authenticate")).toContain('acr_values="aal2"');
    }
    await expectUntouched();
  });
});
