import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  expectProblem,
  me,
  ownPage,
  post,
  refreshed,
  type Session,
  sessionOf,
  text,
} from "../../support/client.ts";
import {
  addPasskey,
  answerByPasskey,
  answerWithPasskey,
  appAndPasskeyPerson,
  assertionFor,
  badSignature,
  type PasskeyPerson,
  passkeyPerson,
  request,
  secondFactorOptions,
  securityKey,
  signedInWithPasskey,
  signInByPasskey,
  usernamelessAssertion,
  wrongCodes,
} from "../../support/passkey-client.ts";

const stepUp = (session: Session) => post("/auth/step-up", {}, { bearer: session.access });
const raising = async (session: Session) => text(await stepUp(session), "challenge_token");

/** "An answer to step_up has no refresh members and sets no cookie." */
function expectAccessTokenAlone(answer: Answer, session: Session): void {
  expect(answer.status, answer.text).toBe(200);
  const members = Object.keys(answer.body).filter((member) => member !== "session_id");
  expect(members.sort()).toEqual(["access_token", "expires_in", "status", "token_type"]);
  expect(decodeJwt(text(answer, "access_token")).sid).toBe(session.id);
  expect(answer.headers.getSetCookie()).toEqual([]);
}

describe.concurrent("step-up with a passkey", () => {
  const openers: [string, (person: PasskeyPerson) => Promise<Session>][] = [
    ["password and passkey", (person) => signedInWithPasskey(person)],
    ["the passkey alone", async ({ passkey }) => sessionOf(await signInByPasskey(passkey))],
  ];

  it.each(openers)(
    "gives a session opened by %s one access token with newer proof, and nothing else",
    async (_, open) => {
      const person = await passkeyPerson();
      const session = await open(person);
      await sleep(1_100);
      const challenge = await stepUp(session);
      expect(challenge.body).toMatchObject({ status: "challenge", expires_in: 300 });
      expect([...(challenge.body.methods as string[])].sort()).toEqual(["passkey", "recovery_code"]);
      const token = text(challenge, "challenge_token");
      const assertion = await assertionFor(token, person.passkey);
      const answer = await answerWithPasskey(token, assertion, { headers: ownPage });
      expectAccessTokenAlone(answer, session);
      const [before, after] = [decodeJwt(session.access), decodeJwt(text(answer, "access_token"))];
      expect(after).toMatchObject({ sub: before.sub, acr: "aal2" });
      expect(Number(after.auth_time)).toBeGreaterThan(Number(before.auth_time));
      expectProblem(await answerWithPasskey(token, assertion), 401, "invalid_challenge");
      const later = decodeJwt(text(await refreshed(session.refresh), "access_token"));
      expect(later.auth_time).toBe(before.auth_time);
    },
  );

  it("lets its token add a passkey", async () => {
    const person = await passkeyPerson();
    const session = await signedInWithPasskey(person);
    const raised = text(await answerByPasskey(await raising(session), person.passkey), "access_token");
    expect((await addPasskey(raised, securityKey())).status).toBe(201);
  });

  it("takes no assertion that was made for another challenge of the account, nor gives its own away", async () => {
    const person = await passkeyPerson();
    const [one, other] = [await signedInWithPasskey(person), await signedInWithPasskey(person)];
    const challenges = [await raising(one), await raising(other), await challenged(person)];
    const assertions = [];
    for (const challenge of challenges) assertions.push(await assertionFor(challenge, person.passkey));
    for (const [i, challenge] of challenges.entries()) {
      const foreign = assertions[(i + 1) % 3] ?? {};
      expectProblem(await answerWithPasskey(challenge, foreign), 401, "invalid_code");
    }
    const alone = await usernamelessAssertion(person.passkey);
    expectProblem(await answerWithPasskey(challenges[0] ?? "", alone), 401, "invalid_code");
    expectAccessTokenAlone(await answerByPasskey(challenges[0] ?? "", person.passkey), one);
    expectAccessTokenAlone(await answerByPasskey(challenges[1] ?? "", person.passkey), other);
    expect((await answerByPasskey(challenges[2] ?? "", person.passkey)).body).toHaveProperty("refresh_token");
  });

  it("dies with the session, options included", async () => {
    const person = await passkeyPerson();
    const session = await signedInWithPasskey(person);
    const challenge = await raising(session);
    const assertion = await person.passkey.assert(request(await secondFactorOptions(challenge)));
    expect((await post("/auth/logout", { refresh_token: session.refresh })).status).toBe(204);
    expectProblem(await secondFactorOptions(challenge), 401, "invalid_challenge");
    expectProblem(await answerWithPasskey(challenge, assertion), 401, "invalid_challenge");
  });

  it("ends the session at the fifth failure over codes and assertions, and costs the account nothing", async () => {
    const person = await appAndPasskeyPerson();
    const stolen = await signedInWithPasskey(person);
    await wrongCodes(person, await raising(stolen), 2);
    const challenge = await raising(stolen);
    for (let failures = 3; failures <= 5; failures++) {
      const answer = await answerByPasskey(challenge, person.passkey, badSignature);
      expectProblem(answer, 401, "invalid_code");
      expect(answer.body.attempts_remaining).toBe(5 - failures);
      expect((await me(stolen.access)).status).toBe(failures < 5 ? 200 : 401);
    }
    expectProblem(await refreshed(stolen.refresh), 401, "invalid_refresh_token");
    expect((await me(person.session.access)).status).toBe(200);
    const login = await challenged(person);
    expect((await answerChallenge(login, person.authenticator.wrong())).body.attempts_remaining).toBe(4);
    expect((await answerByPasskey(login, person.passkey)).status).toBe(200);
  });
});
