import { describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  confirm,
  expectProblem,
  get,
  logIn,
  signedIn,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";
import {
  addFactor,
  coveredPerson,
  expectEnded,
  factorsOf,
  pendingApp,
  recoverySession,
  stepUp,
} from "../../support/recovery-client.ts";

function expectNotActive(answer: Answer): void {
  expect([401, 403, 404], answer.text).toContain(answer.status);
  expect(answer.text).not.toMatch(/"active"|recovery_codes|access_token/);
}

describe("an authenticator app nobody has confirmed", () => {
  it("is worth nothing: not at the door, not at step-up, not in a list", async () => {
    const person = await coveredPerson();
    const { access } = person.session;
    const pending = await pendingApp(access);
    const [door, raise] = [await challenged(person), text(await stepUp(access), "challenge_token")];
    const code = await pending.authenticator.next();
    for (const challenge of [door, raise]) {
      const answer = await answerChallenge(challenge, code);
      expectProblem(answer, 401, "invalid_code");
      expect(answer.body.attempts_remaining).toBe(4);
    }
    expect((await factorsOf(access)).factors.map(({ id }) => id)).toEqual([person.factorId]);
    // None of this has spent the code for what it is good for.
    expect((await confirm(access, pending.id, code)).body).toEqual({ status: "active" });
  });

  it("asks nobody for a second door, and brings no recovery codes", async () => {
    const person = await verifiedPerson();
    const { access } = await signedIn(person);
    await pendingApp(access);
    const answer = await logIn(person);
    expect(answer.body.status).toBe("authenticated");
    expect(answer.body).not.toHaveProperty("enrolment_token");
    expect((await get("/auth/2fa", { bearer: access })).body).toEqual({
      factors: [],
      recovery_codes_remaining: 0,
      required: false,
    });
  });

  it("can be confirmed only by the session that asked for it", async () => {
    const person = await coveredPerson();
    const other = await recoverySession(person);
    const pending = await pendingApp(person.session.access);
    const code = await pending.authenticator.next();
    expectNotActive(await confirm(other.access, pending.id, code));
    const eve = await twoFactorPerson();
    expectNotActive(await confirm(eve.session.access, pending.id, code));
    expect((await factorsOf(person.session.access)).factors.length).toBe(1);
    // Any token of that session will do: confirming asks for no fresh proof.
    expect((await confirm(person.early, pending.id, code)).body).toEqual({ status: "active" });
  });

  it("is replaced by a second one, whichever session asks", async () => {
    const person = await verifiedPerson();
    const [one, two] = [await signedIn(person), await signedIn(person)];
    const [older, newer] = [await pendingApp(one.access), await pendingApp(two.access)];
    expectNotActive(await confirm(one.access, older.id, await older.authenticator.next()));
    expectNotActive(await confirm(two.access, newer.id, older.authenticator.wrong()));
    expect((await confirm(two.access, newer.id, await newer.authenticator.next())).body.status).toBe("active");
    await expectEnded(one);
  });

  it("dies after five wrong codes; a new one takes its place", async () => {
    const person = await coveredPerson();
    const { access } = person.session;
    const pending = await pendingApp(access);
    for (let i = 0; i < 5; i++) {
      const answer = await confirm(access, pending.id, pending.authenticator.wrong());
      expectProblem(answer, 401, "invalid_code");
    }
    expectNotActive(await confirm(access, pending.id, await pending.authenticator.next()));
    expect((await factorsOf(access)).factors.length).toBe(1);
    expect((await addFactor(access)).id).not.toBe(pending.id);
    // Mistakes with a new app cost nothing at the door.
    const challenge = await challenged(person);
    expect((await answerChallenge(challenge, person.authenticator.wrong())).body.attempts_remaining).toBe(4);
    expect((await answerChallenge(challenge, await person.authenticator.next())).status).toBe(200);
  });

  it("may be malformed four times and wrong four times before it is right", async () => {
    const { access } = await signedIn(await verifiedPerson());
    const pending = await pendingApp(access);
    for (const code of ["12345", "1234567", "abcdef", ""]) {
      expectProblem(await confirm(access, pending.id, code), 400, "invalid_request");
      expectProblem(await confirm(access, pending.id, pending.authenticator.wrong()), 401, "invalid_code");
    }
    expect((await confirm(access, pending.id, await pending.authenticator.next())).body.status).toBe("active");
  });

  it("becomes active once, though fifty confirm it at once", async () => {
    const session = await signedIn(await verifiedPerson());
    const pending = await pendingApp(session.access);
    const code = await pending.authenticator.next();
    const answers = await Promise.all(Array.from({ length: 50 }, () => confirm(session.access, pending.id, code)));
    expect(answers.filter((answer) => answer.status === 200).length).toBe(1);
    expect((await factorsOf(session.access)).factors.length).toBe(1);
    expect((await factorsOf(session.access)).remaining).toBe(10);
  });
});
