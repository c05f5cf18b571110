import { describe, expect, it } from "vitest";
import { stepAt } from "../../support/authenticator.ts";
import {
  type Answer,
  answerChallenge,
  challenged,
  distinguishable,
  enrol,
  expectProblem,
  get,
  logIn,
  me,
  ownPage,
  refreshed,
  send,
  sessionOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  type AddedFactor,
  addFactor,
  type CoveredPerson,
  coveredPerson,
  expectEnded,
  expectInsufficient,
  factorsOf,
  mailsCausedBy,
  nobody,
  proofIn,
  recover,
  recoverySession,
  removeFactor,
  spare,
  steppedUp,
  steppedUpByPassword,
  stepUp,
  turnOff,
} from "../../support/recovery-client.ts";

/** Somebody with two authenticator apps; of each, one code has been used. */
async function withTwoApps(): Promise<CoveredPerson & { second: AddedFactor }> {
  const person = await coveredPerson();
  return { ...person, second: await addFactor(person.session.access, "Tablet") };
}

/** Tokens that are not fresh: from before the factor, of a recovery session, and after its password. */
async function tooWeak(person: CoveredPerson): Promise<string[]> {
  const recovery = await recoverySession(person);
  return [person.early, recovery.access, await steppedUpByPassword(recovery.access, person)];
}

