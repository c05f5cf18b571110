import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  expectProblem,
  logIn,
  me,
  ownPage,
  type Person,
  post,
  refreshed,
  type Session,
  sessionOf,
  signedIn,
  type TwoFactorPerson,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";

const stepUp = (session: Session, body: unknown = {}) => post("/auth/step-up", body, { bearer: session.access });
const aal2 = async (person: TwoFactorPerson) => sessionOf(await refreshed(person.session.refresh));

/** "An answer to step_up has no refresh members and sets no cookie." */
function expectAccessTokenAlone(answer: Awaited<ReturnType<typeof stepUp>>, session: Session): void {
  expect(answer.status, answer.text).toBe(200);
  const members = Object.keys(answer.body).filter((member) => member !== "session_id");
  expect(members.sort()).toEqual(["access_token", "expires_in", "status", "token_type"]);
  if ("session_id" in answer.body) expect(answer.body.session_id).toBe(session.id);
  expect(answer.body).toMatchObject({ status: "authenticated", token_type: "Bearer", expires_in: 300 });
  expect(answer.headers.getSetCookie()).toEqual([]);
}

describe.concurrent("step-up with a factor", () => {
  it("asks for the factor and gives one access token of the same session, with newer proof", async () => {
    const person = await twoFactorPerson();
    const session = await aal2(person);
    await sleep(1_100);
    const challenge = await stepUp(session);
    expect(challenge.status).toBe(200);
    expect(Object.keys(challenge.body).sort()).toEqual(["challenge_token", "expires_in", "methods", "status"]);
    expect(challenge.body).toMatchObject({
      status: "challenge",
      expires_in: 300,
      methods: expect.arrayContaining(["totp"]),
    });
    const answer = await answerChallenge(text(challenge, "challenge_token"), await person.authenticator.next(), {
      headers: ownPage,
    });
    expectAccessTokenAlone(answer, session);
    const [before, after] = [decodeJwt(session.access), decodeJwt(text(answer, "access_token"))];
    expect(after.sid).toBe(session.id);
    expect(after.sub).toBe(before.sub);
    expect(after.jti).not.toBe(before.jti);
    expect(after.acr).toBe("aal2");
    expect(Number(after.auth_time)).toBeGreaterThan(Number(before.auth_time));
    expect((await me(text(answer, "access_token"))).status).toBe(200);
    // "The session itself, and so every refresh, stays as it was."
    const later = decodeJwt(text(await refreshed(session.refresh), "access_token"));
    expect(later.auth_time).toBe(before.auth_time);
  });

  it("takes each code once: not one that signed in, and not at login what stepped up", async () => {
    const person = await twoFactorPerson();
    const session = await aal2(person);
    const code = await person.authenticator.next();
    expect((await answerChallenge(await challenged(person), code)).status).toBe(200);
    const challenge = text(await stepUp(session), "challenge_token");
    expectProblem(await answerChallenge(challenge, code), 401, "invalid_code");
    const next = await person.authenticator.next();
    expect((await answerChallenge(challenge, next)).status).toBe(200);
    expectProblem(await answerChallenge(await challenged(person), next), 401, "invalid_code");
  });

  it("dies with the session", async () => {
    const person = await twoFactorPerson();
    const session = await aal2(person);
    const challenge = text(await stepUp(session), "challenge_token");
    expect((await post("/auth/logout", { refresh_token: session.refresh })).status).toBe(204);
    expectProblem(await answerChallenge(challenge, await person.authenticator.next()), 401, "invalid_challenge");
  });

  it("has a pot of five wrong codes over all its challenges, then the session ends, and nothing else does", async () => {
    const person = await twoFactorPerson();
    const stolen = await aal2(person);
    let spent = 0;
    for (const times of [2, 3]) {
      const challenge = text(await stepUp(stolen), "challenge_token");
      for (let i = 0; i < times; i++) {
        const answer = await answerChallenge(challenge, person.authenticator.wrong());
        expectProblem(answer, 401, "invalid_code");
        spent += 1;
        expect(answer.body.attempts_remaining).toBe(5 - spent);
        expect((await me(stolen.access)).status).toBe(spent < 5 ? 200 : 401);
      }
    }
    expectProblem(await me(stolen.access), 401, "invalid_token");
    expectProblem(await refreshed(stolen.refresh), 401, "invalid_refresh_token");
    expectProblem(await stepUp(stolen), 401, "invalid_token");
    // The owner's budget at the door is another pot: five failures are allowed there, then the right code still opens.
    const challenge = await challenged(person);
    const wrong = await answerChallenge(challenge, person.authenticator.wrong());
    expect(wrong.body.attempts_remaining).toBe(4);
    expect(text(await answerChallenge(challenge, await person.authenticator.next()), "status")).toBe("authenticated");
  });

  it("never works by password once a factor is active", async () => {
    const person = await twoFactorPerson();
    for (const session of [person.session, await aal2(person)]) {
      const answer = await stepUp(session, { password: person.password });
      expect(answer.text).not.toContain("access_token");
    }
  });
});

describe.concurrent("step-up without a factor", () => {
  let person: Person;
  beforeAll(async () => {
    person = await verifiedPerson();
  });

  it("asks for the password and gives an access token alone", async () => {
    const session = await signedIn(person);
    await sleep(1_100);
    const answer = await stepUp(session, { password: person.password });
    expectAccessTokenAlone(answer, session);
    const [before, after] = [decodeJwt(session.access), decodeJwt(text(answer, "access_token"))];
    expect(after).toMatchObject({ sid: session.id, acr: "aal1", amr: ["pwd"] });
    expect(Number(after.auth_time)).toBeGreaterThan(Number(before.auth_time));
    expect(decodeJwt(text(await refreshed(session.refresh), "access_token")).auth_time).toBe(before.auth_time);
  });

  it("gives nothing without it", async () => {
    const answer = await stepUp(await signedIn(person));
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.text).not.toContain("access_token");
  });

  it("ends the session at the fifth wrong password, and leaves the account its sign-in", async () => {
    const stolen = await signedIn(person);
    for (let i = 1; i <= 5; i++) {
      const answer = await stepUp(stolen, { password: `guess number ${i}` });
      // The contract names no code for it: 401, or 429 for the one that ends the session.
      expect([401, 429]).toContain(answer.status);
      expect(answer.text).not.toContain("access_token");
      expect((await me(stolen.access)).status).toBe(i < 5 ? 200 : 401);
    }
    expectProblem(await stepUp(stolen, { password: person.password }), 401, "invalid_token");
    expectProblem(await refreshed(stolen.refresh), 401, "invalid_refresh_token");
    expect((await logIn(person)).status).toBe(200);
  });

  it("needs a living session", async () => {
    const session = await signedIn(person);
    await post("/auth/logout", { refresh_token: session.refresh });
    const [dead, none] = [
      await stepUp(session, { password: person.password }),
      await post("/auth/step-up", { password: person.password }),
    ];
    expectProblem(dead, 401, "invalid_token");
    expectProblem(none, 401, "invalid_token");
  });
});
