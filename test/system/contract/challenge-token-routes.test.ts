import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  expectProblem,
  type Json,
  me,
  refreshed,
  send,
  sessionOf,
  sessionsOf,
  text,
} from "../../support/client.ts";
import {
  type CoveredPerson,
  coveredPerson,
  factorsOf,
  nobody,
  recover,
  spare,
  stepUp,
} from "../../support/recovery-client.ts";

const registration = {
  id: "AAAAAAAAAAAAAAAAAAAAAA",
  rawId: "AAAAAAAAAAAAAAAAAAAAAA",
  type: "public-key",
  response: { clientDataJSON: "e30", attestationObject: "oA", transports: ["internal"] },
  clientExtensionResults: {},
};

type Route = [method: string, path: string, body?: Json];

/** Every enrol, list and change route, with a body that its schema takes. `{factor}` is a factor of the account. */
const routes: Route[] = [
  ["GET", "/auth/me"],
  ["GET", "/auth/2fa"],
  ["POST", "/auth/2fa/totp/enroll", {}],
  ["POST", "/auth/2fa/totp/confirm", { factor_id: "{factor}", code: "123456" }],
  ["POST", "/auth/2fa/passkeys/options", {}],
  ["POST", "/auth/2fa/passkeys", { label: "Key", response: registration }],
  ["PATCH", "/auth/2fa/factors/{factor}", { label: "Stolen" }],
  ["DELETE", "/auth/2fa/factors/{factor}"],
  ["POST", "/auth/2fa/recovery-codes", {}],
  ["POST", "/auth/2fa/turn-off", {}],
  ["POST", "/auth/step-up", {}],
  ["POST", "/auth/step-up", { password: "{password}" }],
  ["GET", "/auth/sessions"],
  ["DELETE", "/auth/sessions"],
  ["DELETE", "/auth/sessions/{session}"],
  ["GET", "/auth/browsers"],
  ["DELETE", `/auth/browsers/${nobody}`],
];

/** The routes that also take an enrolment token, so that there either refusal is one of a malformed credential. */
const takesEnrolmentToken = /\/2fa\/(totp|passkeys)/;

/** Sends one of the routes about this person, with a token of whatever kind. */
function sendAs(bearer: string, person: CoveredPerson, [method, path, body]: Route): Promise<Answer> {
  const filled = (value: string) =>
    value
      .replace("{factor}", person.factorId)
      .replace("{session}", person.session.id)
      .replace("{password}", person.password);
  return send(method, filled(path), body === undefined ? undefined : filled(JSON.stringify(body)), { bearer });
}

describe("while a challenge is open", () => {
  let person: CoveredPerson;
  let login: string;
  let raise: string;
  beforeAll(async () => {
    person = await coveredPerson();
    login = await challenged(person);
    raise = text(await stepUp(person.session.access), "challenge_token");
  });

  it.each(routes)("%s %s does not open to its token, at sign-in or at step-up", async (...route) => {
    for (const token of [login, raise]) {
      const answer = await sendAs(token, person, route);
      const codes = takesEnrolmentToken.test(route[1]) ? ["invalid_token", "invalid_challenge"] : "invalid_token";
      expectProblem(answer, 401, codes);
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
  });

  it("refused requests have changed nothing, and the challenges still open", async () => {
    const owner = await coveredPerson();
    const [door, own] = [await challenged(owner), text(await stepUp(owner.session.access), "challenge_token")];
    const before = await factorsOf(owner.session.access);
    for (const token of [door, own]) {
      for (const route of routes) expect((await sendAs(token, owner, route)).status, route[1]).toBe(401);
    }
    expect(await factorsOf(owner.session.access)).toEqual(before);
    expect((await sessionsOf(owner.session.access)).length).toBe(1);
    expect((await answerChallenge(door, await owner.authenticator.next())).body.status).toBe("authenticated");
    expect((await recover(own, spare(owner))).body.status).toBe("authenticated");
  });

  it("an answered or a dead challenge token opens no more than a live one", async () => {
    const owner = await coveredPerson();
    const answered = await challenged(owner);
    expect((await recover(answered, spare(owner))).status).toBe(200);
    const dead = text(await stepUp(owner.session.access), "challenge_token");
    expect((await send("DELETE", "/auth/sessions", undefined, { bearer: owner.session.access })).status).toBe(204);
    for (const token of [answered, dead]) {
      for (const route of routes.filter(([method]) => method !== "POST")) {
        expectProblem(await sendAs(token, owner, route), 401, "invalid_token");
      }
    }
    expect((await me(owner.session.access)).status).toBe(200);
    expect(sessionOf(await refreshed(owner.session.refresh)).id).toBe(owner.session.id);
  });
});