describe("removing a factor", () => {
  it("takes it off the list, and its codes open nothing any more; the other's do", async () => {
    const person = await withTwoApps();
    const answer = await removeFactor(person.session.access, person.second.id);
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 204, text: "" });
    const { factors, remaining } = await factorsOf(person.session.access);
    expect(factors.map(({ id }) => id)).toEqual([person.factorId]);
    expect(remaining).toBe(10);
    const challenge = await challenged(person);
    expectProblem(await answerChallenge(challenge, await person.second.authenticator.next()), 401, "invalid_code");
    expect((await answerChallenge(challenge, await person.authenticator.next())).status).toBe(200);
    expectProblem(await removeFactor(person.session.access, person.second.id), 404, "not_found");
  });

  it("may be the first one, when there is another", async () => {
    const person = await withTwoApps();
    expect((await removeFactor(person.session.access, person.factorId)).status).toBe(204);
    const challenge = await challenged(person);
    expectProblem(await answerChallenge(challenge, await person.authenticator.next()), 401, "invalid_code");
    expect((await answerChallenge(challenge, await person.second.authenticator.next())).status).toBe(200);
    expect((await recoverySession(person)).id).toMatch(/./);
  });

  it("ends the other sessions and every open challenge, at the door and at step-up; this session goes on", async () => {
    const person = await withTwoApps();
    const others = [await recoverySession(person), await recoverySession(person)];
    const door = await challenged(person);
    const raise = text(await stepUp(person.session.access), "challenge_token");
    const theirs = text(await stepUp(others[0]?.access ?? ""), "challenge_token");
    expect((await removeFactor(person.session.access, person.second.id)).status).toBe(204);
    for (const other of others) await expectEnded(other);
    const code = await person.authenticator.next();
    for (const challenge of [door, raise, theirs]) {
      expectProblem(await answerChallenge(challenge, code), 401, "invalid_challenge");
      expectProblem(await recover(challenge, spare(person)), 401, "invalid_challenge");
    }
    expect((await me(person.session.access)).status).toBe(200);
    expect(sessionOf(await refreshed(person.session.refresh)).id).toBe(person.session.id);
    // Nothing refused above has spent the code.
    expect((await answerChallenge(await challenged(person), code)).status).toBe(200);
  });

  it("is told of by mail", async () => {
    const person = await withTwoApps();
    const mails = await mailsCausedBy(person.email, 3, () => removeFactor(person.session.access, person.second.id));
    expect(mails.length).toBe(1);
    expect(`${mails[0]?.subject} ${mails[0]?.text}`).toMatch(/remove/i);
  });

  it("needs fresh proof by a normal factor, and until then nothing happens", async () => {
    const person = await withTwoApps();
    for (const access of await tooWeak(person)) {
      expectInsufficient(await removeFactor(access, person.second.id));
      // Whether the factor exists is not said either.
      expectInsufficient(await removeFactor(access, nobody));
    }
    expectProblem(await removeFactor("a.b.c", person.second.id), 401, "invalid_token");
    expect((await factorsOf(person.session.access)).factors.length).toBe(2);
    expect((await me(person.session.access)).status).toBe(200);
  });

  it("works with the one token of a step-up", async () => {
    const person = await withTwoApps();
    const access = await steppedUp(person.early, person.authenticator);
    expect((await removeFactor(access, person.factorId)).status).toBe(204);
    expect((await factorsOf(access)).factors.map(({ id }) => id)).toEqual([person.second.id]);
  });

  it("never takes the last one", async () => {
    const person = await coveredPerson();
    const other = await recoverySession(person);
    expectProblem(await removeFactor(person.session.access, person.factorId), 403, "forbidden");
    expect((await factorsOf(person.session.access)).factors.length).toBe(1);
    expect((await me(other.access)).status).toBe(200);
    expect((await logIn(person)).body.status).toBe("challenge");
  });

  it("never takes the last one, though another is pending", async () => {
    const person = await coveredPerson();
    const pending = text(await enrol(person.session.access), "factor_id");
    expectProblem(await removeFactor(person.session.access, person.factorId), 403, "forbidden");
    expectProblem(await removeFactor(person.session.access, pending), 404, "not_found");
  });

  it("never takes both of two, though both are removed at once", async () => {
    const person = await withTwoApps();
    const answers = await Promise.all(
      [person.factorId, person.second.id].map((id) => removeFactor(person.session.access, id)),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([204, 403]);
    expect((await factorsOf(person.session.access)).factors.length).toBe(1);
    expect((await logIn(person)).body.status).toBe("challenge");
  });

  it("while it signs somebody in leaves no session behind, whichever comes first", async () => {
    const person = await withTwoApps();
    const [challenge, code] = [await challenged(person), await person.second.authenticator.next()];
    const [signIn, removal] = await Promise.all([
      answerChallenge(challenge, code),
      removeFactor(person.session.access, person.second.id),
    ]);
    expect(removal.status).toBe(204);
    if (signIn.status === 200) await expectEnded(sessionOf(signIn));
    else expectProblem(signIn, 401, ["invalid_challenge", "invalid_code"]);
    expect((await me(person.session.access)).status).toBe(200);
  });

  it("of somebody else, of a pending one or of one that never was cannot be told apart", async () => {
    const [ada, eve] = [await withTwoApps(), await withTwoApps()];
    const pending = text(await enrol(ada.session.access), "factor_id");
    const answers: Answer[] = [];
    for (const id of [nobody, eve.factorId, pending]) answers.push(await removeFactor(ada.session.access, id));
    const [unknown, ...others] = answers.map(distinguishable);
    expectProblem(answers[0] as Answer, 404, "not_found");
    for (const other of others) expect(other).toEqual(unknown);
    expect((await factorsOf(eve.session.access)).factors.length).toBe(2);
    for (const id of ["'", "%00", "x".repeat(600), "__proto__", "%ff"]) {
      const answer = await removeFactor(ada.session.access, id);
      expect([400, 404], `${id}: ${answer.text}`).toContain(answer.status);
    }
  });

  it("makes room for another", async () => {
    const person = await withTwoApps();
    const third = await addFactor(person.session.access);
    expect((await removeFactor(person.session.access, person.second.id)).status).toBe(204);
    const fourth = await addFactor(person.session.access);
    const listed = (await factorsOf(person.session.access)).factors.map(({ id }) => id);
    expect(listed.sort()).toEqual([person.factorId, third.id, fourth.id].sort());
  });
});

