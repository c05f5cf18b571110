import { describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  expectProblem,
  logIn,
  me,
  newSource,
  text,
  twoFactorPerson,
} from "../../support/client.ts";
import {
  accessTokenAlone,
  type CoveredPerson,
  coveredPerson,
  recover,
  recoverySession,
  spare,
  stepUp,
  wrongRecoveryCode,
} from "../../support/recovery-client.ts";

type Kind = "totp" | "recovery";

/** Wrong answers of these kinds, each from another source; gives what they said was left. */
async function wrongAnswers(person: CoveredPerson, challenge: string, kinds: Kind[]): Promise<unknown[]> {
  const remaining: unknown[] = [];
  for (const kind of kinds) {
    const call = { source: newSource() };
    const answer =
      kind === "totp"
        ? await answerChallenge(challenge, person.authenticator.wrong(), call)
        : await recover(challenge, wrongRecoveryCode(), call);
    expectProblem(answer, 401, "invalid_code");
    remaining.push(answer.body.attempts_remaining);
  }
  return remaining;
}

/** Ten wrong answers over three challenges, of which the last is still open. */
async function budgetSpent(person: CoveredPerson, kinds: [Kind, Kind]): Promise<string> {
  const [one, other] = kinds;
  expect(await wrongAnswers(person, await challenged(person), [one, other, one, other])).toEqual([4, 3, 2, 1]);
  expect(await wrongAnswers(person, await challenged(person), [other, one, other, one])).toEqual([4, 3, 2, 1]);
  const last = await challenged(person);
  // "attempts_remaining = the smaller of challenge's and budget's."
  expect(await wrongAnswers(person, last, kinds)).toEqual([1, 0]);
  return last;
}

describe("wrong codes of either kind", () => {
  it("count together in one challenge: five, then the right ones find none", async () => {
    const person = await coveredPerson();
    const challenge = await challenged(person);
    const kinds: Kind[] = ["recovery", "totp", "totp", "recovery", "recovery"];
    expect(await wrongAnswers(person, challenge, kinds)).toEqual([4, 3, 2, 1, 0]);
    const code = spare(person);
    expectProblem(await recover(challenge, code), 401, "invalid_challenge");
    expectProblem(await answerChallenge(challenge, await person.authenticator.next()), 401, "invalid_challenge");
    expect((await recover(await challenged(person), code)).status).toBe(200);
  });

  it.each<[string, [Kind, Kind]]>([
    ["of both", ["totp", "recovery"]],
    ["recovery codes only", ["recovery", "recovery"]],
  ])("count together over challenges, %s: ten close TOTP for an hour and nothing else", async (_, kinds) => {
    const person = await coveredPerson();
    const last = await budgetSpent(person, kinds);
    const right = await person.authenticator.next();
    for (const code of [right, person.authenticator.wrong()]) {
      const closed = await answerChallenge(last, code);
      expectProblem(closed, 429, "too_many_attempts");
      expect(Number(closed.headers.get("retry-after"))).toBeGreaterThan(3_000);
      expect(Number(closed.headers.get("retry-after"))).toBeLessThanOrEqual(3_600);
    }
    expectProblem(await recover(last, wrongRecoveryCode()), 401, "invalid_code");
    const opened = await recover(last, spare(person));
    expect(opened.body.status, opened.text).toBe("authenticated");
    // A complete sign-in gives back the door without a mailed proof, not the ten attempts.
    const again = await challenged(person);
    expectProblem(await answerChallenge(again, right), 429, "too_many_attempts");
    expect((await recover(again, spare(person))).body.status).toBe("authenticated");
    // What is open stays open, with a pot of its own; and no refusal has spent the code.
    expect((await me(person.session.access)).status).toBe(200);
    const challenge = text(await stepUp(person.session.access), "challenge_token");
    accessTokenAlone(await answerChallenge(challenge, right));
  });

  it("cost a right answer in between nothing: it opens, and refills nothing", async () => {
    const person = await coveredPerson();
    const challenge = await challenged(person);
    await wrongAnswers(person, challenge, ["recovery", "recovery", "recovery", "recovery"]);
    expect((await recover(challenge, spare(person))).status).toBe(200);
    const second = await challenged(person);
    expect(await wrongAnswers(person, second, ["totp", "recovery", "totp", "recovery"])).toEqual([4, 3, 2, 1]);
    expect(await wrongAnswers(person, await challenged(person), ["recovery"])).toEqual([1]);
  });

  it("of a session's step-up are a pot apart: the door's ten do not close it, and its own do not close the door", async () => {
    const person = await coveredPerson();
    const session = await recoverySession(person);
    const raise = text(await stepUp(session.access), "challenge_token");
    expect(await wrongAnswers(person, raise, ["totp", "recovery", "totp"])).toEqual([4, 3, 2]);
    const door = await challenged(person);
    expect(await wrongAnswers(person, door, ["recovery", "totp", "recovery", "totp"])).toEqual([4, 3, 2, 1]);
    expect((await recover(door, spare(person))).status).toBe(200);
    accessTokenAlone(await answerChallenge(raise, await person.authenticator.next()));
  });

  it("of one account leave another's alone", async () => {
    const [ada, eve] = [await coveredPerson(), await twoFactorPerson()];
    await budgetSpent(ada, ["totp", "recovery"]);
    expect((await answerChallenge(await challenged(eve), await eve.authenticator.next())).status).toBe(200);
  });

  it("sent at once are no more than a challenge allows, and none is let through", async () => {
    const person = await coveredPerson();
    const open = [await challenged(person), await challenged(person), await challenged(person)];
    const answers = await Promise.all(
      Array.from({ length: 48 }, (_, i) =>
        i % 2 === 0
          ? answerChallenge(open[i % 3] ?? "", person.authenticator.wrong())
          : recover(open[i % 3] ?? "", wrongRecoveryCode()),
      ),
    );
    const compared = answers.filter((answer) => answer.body.code === "invalid_code");
    expect(compared.length).toBeLessThanOrEqual(15);
    for (const answer of answers) {
      expect(["invalid_code", "invalid_challenge", "too_many_attempts"]).toContain(answer.body.code);
    }
    expect((await me(person.session.access)).status).toBe(200);
  });

  it("after a second factor has failed ten times, the first door opens no challenge without a mailed proof", async () => {
    const person = await coveredPerson();
    await budgetSpent(person, ["totp", "recovery"]);
    const door = await logIn(person);
    expectProblem(door, 403, "proof_required");
    expect(door.body.methods).toEqual(["mail_link"]);
    expect(door.text).not.toContain("challenge_token");
    expectProblem(await logIn({ ...person, password: "not the password" }), 401, "sign_in_failed");
    expect((await me(person.session.access)).status).toBe(200);
  });
});
