import { describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  enrol,
  expectProblem,
  logIn,
  me,
  ownPage,
  post,
  sessionsOf,
  text,
} from "../../support/client.ts";
import {
  expectAllEnded,
  expectDeadLink,
  expectPlain,
  otherPassword,
  otherPasswords,
  reset,
  resetChallenge,
  resetLink,
  withPassword,
} from "../../support/life-client.ts";
import { passkeyOwner } from "../../support/owner.ts";
import {
  aal2,
  answerByPasskey,
  answerWithPasskey,
  appAndPasskeyPerson,
  assertionFor,
  atOnce,
  factorsOf,
  passkeyPerson,
  wrongCodes,
} from "../../support/passkey-client.ts";
import {
  type CoveredPerson,
  coveredPerson,
  recover,
  recoverySession,
  spare,
  stepUp,
} from "../../support/recovery-client.ts";

const done = { status: "password_reset" };

/** The old password still is the account's; asked from a source of its own. */
async function expectUnchanged(person: CoveredPerson): Promise<void> {
  expect((await logIn(person)).body.status).toBe("challenge");
  expectProblem(await logIn(withPassword(person)), 401, "sign_in_failed");
}

describe.concurrent("a reset of an account with a factor", () => {
  it("asks for it first, and until then nothing has happened", async () => {
    const person = await coveredPerson();
    const answer = await reset(await resetLink(person));
    expect(answer.status, answer.text).toBe(200);
    expect(Object.keys(answer.body).sort()).toEqual(["challenge_token", "expires_in", "methods", "status"]);
    expect(answer.body).toMatchObject({ status: "challenge", expires_in: 300 });
    expect([...(answer.body.methods as string[])].sort()).toEqual(["recovery_code", "totp"]);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect((await me(person.session.access)).status).toBe(200);
    await expectUnchanged(person);
  });

  it("takes effect with a code of the app, gives no token, and leaves the factors alone", async () => {
    const person = await coveredPerson();
    const challenge = await resetChallenge(person);
    const answer = await post(
      "/auth/2fa/verify",
      { challenge_token: challenge, method: "totp", code: await person.authenticator.next(), trust_browser: true },
      { headers: ownPage },
    );
    expectPlain(answer, done);
    expectProblem(await logIn(person), 401, "sign_in_failed");
    const door = await logIn(withPassword(person));
    expect(door.body.status).toBe("challenge");
    expect([...(door.body.methods as string[])].sort()).toEqual(["recovery_code", "totp"]);
    const code = await person.authenticator.next();
    const { access_token } = (await answerChallenge(text(door, "challenge_token"), code)).body;
    expect((await factorsOf(String(access_token))).map(({ id }) => id)).toEqual([person.factorId]);
  });

  it("takes effect with a passkey, and with a recovery code, which that spends", async () => {
    const owner = await passkeyPerson();
    expectPlain(await answerByPasskey(await resetChallenge(owner), owner.passkey), done);
    const door = await challenged(withPassword(owner));
    const signIn = await answerByPasskey(door, owner.passkey);
    expect((await factorsOf(text(signIn, "access_token"))).map(({ id }) => id)).toEqual([owner.passkeyId]);
    const person = await coveredPerson();
    const code = spare(person);
    expectPlain(await recover(await resetChallenge(person), code), done);
    const next = await challenged(withPassword(person));
    expectProblem(await recover(next, code), 401, "invalid_code");
    expect((await recover(next, spare(person))).body.status).toBe("authenticated");
  });

  it("ends all sessions and every open challenge, at the door and at step-up", async () => {
    const person = await coveredPerson();
    const other = await recoverySession(person);
    const door = await challenged(person);
    const raise = text(await stepUp(person.session.access), "challenge_token");
    expectPlain(await recover(await resetChallenge(person), spare(person)), done);
    await expectAllEnded(person.session, other);
    const code = await person.authenticator.next();
    for (const challenge of [door, raise]) {
      expectProblem(await answerChallenge(challenge, code), 401, "invalid_challenge");
      expectProblem(await recover(challenge, spare(person)), 401, "invalid_challenge");
    }
    // Nothing refused above has spent the code.
    expect((await answerChallenge(await challenged(withPassword(person)), code)).status).toBe(200);
  });

  it("posted a second time replaces the challenge, and with it the new password; the answer spends the link", async () => {
    const person = await coveredPerson();
    const token = await resetLink(person);
    const first = text(await reset(token, otherPasswords[2]), "challenge_token");
    const second = text(await reset(token, otherPassword), "challenge_token");
    expectProblem(await recover(first, spare(person)), 401, "invalid_challenge");
    expectPlain(await recover(second, spare(person)), done);
    expectDeadLink(await reset(token, otherPasswords[0]));
    expectProblem(await recover(second, spare(person)), 401, "invalid_challenge");
    expect((await logIn(withPassword(person))).body.status).toBe("challenge");
    expectProblem(await logIn(withPassword(person, otherPasswords[2])), 401, "sign_in_failed");
  });

  it("is not done by a factor, a code or an assertion of somebody else", async () => {
    const [ada, eve] = [await passkeyOwner(), await passkeyOwner()];
    const challenge = await resetChallenge(ada);
    const code = await eve.authenticator.next();
    expectProblem(await answerChallenge(challenge, code), 401, "invalid_code");
    expectProblem(await recover(challenge, eve.codes[0]), 401, "invalid_code");
    const assertion = await assertionFor(await challenged(eve), eve.passkey);
    expectProblem(await answerWithPasskey(challenge, assertion), 401, "invalid_code");
    await expectUnchanged(ada);
    expectPlain(await answerByPasskey(challenge, ada.passkey), done);
  });

  it("gives a challenge that opens nothing else", async () => {
    const person = await coveredPerson();
    const challenge = await resetChallenge(person);
    expectProblem(await me(challenge), 401, "invalid_token");
    const refusals = [
      await enrol(challenge),
      await post("/auth/password/change", { current_password: person.password, new_password: otherPassword }),
    ];
    for (const { status, body } of refusals) {
      expect(status).toBe(401);
      expect(["invalid_token", "invalid_challenge"]).toContain(body.code);
    }
    expect((await sessionsOf(person.session.access)).length).toBe(1);
    expectPlain(await recover(challenge, spare(person)), done);
  });

  it("takes one answer of twenty at once", async () => {
    const person = await appAndPasskeyPerson();
    const challenge = await resetChallenge(person);
    const code = await person.authenticator.next();
    const answers = await atOnce(20, () => answerChallenge(challenge, code));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers)
      if (answer.status !== 200) expectProblem(answer, 401, ["invalid_challenge", "invalid_code"]);
    expectProblem(await logIn(person), 401, "sign_in_failed");
    expect((await logIn(withPassword(person))).body.status).toBe("challenge");
  });

  it("takes no more guesses than the account has: ten codes, however often the link is posted", async () => {
    const person = await coveredPerson();
    const token = await resetLink(person);
    for (let round = 0; round < 2; round++) {
      const challenge = text(await reset(token), "challenge_token");
      await wrongCodes(person, challenge, 5);
      expectProblem(await recover(challenge, spare(person)), 401, "invalid_challenge");
    }
    const last = text(await reset(token), "challenge_token");
    const right = await person.authenticator.next();
    expectProblem(await answerChallenge(last, right), 429, "too_many_attempts");
    expectProblem(await answerChallenge(last, person.authenticator.wrong()), 429, "too_many_attempts");
    // The budget closes the app alone.
    expectPlain(await recover(last, spare(person)), done);
  });

  it("dies when a factor changes before it is answered", async () => {
    const person = await coveredPerson();
    const challenge = await resetChallenge(person);
    const { access } = await aal2(person);
    expect((await post("/auth/2fa/turn-off", {}, { bearer: access })).status).toBe(204);
    expectProblem(await recover(challenge, spare(person)), 401, "invalid_challenge");
    expectProblem(await answerChallenge(challenge, await person.authenticator.next()), 401, "invalid_challenge");
    expect((await logIn(person)).body.status).toBe("authenticated");
  });
});
