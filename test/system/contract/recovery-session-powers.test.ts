import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  confirm,
  enrol,
  expectProblem,
  get,
  me,
  post,
  refreshed,
  type Session,
  send,
  sessionOf,
  text,
} from "../../support/client.ts";
import {
  accessTokenAlone,
  addFactor,
  aSecond,
  type CoveredPerson,
  coveredPerson,
  expectEnded,
  expectInsufficient,
  factorsOf,
  nobody,
  proofIn,
  recoverySession,
  regenerate,
  removeFactor,
  renameFactor,
  steppedUp,
  steppedUpByPassword,
  stepUp,
  turnOff,
} from "../../support/recovery-client.ts";

/** What only fresh proof by a normal factor opens. `id` is a factor of the account. */
const needFresh: [string, (access: string, id: string) => Promise<Answer>][] = [
  ["POST /auth/2fa/recovery-codes", (access) => regenerate(access)],
  ["DELETE /auth/2fa/factors/{id}", removeFactor],
  ["POST /auth/2fa/turn-off", (access) => turnOff(access)],
  ["DELETE /auth/browsers/{id}", (access) => send("DELETE", `/auth/browsers/${nobody}`, undefined, { bearer: access })],
];

/** What a recovery session may do too, once it has given its password again. */
const needEnrol: [string, number, (access: string) => Promise<Answer>][] = [
  ["POST /auth/2fa/totp/enroll", 201, (access) => enrol(access)],
  ["POST /auth/2fa/passkeys/options", 200, (access) => post("/auth/2fa/passkeys/options", {}, { bearer: access })],
];

describe("what a recovery session may do", () => {
  let person: CoveredPerson;
  let recovery: Session;
  let afterPassword: string;
  let afterRefresh: string;
  beforeAll(async () => {
    person = await coveredPerson();
    await addFactor(person.session.access);
    recovery = await recoverySession(person);
    await aSecond();
    afterPassword = await steppedUpByPassword(recovery.access, person);
    const refresh = await refreshed(recovery.refresh);
    afterRefresh = text(refresh, "access_token");
  });

  it.each(needFresh)("%s: nothing by the recovery code, nor by the password on top of it", async (_, act) => {
    for (const access of [recovery.access, afterPassword, afterRefresh]) {
      expectInsufficient(await act(access, person.factorId));
    }
  });

  it.each(needEnrol)("%s: only with the token that the password gave", async (_, status, act) => {
    for (const access of [recovery.access, afterRefresh]) expectInsufficient(await act(access));
    const answer = await act(afterPassword);
    expect(answer.status, answer.text).toBe(status);
  });

  it("everything, with the token that a normal factor gave, and the session is none the stronger for it", async () => {
    const owner = await coveredPerson();
    const second = await addFactor(owner.session.access);
    const session = await recoverySession(owner);
    const strong = await steppedUp(session.access, owner.authenticator);
    for (const [what, status, act] of needEnrol) expect((await act(strong)).status, what).toBe(status);
    expect((await regenerate(strong)).status).toBe(200);
    const browser = await send("DELETE", `/auth/browsers/${nobody}`, undefined, { bearer: strong });
    expectProblem(browser, 404, "not_found");
    expect((await removeFactor(strong, second.id)).status).toBe(204);
    // "A later refresh gives the session's own, older proof again."
    const next = sessionOf(await refreshed(session.refresh));
    expect(next.id).toBe(session.id);
    for (const access of [session.access, next.access]) {
      for (const [, act] of needFresh) expectInsufficient(await act(access, owner.factorId));
      for (const [, , act] of needEnrol) expectInsufficient(await act(access));
    }
    expect((await turnOff(strong)).status).toBe(204);
  });

  it("whatever asks for no fresh proof", async () => {
    const owner = await coveredPerson();
    const session = await recoverySession(owner);
    const bearer = session.access;
    for (const path of ["/auth/me", "/auth/2fa", "/auth/sessions", "/auth/browsers"]) {
      const answer = await get(path, { bearer });
      expect(answer.status, `${path}: ${answer.text}`).toBe(200);
    }
    expect((await renameFactor(bearer, owner.factorId, { label: "Found again" })).status).toBe(200);
    expect([200, 204]).toContain((await send("DELETE", "/auth/sessions", undefined, { bearer })).status);
    await expectEnded(owner.session);
    const next = sessionOf(await refreshed(session.refresh));
    expect((await post("/auth/logout", { refresh_token: next.refresh })).status).toBe(204);
    await expectEnded(next);
  });
});

describe("a factor enrolled in a recovery session", () => {
  async function enrolled() {
    const person = await coveredPerson();
    const session = await recoverySession(person);
    const access = await steppedUpByPassword(session.access, person);
    return { person, session, factor: await addFactor(access) };
  }

  it("does not raise the session, and cannot answer its step-up; the older factor can", async () => {
    const { person, session, factor } = await enrolled();
    const next = sessionOf(await refreshed(session.refresh));
    expect(proofIn(next.access)).toEqual(proofIn(session.access));
    expectInsufficient(await regenerate(next.access));
    const challenge = text(await stepUp(next.access), "challenge_token");
    expectProblem(await answerChallenge(challenge, await factor.authenticator.next()), 401, "invalid_code");
    const strong = accessTokenAlone(await answerChallenge(challenge, await person.authenticator.next()));
    expect((await removeFactor(strong, person.factorId)).status).toBe(204);
  });

  it("has full powers from the next sign-in on", async () => {
    const { person, factor } = await enrolled();
    const session = sessionOf(await answerChallenge(await challenged(person), await factor.authenticator.next()));
    expect(proofIn(session.access)).toMatchObject({ acr: "aal2", amr: ["pwd", "otp", "mfa"] });
    expect((await regenerate(session.access)).status).toBe(200);
    expect((await removeFactor(session.access, person.factorId)).status).toBe(204);
    const strong = await steppedUp(session.access, factor.authenticator);
    expect((await turnOff(strong)).status).toBe(204);
  });

  it("ends the other sessions, as any new factor does, and brings no recovery codes", async () => {
    const person = await coveredPerson();
    const session = await recoverySession(person);
    const access = await steppedUpByPassword(session.access, person);
    const enrolment = await enrol(access);
    // Confirming asks for the session that enrolled, not for the token.
    const code = person.authenticator.wrong();
    expectProblem(await confirm(session.access, text(enrolment, "factor_id"), code), 401, "invalid_code");
    const factor = await addFactor(access);
    await expectEnded(person.session);
    expect((await me(session.access)).status).toBe(200);
    const { factors, remaining } = await factorsOf(session.access);
    expect(factors.map(({ id }) => id).sort()).toEqual([person.factorId, factor.id].sort());
    expect(remaining).toBe(9);
  });
});
