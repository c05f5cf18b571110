import { describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  enrol,
  expectProblem,
  issuer,
  type Json,
  logIn,
  me,
  post,
  refreshed,
  send,
  sessionOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  accessTokenAlone,
  aSecond,
  coveredPerson,
  expectEnded,
  expectInsufficient,
  factorsOf,
  nobody,
  proofIn,
  recover,
  recoverySession,
  regenerate,
  removeFactor,
  spare,
  steppedUp,
  steppedUpByPassword,
  stepUp,
  turnOff,
  wrongRecoveryCode,
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

describe("step-up by the password", () => {
  it("opens enrolling to a recovery session, for the one token it gives", async () => {
    const person = await coveredPerson();
    const session = await recoverySession(person);
    await aSecond();
    const access = accessTokenAlone(await stepUp(session.access, { password: person.password }));
    expect((await enrol(access)).status).toBe(201);
    expectInsufficient(await enrol(session.access));
    expectInsufficient(await enrol(text(await refreshed(session.refresh), "access_token")));
  });

  it("opens nothing to another session of the account", async () => {
    const person = await coveredPerson();
    const [mine, other] = [await recoverySession(person), await recoverySession(person)];
    await steppedUpByPassword(mine.access, person);
    expectInsufficient(await enrol(other.access));
    expectInsufficient(await enrol(text(await refreshed(other.refresh), "access_token")));
  });

  it("ends a recovery session at the fifth wrong one, and leaves the account its sign-in", async () => {
    const person = await coveredPerson();
    const stolen = await recoverySession(person);
    for (let i = 1; i <= 5; i++) {
      const answer = await stepUp(stolen.access, { password: `guess number ${i}` });
      expect([401, 429]).toContain(answer.status);
      expect(answer.text).not.toContain("access_token");
      expect((await me(stolen.access)).status).toBe(i < 5 ? 200 : 401);
    }
    await expectEnded(stolen);
    expect((await me(person.session.access)).status).toBe(200);
    expect((await recoverySession(person)).id).not.toBe(stolen.id);
  });

  it("is not for a session that has proven its factor: that one is asked for the factor", async () => {
    const person = await coveredPerson();
    for (const access of [person.early, person.session.access]) {
      const answer = await stepUp(access, { password: person.password });
      expect(answer.text).not.toContain("access_token");
    }
  });

  it("makes a password session of an account without factors fresh again, for enrolling and no more", async () => {
    const person = await verifiedPerson();
    const session = await signedIn(person);
    const access = accessTokenAlone(await stepUp(session.access, { password: person.password }));
    expect((await enrol(access)).status).toBe(201);
    expectInsufficient(await regenerate(access), "aal1");
  });
});

describe("step-up by a factor", () => {
  it("makes one token fresh, even from one that was issued before the factor", async () => {
    const person = await coveredPerson();
    expectInsufficient(await regenerate(person.early));
    const access = await steppedUp(person.early, person.authenticator);
    expect((await regenerate(access)).status).toBe(200);
    expectInsufficient(await regenerate(person.early));
  });

  it("is worth nothing once the session has ended, however fresh it was", async () => {
    const person = await coveredPerson();
    const strong = await steppedUp(person.session.access, person.authenticator);
    expect((await post("/auth/logout", { refresh_token: person.session.refresh })).status).toBe(204);
    for (const [, act] of needFresh) expectProblem(await act(strong, person.factorId), 401, "invalid_token");
    for (const [, , act] of needEnrol) expectProblem(await act(strong), 401, "invalid_token");
    expectProblem(await stepUp(strong), 401, "invalid_token");
    expect((await recoverySession(person)).id).not.toBe(person.session.id);
  });

  it("by a recovery code is never fresh: one token of less power, and the session stays as it was", async () => {
    const person = await coveredPerson();
    const challenge = await stepUp(person.session.access);
    expect([...(challenge.body.methods as string[])].sort()).toEqual(["recovery_code", "totp"]);
    const code = spare(person);
    const access = accessTokenAlone(await recover(text(challenge, "challenge_token"), code));
    for (const [, act] of needFresh) expectInsufficient(await act(access, person.factorId));
    for (const [, , act] of needEnrol) expectInsufficient(await act(access));
    expect((await factorsOf(access)).remaining).toBe(9);
    // The same code is dead at the door, and the session's own token is as fresh as before.
    expectProblem(await recover(await challenged(person), code), 401, "invalid_code");
    const own = sessionOf(await refreshed(person.session.refresh));
    expect(proofIn(own.access)).toEqual(proofIn(person.session.access));
    expect((await regenerate(own.access)).status).toBe(200);
  });

  it("gives the session, not the challenge, five wrong answers of any kind; then it ends, and the door stays open", async () => {
    const person = await coveredPerson();
    const stolen = await recoverySession(person);
    let left = 5;
    for (const kinds of [
      ["totp", "recovery"],
      ["recovery", "totp", "recovery"],
    ]) {
      const challenge = text(await stepUp(stolen.access), "challenge_token");
      for (const kind of kinds) {
        const answer =
          kind === "totp"
            ? await answerChallenge(challenge, person.authenticator.wrong())
            : await recover(challenge, wrongRecoveryCode());
        expectProblem(answer, 401, "invalid_code");
        left -= 1;
        expect(answer.body.attempts_remaining).toBe(left);
        expect((await me(stolen.access)).status).toBe(left > 0 ? 200 : 401);
      }
    }
    await expectEnded(stolen);
    const wrong = await answerChallenge(await challenged(person), person.authenticator.wrong());
    expect(wrong.body.attempts_remaining).toBe(4);
    expect((await me(person.session.access)).status).toBe(200);
  });

  it("takes no code of another account, and no challenge of another session opens with this one", async () => {
    const [ada, eve] = [await coveredPerson(), await coveredPerson()];
    const challenge = text(await stepUp(ada.session.access), "challenge_token");
    expectProblem(await recover(challenge, spare(eve)), 401, "invalid_code");
    expectProblem(await answerChallenge(challenge, await eve.authenticator.next()), 401, "invalid_code");
    const access = accessTokenAlone(await recover(challenge, spare(ada)));
    const answer = await me(access);
    expect(answer.body.email).toBe(ada.email);
  });
});

describe("what is asked for", () => {
  const elsewhere: Json[] = [
    { audience: "https://reports.example" },
    { audience: `${issuer}/` },
    { audience: "" },
    { audience: [issuer] },
    { audience: null },
  ];

  it("may be a token for the issuer, and for nobody else", async () => {
    const person = await coveredPerson();
    const recovery = await recoverySession(person);
    for (const body of elsewhere) {
      expectProblem(await stepUp(person.session.access, body), 400, "invalid_request");
      expectProblem(await stepUp(recovery.access, { password: person.password, ...body }), 400, "invalid_request");
      expectProblem(await logIn(person, body), 400, "invalid_request");
      expectProblem(await post("/auth/refresh", { refresh_token: recovery.refresh, ...body }), 400, "invalid_request");
    }
    const challenge = text(await stepUp(person.session.access, { audience: issuer }), "challenge_token");
    const access = accessTokenAlone(await answerChallenge(challenge, await person.authenticator.next()));
    expect((await regenerate(access)).status).toBe(200);
  });

  it("does not decide what is given: members for level, age, method or session are refused", async () => {
    const person = await coveredPerson();
    for (const body of [
      { acr_values: "aal2" },
      { acr: "aal2" },
      { max_age: 1 },
      { auth_time: 1 },
      { sid: person.session.id },
      { purpose: "login" },
      { method: "password" },
    ] as Json[]) {
      expectProblem(await stepUp(person.session.access, body), 400, "invalid_request");
      expectProblem(await logIn(person, body), 400, "invalid_request");
    }
  });
});
