import { describe, expect, it } from "vitest";
import { Authenticator } from "../../support/authenticator.ts";
import {
  type Answer,
  answerChallenge,
  challenged,
  confirm,
  enrol,
  expectProblem,
  get,
  logIn,
  me,
  send,
  sessionOf,
  sessionsOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  accessTokenAlone,
  type CoveredPerson,
  codesOf,
  coveredPerson,
  factorsOf,
  mailsCausedBy,
  recover,
  recoverySession,
  regenerate,
  shownForm,
  spare,
  stepUp,
  wrongRecoveryCode,
} from "../../support/recovery-client.ts";

const compact = (code: string) => code.replaceAll("-", "");
const opened = async (person: CoveredPerson, code: unknown) => recover(await challenged(person), code);

describe("recovery codes", () => {
  it("come with the first factor: ten of 120 bits, all different", async () => {
    const session = await signedIn(await verifiedPerson());
    const enrolment = await enrol(session.access);
    const code = await new Authenticator(text(enrolment, "secret")).next();
    const answer = await confirm(session.access, text(enrolment, "factor_id"), code);
    expect(answer.status, answer.text).toBe(200);
    expect(Object.keys(answer.body).sort()).toEqual(["recovery_codes", "status"]);
    expect(answer.headers.get("cache-control")).toMatch(/no-store/);
    const codes = codesOf(answer);
    expect(new Set(codes).size).toBe(10);
    for (const one of codes) expect(one).toMatch(shownForm);
    // 240 random characters of 32 miss half of the alphabet once in 10^30 times.
    expect(new Set(compact(codes.join(""))).size).toBeGreaterThan(16);
  });

  it("do not come with a pending factor, nor with a wrong code", async () => {
    const session = await signedIn(await verifiedPerson());
    const enrolment = await enrol(session.access);
    const wrong = new Authenticator(text(enrolment, "secret")).wrong();
    const refused = await confirm(session.access, text(enrolment, "factor_id"), wrong);
    for (const answer of [enrolment, refused]) expect(answer.text).not.toContain("recovery_codes");
    expect((await factorsOf(session.access)).remaining).toBe(0);
  });

  it("are shown once: no second factor brings any, no list and no profile repeats them", async () => {
    const person = await coveredPerson();
    const { access } = person.session;
    const enrolment = await enrol(access);
    const code = await new Authenticator(text(enrolment, "secret")).next();
    const second = await confirm(access, text(enrolment, "factor_id"), code);
    expect(second.body).toEqual({ status: "active" });
    const seen = [enrolment, second, await me(access), await logIn(person)];
    for (const path of ["/auth/2fa", "/auth/sessions"]) seen.push(await get(path, { bearer: access }));
    seen.push(await send("GET", "/auth/2fa/recovery-codes", undefined, { bearer: access }));
    for (const answer of seen) {
      for (const one of person.codes) {
        expect(answer.text).not.toContain(one);
        expect(answer.text).not.toContain(compact(one));
      }
    }
    expect((await factorsOf(access)).remaining).toBe(10);
  });

  it("are counted down one by one, and offered at the door while there are any", async () => {
    const person = await coveredPerson();
    for (let left = 9; left >= 0; left--) {
      const door = await logIn(person);
      expect([...(door.body.methods as string[])].sort()).toEqual(["recovery_code", "totp"]);
      const session = sessionOf(await recover(text(door, "challenge_token"), spare(person)));
      expect((await factorsOf(session.access)).remaining).toBe(left);
    }
    expect((await logIn(person)).body.methods).toEqual(["totp"]);
    expect((await stepUp(person.session.access)).body.methods).toEqual(["totp"]);
  });
});

