import { describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  expectProblem,
  logIn,
  me,
  ownPage,
  post,
  refreshCookie,
  refreshed,
  sessionOf,
  sessionsOf,
  signedIn,
  text,
} from "../../support/client.ts";
import { tokenMembers } from "../../support/enrolment.ts";
import {
  changePassword,
  expectAllEnded,
  linkIn,
  mailsWith,
  otherPassword,
  otherPasswords,
  plainPerson,
  withPassword,
} from "../../support/life-client.ts";
import { atOnce } from "../../support/passkey-client.ts";
import {
  coveredPerson,
  expectInsufficient,
  proofIn,
  recover,
  recoverySession,
  spare,
  steppedUp,
  steppedUpByPassword,
  stepUp,
} from "../../support/recovery-client.ts";

describe.concurrent("a change of password", () => {
  it("gives the session new tokens; the new password signs in, the old one does not; the owner is told", async () => {
    const person = await plainPerson();
    const answer = await changePassword(person.session.access, person);
    expect(answer.status, answer.text).toBe(200);
    expect(Object.keys(answer.body).sort()).toEqual([...tokenMembers, "status"].sort());
    expect(answer.body.status).toBe("authenticated");
    expect(answer.headers.getSetCookie()).toEqual([]);
    const session = sessionOf(answer);
    // It goes on under another id, so that a copied access token of the one before opens nothing any more.
    expect(session.id).not.toBe(person.session.id);
    expectProblem(await me(person.session.access), 401, "invalid_token");
    expect((await me(session.access)).status).toBe(200);
    expect(sessionOf(await refreshed(session.refresh)).id).toBe(session.id);
    expectProblem(await refreshed(person.session.refresh), 401, "invalid_refresh_token");
    expectProblem(await logIn(person), 401, "sign_in_failed");
    expect((await logIn(withPassword(person))).body.status).toBe("authenticated");
    const [notice] = await mailsWith(person.email, (mail) => linkIn(mail, "freeze") !== undefined);
    expect(`${notice?.subject} ${notice?.text}`).toMatch(/password/i);
    for (const words of [notice?.text, notice?.html]) {
      for (const secret of [person.password, otherPassword]) expect(words).not.toContain(secret);
    }
  });

  it("gives a browser its refresh token as a cookie alone", async () => {
    const person = await plainPerson();
    const answer = await changePassword(person.session.access, person, otherPassword, { headers: ownPage });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.text).not.toContain("rt_");
    expect(refreshCookie(answer)?.attributes).toEqual(expect.arrayContaining(["httponly", "secure", "path=/"]));
  });

  it("ends every other session and every open challenge, at the door and at step-up", async () => {
    const person = await coveredPerson();
    const other = await recoverySession(person);
    const door = await challenged(person);
    const [raise, theirs] = [
      text(await stepUp(person.session.access), "challenge_token"),
      text(await stepUp(other.access), "challenge_token"),
    ];
    const session = sessionOf(await changePassword(person.session.access, person));
    await expectAllEnded(other);
    const code = await person.authenticator.next();
    for (const challenge of [door, raise, theirs]) {
      expectProblem(await answerChallenge(challenge, code), 401, "invalid_challenge");
      expectProblem(await recover(challenge, spare(person)), 401, "invalid_challenge");
    }
    expect((await sessionsOf(session.access)).map(({ id }) => id)).toEqual([session.id]);
    expect((await answerChallenge(await challenged(withPassword(person)), code)).status).toBe(200);
  });

  it("keeps the level of the session, and never gives it what one token of a step-up had", async () => {
    const person = await coveredPerson();
    const recovery = await recoverySession(person);
    const raised = await steppedUp(recovery.access, person.authenticator);
    const answer = await changePassword(raised, person);
    if (answer.status !== 200) expectInsufficient(answer);
    // The session stays one that a recovery code opened, should the token be taken at all.
    else expect(proofIn(text(answer, "access_token")).acr).toBe("aal2-recovery");
    const other = await coveredPerson();
    const kept = proofIn(text(await changePassword(other.session.access, other), "access_token"));
    expect(kept).toMatchObject({ acr: "aal2", amr: proofIn(other.session.access).amr });
  });

  it("needs fresh proof by a normal factor where there is one, and until then nothing happens", async () => {
    const person = await coveredPerson();
    const recovery = await recoverySession(person);
    for (const access of [person.early, recovery.access, await steppedUpByPassword(recovery.access, person)]) {
      expectInsufficient(await changePassword(access, person));
    }
    for (const access of ["a.b.c", person.session.refresh, await challenged(person)]) {
      expectProblem(await changePassword(access, person), 401, "invalid_token");
    }
    expect((await logIn(person)).body.status).toBe("challenge");
    expect((await me(recovery.access)).status).toBe(200);
  });

  it("needs the current password, and five wrong ones end the session", async () => {
    const person = await plainPerson();
    const other = await signedIn(person);
    const { access } = person.session;
    for (let i = 0; i < 5; i++) {
      expect((await me(access)).status).toBe(200);
      const answer = await changePassword(access, { ...person, password: `wrong guess number ${i}` });
      expectProblem(answer, 401, "sign_in_failed");
    }
    expectProblem(await changePassword(access, person), 401, "invalid_token");
    await expectAllEnded(person.session);
    expect((await me(other.access)).status).toBe(200);
    expect((await logIn(person)).body.status).toBe("authenticated");
  });

  it("to a weak password is refused with the reason, and nothing has happened", async () => {
    const person = await plainPerson();
    const { access } = person.session;
    for (const [weak, reason] of [
      ["too short", "too_short"],
      ["x".repeat(129), "too_long"],
      ["123456789012", "too_common"],
      [person.email, "contains_context"],
    ] as const) {
      const answer = await changePassword(access, person, weak);
      expectProblem(answer, 422, "weak_password");
      expect(answer.body.reason).toBe(reason);
    }
    for (const body of [
      { current_password: person.password },
      { new_password: otherPassword },
      { current_password: person.password, new_password: [otherPassword] },
      { current_password: person.password, new_password: otherPassword, email: "evil@mail.example" },
    ]) {
      expectProblem(await post("/auth/password/change", body, { bearer: access }), 400, "invalid_request");
    }
    expect((await logIn(person)).body.status).toBe("authenticated");
    expect((await refreshed(person.session.refresh)).status).toBe(200);
  });

  it("of twenty at once happens once, and that password signs in", async () => {
    const person = await plainPerson();
    const answers = await atOnce(20, (i) => changePassword(person.session.access, person, otherPasswords[i]));
    const winners = answers.flatMap(({ status }, i) => (status === 200 ? [i] : []));
    expect(winners).toHaveLength(1);
    for (const { status } of answers) expect([200, 401, 409]).toContain(status);
    expectProblem(await logIn(person), 401, "sign_in_failed");
    const won = winners[0] ?? 0;
    expect((await logIn(withPassword(person, otherPasswords[won]))).body.status).toBe("authenticated");
    expectProblem(await logIn(withPassword(person, otherPasswords[(won + 1) % 20])), 401, "sign_in_failed");
  });

  it("while the old password signs in, or a challenge of it is answered, leaves no session of that behind", async () => {
    for (let round = 0; round < 2; round++) {
      const [plain, covered] = [await plainPerson(), await coveredPerson()];
      const challenge = await challenged(covered);
      const [one, other, ...changes] = await Promise.all([
        logIn(plain),
        recover(challenge, spare(covered)),
        changePassword(plain.session.access, plain),
        changePassword(covered.session.access, covered),
      ]);
      for (const signIn of [one, other]) if (signIn.status === 200) await expectAllEnded(sessionOf(signIn));
      for (const change of changes) {
        expect(change.status, change.text).toBe(200);
        expect((await sessionsOf(text(change, "access_token"))).length).toBe(1);
      }
    }
  });
});
