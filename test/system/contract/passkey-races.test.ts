import { describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  distinguishable,
  sessionsOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  answerWithPasskey,
  appAndPasskeyPerson,
  assertionFor,
  atOnce,
  badSignature,
  creation,
  creationOptions,
  factorsOf,
  passkeyPerson,
  register,
  securityKey,
  signInByPasskey,
  syncedPasskey,
  usernamelessAssertion,
  verifyPasskey,
} from "../../support/passkey-client.ts";

const refusals = ["invalid_code", "invalid_challenge", "too_many_attempts"];

/** Exactly one answer opened a session, so that its account has `sessions`. */
async function expectOneSession(answers: Answer[], sessions = 2): Promise<void> {
  const opened = answers.filter(({ status }) => status === 200);
  for (const answer of answers) if (answer.status !== 200) expect(refusals).toContain(answer.body.code);
  expect(opened.length).toBe(1);
  expect((await sessionsOf(text(opened[0] as Answer, "access_token"))).length).toBe(sessions);
}

describe("at the same moment", () => {
  it("fifty of one assertion without a user name open one session, with a counter and without", async () => {
    for (const passkey of [syncedPasskey(), securityKey()]) {
      await passkeyPerson(passkey);
      const wrong = await signInByPasskey(passkey, badSignature);
      const assertion = await usernamelessAssertion(passkey);
      const answers = await atOnce(50, () => verifyPasskey(assertion));
      await expectOneSession(answers);
      for (const answer of answers) {
        if (answer.status !== 200) expect(distinguishable(answer)).toEqual(distinguishable(wrong));
      }
    }
  });

  it("twenty-five assertions of a key that does not count open twenty sessions, the most an account has", async () => {
    const person = await passkeyPerson(syncedPasskey());
    const assertions = await atOnce(25, () => usernamelessAssertion(person.passkey));
    const answers = await atOnce(25, (i) => verifyPasskey(assertions[i] ?? {}));
    expect(answers.filter(({ status }) => status === 200).length).toBe(25);
    const session = text(await signInByPasskey(person.passkey), "access_token");
    expect((await sessionsOf(session)).length).toBe(20);
  });

  it("fifty of one assertion for one challenge open one session", async () => {
    const passkey = syncedPasskey();
    const challenge = await challenged(await passkeyPerson(passkey));
    const assertion = await assertionFor(challenge, passkey);
    await expectOneSession(await atOnce(50, () => answerWithPasskey(challenge, assertion)));
  });

  it("assertions with the same counter open one session: at one door, at the other, and at both", async () => {
    const person = await passkeyPerson(securityKey(), { signCount: 1 });
    const alone = await atOnce(25, () => usernamelessAssertion(person.passkey, { signCount: 2 }));
    await expectOneSession(await atOnce(50, (i) => verifyPasskey(alone[i % 25] ?? {})), 2);

    const open = [await challenged(person), await challenged(person)] as const;
    const second = await Promise.all(open.map((one) => assertionFor(one, person.passkey, { signCount: 3 })));
    await expectOneSession(await atOnce(40, (i) => answerWithPasskey(open[i % 2] ?? "", second[i % 2] ?? {})), 3);

    const challenge = await challenged(person);
    const one = await assertionFor(challenge, person.passkey, { signCount: 4 });
    const other = await usernamelessAssertion(person.passkey, { signCount: 4 });
    const answers = await atOnce(40, (i) => (i % 2 === 0 ? answerWithPasskey(challenge, one) : verifyPasskey(other)));
    await expectOneSession(answers, 4);
  });

  it("a code and an assertion for one challenge open one session", async () => {
    const person = await appAndPasskeyPerson();
    const challenge = await challenged(person);
    const [assertion, code] = [await assertionFor(challenge, person.passkey), await person.authenticator.next()];
    const answers = await atOnce(20, (i) =>
      i % 2 === 0 ? answerChallenge(challenge, code) : answerWithPasskey(challenge, assertion),
    );
    await expectOneSession(answers);
  });

  it("wrong assertions for all open challenges get no more tries than the challenges have", async () => {
    const person = await passkeyPerson();
    const open = [await challenged(person), await challenged(person)] as const;
    const wrong = await Promise.all(open.map((one) => assertionFor(one, person.passkey, badSignature)));
    const answers = await atOnce(40, (i) => answerWithPasskey(open[i % 2] ?? "", wrong[i % 2] ?? {}));
    expect(answers.filter(({ body }) => body.code === "invalid_code").length).toBeLessThanOrEqual(10);
    for (const { body } of answers) expect(refusals).toContain(body.code);
  });

  it("one registration sent twenty times adds one passkey", async () => {
    const session = await signedIn(await verifiedPerson());
    const response = await syncedPasskey().register(creation(await creationOptions(session.access)));
    const answers = await atOnce(20, () => register(session.access, response));
    expect(answers.filter(({ status }) => status === 201).length).toBe(1);
    for (const { status, body } of answers)
      if (status !== 201) expect([status, body.code]).toEqual([400, "invalid_request"]);
    expect((await factorsOf(session.access)).length).toBe(1);
  });

  it("two registrations for the same options add one passkey", async () => {
    const session = await signedIn(await verifiedPerson());
    const options = creation(await creationOptions(session.access));
    const responses = [await syncedPasskey().register(options), await syncedPasskey().register(options)];
    const answers = await atOnce(20, (i) => register(session.access, responses[i % 2] ?? {}));
    expect(answers.filter(({ status }) => status === 201).length).toBe(1);
    expect((await factorsOf(session.access)).length).toBe(1);
  });
});