describe("a recovery code", () => {
  it("opens once", async () => {
    const person = await coveredPerson();
    const code = spare(person);
    const [first, second] = [await challenged(person), await challenged(person)];
    expect((await recover(first, code)).body.status).toBe("authenticated");
    const replay = await recover(second, code);
    expectProblem(replay, 401, "invalid_code");
    expect(replay.text).not.toContain("access_token");
    expect(replay.headers.getSetCookie()).toEqual([]);
    const later = await opened(person, code.toLowerCase());
    expectProblem(later, 401, "invalid_code");
    expect((await factorsOf(person.session.access)).remaining).toBe(9);
  });

  it("uses its challenge up, as any answer does", async () => {
    const person = await coveredPerson();
    const challenge = await challenged(person);
    expect((await recover(challenge, spare(person))).status).toBe(200);
    const next = spare(person);
    expectProblem(await recover(challenge, next), 401, "invalid_challenge");
    expectProblem(await answerChallenge(challenge, await person.authenticator.next()), 401, "invalid_challenge");
    expect((await opened(person, next)).status).toBe(200);
  });

  it("of somebody else opens nothing, is not spent, and counts against the challenge's account alone", async () => {
    const [ada, eve] = [await coveredPerson(), await coveredPerson()];
    const code = spare(eve);
    const answer = await opened(ada, code);
    expectProblem(answer, 401, "invalid_code");
    expect(answer.body.attempts_remaining).toBe(4);
    expect((await opened(eve, code)).body.status).toBe("authenticated");
  });

  it("opens nothing without a challenge", async () => {
    const person = await coveredPerson();
    const { session } = person;
    const code = spare(person);
    for (const token of [session.access, session.refresh, "a.b.c"]) {
      expectProblem(await recover(token, code), 401, "invalid_challenge");
    }
    expect((await opened(person, code)).status).toBe(200);
  });

  it("confirms no authenticator app", async () => {
    const person = await coveredPerson();
    const enrolment = await enrol(person.session.access);
    const code = spare(person);
    expectProblem(await confirm(person.session.access, text(enrolment, "factor_id"), code), 400, "invalid_request");
    expect((await opened(person, code)).status).toBe(200);
  });

  it("tells the owner by mail when it is used, at the door and at step-up, without repeating a code", async () => {
    const person = await coveredPerson();
    // The verification link and the notice of the new factor came before.
    const atDoor = await mailsCausedBy(person.email, 2, () => recoverySession(person));
    const atStepUp = await mailsCausedBy(person.email, 3, async () => {
      const challenge = text(await stepUp(person.session.access), "challenge_token");
      accessTokenAlone(await recover(challenge, spare(person)));
    });
    for (const mails of [atDoor, atStepUp]) {
      expect(mails.length).toBe(1);
      for (const { subject, text: words, html } of mails) {
        expect(`${subject} ${words}`).toMatch(/recovery code/i);
        for (const code of person.codes) expect(words + html).not.toContain(code);
      }
    }
  });

  it("that was wrong tells nobody by mail", async () => {
    const person = await coveredPerson();
    const mails = await mailsCausedBy(person.email, 2, async () => {
      const challenge = await challenged(person);
      expectProblem(await recover(challenge, wrongRecoveryCode()), 401, "invalid_code");
      expect((await recover(challenge, spare(person), { source: person.source })).status).toBe(200);
    });
    expect(mails.length).toBe(1);
  });
});

describe("at the same moment", () => {
  const times = (count: number, act: (i: number) => Promise<Answer>) =>
    Promise.all(Array.from({ length: count }, (_, i) => act(i)));

  async function expectOneSession(person: CoveredPerson, answers: Answer[]): Promise<void> {
    expect(answers.filter((answer) => answer.status === 200).length).toBe(1);
    for (const answer of answers) if (answer.status !== 200) expect([401, 429], answer.text).toContain(answer.status);
    expect((await sessionsOf(person.session.access)).length).toBe(2);
    expect((await factorsOf(person.session.access)).remaining).toBe(9);
  }

  it("fifty answers with one recovery code to one challenge open one session", async () => {
    const person = await coveredPerson();
    const [challenge, code] = [await challenged(person), spare(person)];
    await expectOneSession(person, await times(50, () => recover(challenge, code)));
  });

  it("fifty answers with one recovery code to three challenges open one session", async () => {
    const person = await coveredPerson();
    const open = [await challenged(person), await challenged(person), await challenged(person)];
    const code = spare(person);
    await expectOneSession(person, await times(50, (i) => recover(open[i % 3] ?? "", code)));
  });

  it("fifty answers with one recovery code to the door and to two step-ups give one token", async () => {
    const person = await coveredPerson();
    const other = await recoverySession(person);
    const open = [
      await challenged(person),
      text(await stepUp(person.session.access), "challenge_token"),
      text(await stepUp(other.access), "challenge_token"),
    ];
    const code = spare(person);
    const answers = await times(50, (i) => recover(open[i % 3] ?? "", code));
    expect(answers.filter((answer) => "access_token" in answer.body).length).toBe(1);
  });

  it("ten different recovery codes and one challenge: one session, one code spent", async () => {
    const person = await coveredPerson();
    const challenge = await challenged(person);
    const codes = [...person.codes];
    await expectOneSession(person, await times(10, (i) => recover(challenge, codes[i])));
  });

  it("two new sets leave one that works", async () => {
    const person = await coveredPerson();
    const sets = (await times(2, () => regenerate(person.session.access))).map(codesOf);
    const answers = [await opened(person, sets[0]?.[0]), await opened(person, sets[1]?.[0])];
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 401]);
  });
});
