import { describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  expectProblem,
  logIn,
  me,
  newPerson,
  newSource,
  post,
  refreshed,
  registered,
  sessionOf,
  sessionsOf,
  signedIn,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";

const times = <T>(count: number, act: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => act(i)));
const succeeded = (answers: Answer[]) => answers.filter((answer) => answer.status === 200);

describe("at the same moment", () => {
  it("fifty answers to one challenge with the right code open one session", async () => {
    const person = await twoFactorPerson();
    const [challenge, code] = [await challenged(person), await person.authenticator.next()];
    const answers = await times(50, () => answerChallenge(challenge, code));
    expect(succeeded(answers).length).toBe(1);
    for (const answer of answers) if (answer.status !== 200) expect([401, 429]).toContain(answer.status);
    expect((await sessionsOf(person.session.access)).length).toBe(2);
  });

  it("one code sent to three challenges from many places opens one session", async () => {
    const person = await twoFactorPerson();
    const open = [await challenged(person), await challenged(person), await challenged(person)];
    const code = await person.authenticator.next();
    const answers = await times(48, (i) => answerChallenge(open[i % 3] ?? "", code));
    expect(succeeded(answers).length).toBe(1);
    expect((await sessionsOf(person.session.access)).length).toBe(2);
  });

  it("wrong codes on all open challenges are no more than the budget allows", async () => {
    const person = await twoFactorPerson();
    const open = [await challenged(person), await challenged(person), await challenged(person)];
    const answers = await times(48, (i) => answerChallenge(open[i % 3] ?? "", person.authenticator.wrong()));
    // "Spend before you check": only ten are ever compared with a code; the others are told that a budget or a challenge is used up.
    expect(answers.filter((answer) => answer.body.code === "invalid_code").length).toBeLessThanOrEqual(10);
    expect(succeeded(answers)).toEqual([]);
    for (const answer of answers)
      expect(["invalid_code", "invalid_challenge", "too_many_attempts"]).toContain(answer.body.code);
  });

  it("fifty refreshes with one token have one successor", async () => {
    const session = await signedIn(await verifiedPerson());
    const answers = await times(50, () => refreshed(session.refresh));
    const successors = new Set(succeeded(answers).map((answer) => answer.body.refresh_token));
    expect(successors.size).toBe(1);
    const [successor] = successors;
    expect(successor).not.toBe(session.refresh);
    expect((await refreshed(String(successor))).status).toBe(200);
  });

  it("a refresh and a logout leave no living token, whichever comes first", async () => {
    const person = await verifiedPerson();
    for (let round = 0; round < 8; round++) {
      const session = await signedIn(person);
      const [refresh, logout] = await Promise.all([
        refreshed(session.refresh),
        post("/auth/logout", { refresh_token: session.refresh }),
      ]);
      expect(logout.status).toBe(204);
      expectProblem(await me(session.access), 401, "invalid_token");
      expectProblem(await refreshed(session.refresh), 401, "invalid_refresh_token");
      if (refresh.status !== 200) continue;
      const next = sessionOf(refresh);
      expectProblem(await me(next.access), 401, "invalid_token");
      expectProblem(await refreshed(next.refresh), 401, "invalid_refresh_token");
    }
  });

  it("one link with the right password verifies once", async () => {
    const person = newPerson();
    const token = await registered(person);
    const answers = await times(8, () => post("/auth/email/verify", { token, password: person.password }));
    expect(succeeded(answers).length).toBe(1);
    for (const answer of answers) if (answer.status !== 200) expectProblem(answer, 400, "invalid_link");
    expect((await logIn(person)).status).toBe(200);
  });

  it("fifty wrong passwords from one address: no more than the five free ones are answered as wrong", async () => {
    const person = await verifiedPerson();
    const guess = { ...person, source: newSource() };
    const answers = await times(50, (i) => logIn({ ...guess, password: `guess number ${i}` }, {}, { patient: false }));
    expect(answers.filter((answer) => answer.status === 401).length).toBeLessThanOrEqual(5);
    for (const answer of answers) expect([401, 403, 429, 503]).toContain(answer.status);
    expect(text(await logIn(person), "status")).toBe("authenticated");
  });
});