describe("turning the second factor off", () => {
  it("removes all factors and codes: the next sign-in is one door, and says so", async () => {
    const person = await withTwoApps();
    const answer = await turnOff(person.session.access);
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 204, text: "" });
    expect((await get("/auth/2fa", { bearer: person.session.access })).body).toEqual({
      factors: [],
      recovery_codes_remaining: 0,
      required: false,
    });
    const door = await logIn(person);
    expect(door.body.status).toBe("authenticated");
    expect(door.body).not.toHaveProperty("enrolment_token");
    const { acr, amr, factors } = proofIn(text(door, "access_token"));
    expect({ acr, amr, factors: Object.keys(factors) }).toEqual({ acr: "aal1", amr: ["pwd"], factors: ["pwd"] });
  });

  it("may come without a body, and with no member", async () => {
    const person = await coveredPerson();
    const { access } = person.session;
    for (const body of [{ confirm: true }, { password: person.password }, []]) {
      expectProblem(await turnOff(access, body), 400, "invalid_request");
    }
    expect((await send("POST", "/auth/2fa/turn-off", undefined, { bearer: access })).status).toBe(204);
  });

  it("ends the other sessions and every open challenge; this session goes on", async () => {
    const person = await coveredPerson();
    const other = await recoverySession(person);
    const door = await challenged(person);
    const raise = text(await stepUp(person.session.access), "challenge_token");
    expect((await turnOff(person.session.access)).status).toBe(204);
    await expectEnded(other);
    for (const challenge of [door, raise]) {
      expectProblem(await answerChallenge(challenge, await person.authenticator.next()), 401, "invalid_challenge");
      expectProblem(await recover(challenge, spare(person)), 401, "invalid_challenge");
    }
    expect((await me(person.session.access)).status).toBe(200);
    expect(sessionOf(await refreshed(person.session.refresh)).id).toBe(person.session.id);
  });

  it("leaves nothing for later: a new factor brings new codes, and neither the old app nor the old codes open", async () => {
    const person = await coveredPerson();
    expect((await turnOff(person.session.access)).status).toBe(204);
    const again = await signedIn(person);
    const app = await addFactor(again.access);
    const session = sessionOf(await refreshed(again.refresh));
    expect((await factorsOf(session.access)).factors.map(({ id }) => id)).toEqual([app.id]);
    expect((await factorsOf(session.access)).remaining).toBe(10);
    const challenge = await challenged(person);
    expectProblem(await recover(challenge, spare(person)), 401, "invalid_code");
    const old = person.authenticator.at(stepAt(Date.now()) + 1);
    expectProblem(await answerChallenge(challenge, old), 401, "invalid_code");
    expect((await answerChallenge(challenge, await app.authenticator.next())).status).toBe(200);
  });

  it("is told of by mail", async () => {
    const person = await coveredPerson();
    const mails = await mailsCausedBy(person.email, 2, () => turnOff(person.session.access));
    expect(mails.length).toBe(1);
    expect(`${mails[0]?.subject} ${mails[0]?.text}`).toMatch(/turned off|switched off|removed|disabled/i);
  });

  it("needs fresh proof by a normal factor, and until then nothing happens", async () => {
    const person = await coveredPerson();
    for (const access of await tooWeak(person)) expectInsufficient(await turnOff(access));
    for (const access of ["a.b.c", person.session.refresh, await challenged(person)]) {
      expectProblem(await turnOff(access), 401, "invalid_token");
    }
    expect((await factorsOf(person.session.access)).factors.length).toBe(1);
    expect((await logIn(person)).body.status).toBe("challenge");
    expect((await turnOff(await steppedUp(person.early, person.authenticator))).status).toBe(204);
  });

  it("happens once, though a page asks fifty times", async () => {
    const person = await coveredPerson();
    const answers = await Promise.all(Array.from({ length: 50 }, () => turnOff(person.session.access)));
    expect(answers.map((answer) => answer.status)).toContain(204);
    for (const answer of answers) expect([204, 401], answer.text).toContain(answer.status);
    expect((await logIn(person, {}, { headers: ownPage })).body.status).toBe("authenticated");
  });

  it("of an account without a factor asks for proof that it cannot have", async () => {
    const { access } = await signedIn(await verifiedPerson());
    expectInsufficient(await turnOff(access), "aal1");
  });
});
