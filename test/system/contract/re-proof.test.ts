import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Instance, startInstance } from "../../../scripts/instance.mjs";
import {
  type Answer,
  answerChallenge,
  challenged,
  cookieOf,
  expectProblem,
  logIn,
  me,
  ownPage,
  type Person,
  post,
  refreshCookie,
  refreshed,
  type Session,
  sessionOf,
  signedIn,
  talkTo,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  type CoveredPerson,
  coveredPerson,
  expectEnded,
  proofIn,
  recover,
  regenerate,
  spare,
  steppedUp,
  turnOff,
  wrongRecoveryCode,
} from "../../support/recovery-client.ts";

/** Seconds, few enough for a proof to grow old within the test. */
const factorMaxAge = 60;

let instance: Instance;
const roles = ["asked", "browsing", "recovering", "guessing", "raising", "turnedOff"] as const;
let people: Record<(typeof roles)[number], CoveredPerson>;
let plain: Person & { session: Session };
let page: Answer;

// The people sign in first and wait together, so that the time passes once.
beforeAll(async () => {
  instance = await startInstance({ vars: { FACTOR_MAX_AGE: String(factorMaxAge) } });
  talkTo(instance.url);
  const pairs = await Promise.all(roles.map(async (role) => [role, await coveredPerson()]));
  people = Object.fromEntries(pairs) as typeof people;
  const person = await verifiedPerson();
  plain = { ...person, session: await signedIn(person) };
  const challenge = text(await logIn(people.browsing, {}, { headers: ownPage }), "challenge_token");
  page = await answerChallenge(challenge, await people.browsing.authenticator.next(), { headers: ownPage });
  expect((await turnOff(people.turnedOff.session.access)).status).toBe(204);
  await sleep((factorMaxAge + 1) * 1_000);
}, 120_000);
afterAll(() => instance.stop());

/** The challenge that a refresh answers with, and nothing else. */
function challengeOf(answer: Answer): string {
  expect(answer.status, answer.text).toBe(200);
  expect(Object.keys(answer.body).sort()).toEqual(["challenge_token", "expires_in", "methods", "status"]);
  expect(answer.body).toMatchObject({ status: "challenge", expires_in: 300 });
  expect(answer.headers.getSetCookie()).toEqual([]);
  return text(answer, "challenge_token");
}

describe.concurrent("a session whose factor was proven too long ago", () => {
  it("is asked for it at the refresh, and has moved nothing until it is answered", async () => {
    const { session, authenticator } = people.asked;
    const first = await refreshed(session.refresh);
    expect([...(first.body.methods as string[])].sort()).toEqual(["recovery_code", "totp"]);
    challengeOf(first);
    // The same token again is neither a retry nor theft: nothing has been used.
    const challenge = challengeOf(await refreshed(session.refresh));
    expect((await me(session.access)).status).toBe(200);
    const answer = await answerChallenge(challenge, await authenticator.next());
    const next = sessionOf(answer);
    expect(next.id).toBe(session.id);
    expect(next.refresh).not.toBe(session.refresh);
    const [before, after] = [proofIn(session.access), proofIn(next.access)];
    expect(after).toMatchObject({ acr: "aal2", amr: ["pwd", "otp", "mfa"], auth_time: after.factors.otp });
    expect(Object.keys(after.factors).sort()).toEqual(["otp", "pwd"]);
    expect(after.factors.pwd).toBe(before.factors.pwd);
    expect(Number(after.factors.otp)).toBeGreaterThanOrEqual(Number(before.factors.otp) + factorMaxAge);
    // The session itself has the new proof, unlike after a step-up.
    const later = sessionOf(await refreshed(next.refresh));
    expect(proofIn(later.access)).toEqual(after);
    expect((await regenerate(later.access)).status).toBe(200);
    expectProblem(await answerChallenge(challenge, await authenticator.next()), 401, "invalid_challenge");
  });

  it("keeps its cookie while it is asked, and gets the next one with the answer", async () => {
    const { authenticator } = people.browsing;
    const asking = await post("/auth/refresh", {}, { headers: ownPage, cookie: cookieOf(page) });
    const answer = await answerChallenge(challengeOf(asking), await authenticator.next(), { headers: ownPage });
    expect(answer.body.status, answer.text).toBe("authenticated");
    expect(answer.body.session_id).toBe(page.body.session_id);
    expect(answer.text).not.toContain("rt_");
    expect(refreshCookie(answer)?.value).toMatch(/^rt_/);
    expect(refreshCookie(answer)?.value).not.toBe(refreshCookie(page)?.value);
    const next = await post("/auth/refresh", {}, { headers: ownPage, cookie: cookieOf(answer) });
    expect(next.body.status).toBe("authenticated");
  });

  it("is a recovery session once a recovery code has answered", async () => {
    const person = people.recovering;
    const challenge = challengeOf(await refreshed(person.session.refresh));
    const next = sessionOf(await recover(challenge, spare(person)));
    expect(next.id).toBe(person.session.id);
    for (const { access } of [next, sessionOf(await refreshed(next.refresh))]) {
      const proof = proofIn(access);
      expect(proof).toMatchObject({ acr: "aal2-recovery", amr: ["pwd", "mfa"] });
      expect(Object.keys(proof.factors).sort()).toEqual(["pwd", "recovery_code"]);
      expect(proof.auth_time).toBe(proof.factors.recovery_code);
      expectProblem(await regenerate(access), 401, "insufficient_user_authentication");
    }
  });

  it("ends after five wrong answers of any kind over all its challenges, and the door stays open", async () => {
    const person = people.guessing;
    let left = 5;
    for (const times of [2, 3]) {
      const challenge = challengeOf(await refreshed(person.session.refresh));
      for (let i = 0; i < times; i++) {
        const answer =
          i === 1
            ? await recover(challenge, wrongRecoveryCode())
            : await answerChallenge(challenge, person.authenticator.wrong());
        expectProblem(answer, 401, "invalid_code");
        left -= 1;
        expect(answer.body.attempts_remaining).toBe(left);
      }
    }
    await expectEnded(person.session);
    const door = await challenged(person);
    expect((await answerChallenge(door, person.authenticator.wrong())).body.attempts_remaining).toBe(4);
    expect((await answerChallenge(door, await person.authenticator.next())).status).toBe(200);
  });

  it("is asked all the same after a step-up, which was one token's", async () => {
    const person = people.raising;
    const strong = await steppedUp(person.session.access, person.authenticator);
    expect((await regenerate(strong)).status).toBe(200);
    const challenge = challengeOf(await refreshed(person.session.refresh));
    expect((await answerChallenge(challenge, await person.authenticator.next())).status).toBe(200);
  });

  it("is not asked for what its account no longer has", async () => {
    // The session may go on or end; a challenge that nothing can answer would be neither.
    const answer = await refreshed(people.turnedOff.session.refresh);
    expect([200, 401], answer.text).toContain(answer.status);
    expect(answer.body.status).not.toBe("challenge");
    expect((await logIn(people.turnedOff)).body.status).toBe("authenticated");
  });

  it("is asked for nothing when it never proved a factor", async () => {
    const answer = await refreshed(plain.session.refresh);
    expect(answer.body.status, answer.text).toBe("authenticated");
    expect(proofIn(text(answer, "access_token"))).toEqual(proofIn(plain.session.access));
  });
});
