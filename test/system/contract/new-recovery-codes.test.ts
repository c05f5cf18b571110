import { describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  expectProblem,
  refreshed,
  send,
  sessionOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  accessTokenAlone,
  addFactor,
  type CoveredPerson,
  codesOf,
  coveredPerson,
  expectInsufficient,
  factorsOf,
  mailsCausedBy,
  recover,
  recoverySession,
  regenerate,
  shownForm,
  spare,
  steppedUp,
  steppedUpByPassword,
  stepUp,
} from "../../support/recovery-client.ts";

const opened = async (person: CoveredPerson, code: unknown) => recover(await challenged(person), code);

describe("a new set of recovery codes", () => {
  it("is ten others, and kills the old set, used or not", async () => {
    const person = await coveredPerson();
    await recoverySession(person);
    expect((await factorsOf(person.session.access)).remaining).toBe(9);
    const answer = await regenerate(person.session.access);
    expect(answer.status, answer.text).toBe(200);
    expect(Object.keys(answer.body)).toEqual(["recovery_codes"]);
    const codes = codesOf(answer);
    expect(new Set([...codes, ...person.codes]).size).toBe(10 + person.codes.length);
    for (const code of codes) expect(code).toMatch(shownForm);
    expect((await factorsOf(person.session.access)).remaining).toBe(10);
    const challenge = await challenged(person);
    for (const old of person.codes.slice(0, 2)) expectProblem(await recover(challenge, old), 401, "invalid_code");
    expect((await recover(challenge, codes[9])).body.status).toBe("authenticated");
  });

  it("may be asked for without a body, and with no member", async () => {
    const person = await coveredPerson();
    const { access } = person.session;
    expect((await send("POST", "/auth/2fa/recovery-codes", undefined, { bearer: access })).status).toBe(200);
    for (const body of [{ count: 100 }, { recovery_codes: person.codes }, []]) {
      expectProblem(await regenerate(access, body), 400, "invalid_request");
    }
  });

  it("is told of by mail, which does not hold it", async () => {
    const person = await coveredPerson();
    let codes: string[] = [];
    const mails = await mailsCausedBy(person.email, 2, async () => {
      codes = codesOf(await regenerate(person.session.access));
    });
    expect(mails.length).toBe(1);
    expect(`${mails[0]?.subject} ${mails[0]?.text}`).toMatch(/recovery code/i);
    for (const code of codes) expect(JSON.stringify(mails)).not.toContain(code);
  });

  it("needs fresh proof by a normal factor: a token from before it, a recovery session or the password will not do", async () => {
    const person = await coveredPerson();
    const recovery = await recoverySession(person);
    const byRecoveryCode = accessTokenAlone(
      await recover(text(await stepUp(person.session.access), "challenge_token"), spare(person)),
    );
    const tooWeak = [
      person.early,
      recovery.access,
      sessionOf(await refreshed(recovery.refresh)).access,
      await steppedUpByPassword(recovery.access, person),
      byRecoveryCode,
    ];
    for (const access of tooWeak) expectInsufficient(await regenerate(access));
    expectProblem(await regenerate("a.b.c"), 401, "invalid_token");
    expect((await factorsOf(person.session.access)).remaining).toBe(8);
    // The same session with its authenticator app: now it may, and until then the old set was untouched.
    expect((await opened(person, spare(person))).status).toBe(200);
    expect((await regenerate(await steppedUp(recovery.access, person.authenticator))).status).toBe(200);
  });

  it("is not for an account without a factor", async () => {
    const { access } = await signedIn(await verifiedPerson());
    const answer = await regenerate(access);
    expectInsufficient(answer, "aal1");
    expect((await factorsOf(access)).remaining).toBe(0);
  });

  it("is nothing a challenge token can ask for", async () => {
    const person = await coveredPerson();
    const challenge = await challenged(person);
    expectProblem(await regenerate(challenge), 401, "invalid_token");
    expect((await recover(challenge, spare(person))).status).toBe(200);
  });

  it("leaves the account's other factors as they were", async () => {
    const person = await coveredPerson();
    const second = await addFactor(person.session.access);
    await regenerate(person.session.access);
    expect((await answerChallenge(await challenged(person), await person.authenticator.next())).status).toBe(200);
    expect((await answerChallenge(await challenged(person), await second.authenticator.next())).status).toBe(200);
  });
});
