import { describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  expectProblem,
  logIn,
  me,
  newSource,
  refreshed,
  type TwoFactorPerson,
  text,
  twoFactorPerson,
} from "../../support/client.ts";

const wrongAnswers = async (person: TwoFactorPerson, challenge: string, times: number): Promise<unknown[]> => {
  const remaining: unknown[] = [];
  for (let i = 0; i < times; i++) {
    const answer = await answerChallenge(challenge, person.authenticator.wrong(), { source: newSource() });
    expectProblem(answer, 401, "invalid_code");
    remaining.push(answer.body.attempts_remaining);
  }
  return remaining;
};

describe.concurrent("the attempts of one challenge", () => {
  it("are five; after the fifth wrong code the right one finds no challenge", async () => {
    const person = await twoFactorPerson();
    const challenge = await challenged(person);
    expect(await wrongAnswers(person, challenge, 5)).toEqual([4, 3, 2, 1, 0]);
    expectProblem(await answerChallenge(challenge, await person.authenticator.next()), 401, "invalid_challenge");
  });

  it("may all but the last be wrong", async () => {
    const person = await twoFactorPerson();
    const challenge = await challenged(person);
    await wrongAnswers(person, challenge, 4);
    expect(text(await answerChallenge(challenge, await person.authenticator.next()), "status")).toBe("authenticated");
  });
});

describe.concurrent("the budget of an account", () => {
  it("is ten wrong codes an hour over all challenges and sources, then 429 even for the right code", async () => {
    const person = await twoFactorPerson();
    // "attempts_remaining = the smaller of challenge's and budget's": three challenges, so that both are seen.
    expect(await wrongAnswers(person, await challenged(person), 3)).toEqual([4, 3, 2]);
    expect(await wrongAnswers(person, await challenged(person), 3)).toEqual([4, 3, 2]);
    const third = await challenged(person);
    expect(await wrongAnswers(person, third, 4)).toEqual([3, 2, 1, 0]);
    const right = await person.authenticator.next();
    const refusals = [await answerChallenge(third, right), await answerChallenge(third, person.authenticator.wrong())];
    for (const answer of refusals) {
      expectProblem(answer, 429, "too_many_attempts");
      const wait = Number(answer.headers.get("retry-after"));
      expect(wait).toBeGreaterThan(3_000);
      expect(wait).toBeLessThanOrEqual(3_600);
      expect(answer.text).not.toContain("access_token");
    }
    // A new challenge, if there still is one, refills nothing.
    const login = await logIn(person);
    expect(login.text).not.toContain("access_token");
    if (login.body.status === "challenge") {
      expectProblem(await answerChallenge(text(login, "challenge_token"), right), 429, "too_many_attempts");
    }
    // What is open stays open: the budget closes TOTP for new sign-ins, never the owner's session.
    expect((await me(person.session.access)).status).toBe(200);
    expect((await refreshed(person.session.refresh)).status).toBe(200);
    // Another account has a budget of its own.
    const eve = await twoFactorPerson();
    expect((await answerChallenge(await challenged(eve), await eve.authenticator.next())).status).toBe(200);
  });
});

describe.concurrent("open challenges", () => {
  it("are at most three: the fourth pushes the oldest out", async () => {
    const person = await twoFactorPerson();
    const open = [
      await challenged(person),
      await challenged(person),
      await challenged(person),
      await challenged(person),
    ] as const;
    const code = await person.authenticator.next();
    expectProblem(await answerChallenge(open[0], code), 401, "invalid_challenge");
    expect((await me(person.session.access)).status).toBe(200);
    for (const challenge of [open[1], open[2]]) await wrongAnswers(person, challenge, 1);
    expect(text(await answerChallenge(open[3], code), "status")).toBe("authenticated");
  });
});
