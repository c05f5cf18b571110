import { beforeAll, describe, expect, it } from "vitest";
import { stepAt } from "../../support/authenticator.ts";
import {
  answerChallenge,
  challenged,
  expectProblem,
  newSource,
  post,
  send,
  sessionsOf,
  signedInTwice,
  type TwoFactorPerson,
  text,
  twoFactorPerson,
} from "../../support/client.ts";

describe("the form of a code", () => {
  let person: TwoFactorPerson;
  beforeAll(async () => {
    person = await twoFactorPerson();
  });

  it("is six ASCII digits as a string; anything else is malformed and spends no attempt", async () => {
    const challenge = await challenged(person);
    const right = person.authenticator.at(stepAt(Date.now()));
    const fullWidth = [...right].map((digit) => String.fromCodePoint(0xff10 + Number(digit))).join("");
    const malformed: unknown[] = [
      Array.from({ length: 100 }, (_, i) => String(i).padStart(6, "0")),
      [right],
      { code: right },
      { $ne: "" },
      Number(right),
      123456,
      null,
      true,
      "",
      fullWidth,
      `${right} `,
      ` ${right}`,
      `${right}\n`,
      `${right}\u0000`,
      `+${right.slice(1)}`,
      "1e5",
      "12e456",
      "0x1E24",
      "0x1E240",
      "-12345",
      "12345",
      `${right}0`,
      "12345a",
      "١٢٣٤٥٦",
      "123\u00a0456",
      "123  456",
      "12 34 56",
      "123-456",
      "123.456",
      "undefined",
      "null",
    ];
    for (const code of malformed) {
      const answer = await answerChallenge(challenge, code);
      expect({ code, status: answer.status, problem: answer.body.code }).toEqual({
        code,
        status: 400,
        problem: "invalid_request",
      });
    }
    expectProblem(
      await post("/auth/2fa/verify", { challenge_token: challenge, method: "totp" }),
      400,
      "invalid_request",
    );
    const wrong = await answerChallenge(challenge, person.authenticator.wrong());
    expectProblem(wrong, 401, "invalid_code");
    expect(wrong.body.attempts_remaining).toBe(4);
  });

  it("may have one space in the middle", async () => {
    const code = await person.authenticator.next();
    const answer = await answerChallenge(await challenged(person), `${code.slice(0, 3)} ${code.slice(3)}`);
    expect(text(answer, "status")).toBe("authenticated");
  });

  it("may begin with zeros", async () => {
    const wrong = ["000123", "000000", "012345"].filter((code) => !nearby(person).includes(code));
    const challenge = await challenged(person);
    for (const code of wrong) expectProblem(await answerChallenge(challenge, code), 401, "invalid_code");
  });
});

describe("a code", () => {
  it("is accepted once, whatever challenge it is sent to", async () => {
    const person = await twoFactorPerson();
    const [first, second] = [await challenged(person), await challenged(person)];
    const code = await person.authenticator.next();
    expect((await answerChallenge(first, code)).status).toBe(200);
    const replay = await answerChallenge(second, code);
    expectProblem(replay, 401, "invalid_code");
    expect((await answerChallenge(second, await person.authenticator.next())).status).toBe(200);
  });

  it("of a step below the last accepted one is refused, though never used", async () => {
    const person = await twoFactorPerson();
    const step = stepAt(Date.now());
    expect((await answerChallenge(await challenged(person), person.authenticator.at(step + 1))).status).toBe(200);
    const challenge = await challenged(person);
    expectProblem(await answerChallenge(challenge, person.authenticator.at(step)), 401, "invalid_code");
  });

  it("is judged by the service's clock, not by what the client says the time is", async () => {
    const person = await twoFactorPerson();
    const challenge = await challenged(person);
    const past = stepAt(Date.now()) - 10;
    const when = new Date(past * 30_000);
    const headers = {
      date: when.toUTCString(),
      "x-time": String(+when),
      "x-timestamp": when.toISOString(),
      "if-modified-since": when.toUTCString(),
    };
    const body = { challenge_token: challenge, method: "totp", code: person.authenticator.at(past) };
    expectProblem(await send("POST", "/auth/2fa/verify", body, { headers }), 401, "invalid_code");
    expectProblem(
      await answerChallenge(challenge, person.authenticator.at(stepAt(Date.now()) - 3)),
      401,
      "invalid_code",
    );
    expectProblem(
      await answerChallenge(challenge, person.authenticator.at(stepAt(Date.now()) + 3)),
      401,
      "invalid_code",
    );
  });

  it("used from another address and without a cookie is still the person's: challenges are not bound to a source", async () => {
    const person = await twoFactorPerson();
    const challenge = await challenged({ ...person, source: newSource() });
    const answer = await answerChallenge(challenge, await person.authenticator.next(), { source: newSource() });
    expect(text(answer, "status")).toBe("authenticated");
  });

  it("that was refused opened no session", async () => {
    const person = await twoFactorPerson();
    const session = await signedInTwice(person);
    const before = await sessionsOf(session.access);
    await answerChallenge(await challenged(person), person.authenticator.wrong());
    expect((await sessionsOf(session.access)).length).toBe(before.length);
  });
});

function nearby(person: TwoFactorPerson): string[] {
  const now = stepAt(Date.now());
  return Array.from({ length: 9 }, (_, i) => person.authenticator.at(now - 4 + i));
}
