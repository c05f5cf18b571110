import { describe, expect, it } from "vitest";
import {
  type Answer,
  answerChallenge,
  challenged,
  distinguishable,
  expectProblem,
  logIn,
  me,
  newPerson,
  newSource,
  post,
  refreshed,
  registered,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  cancelRecovery,
  changePassword,
  confirmRecovery,
  expectDeadLink,
  expectPlain,
  linkCausedBy,
  linkTokens,
  mailsHaveLeft,
  recoveryLink,
  resetChallenge,
  startRecovery,
  waitingForRecovery,
} from "../../support/life-client.ts";
import { type PasskeyOwner, passkeyOwner } from "../../support/owner.ts";
import { answerByPasskey, factorsOf, passkeyPerson, signInByPasskey } from "../../support/passkey-client.ts";
import { coveredPerson, recoverySession, stepUp, turnOff } from "../../support/recovery-client.ts";

const HOUR = 3_600_000;
const sent = { status: "recovery_sent" };
const cancelled = { status: "recovery_cancelled" };
const confirmLinks = (email: string, least = 0) => linkTokens(email, "confirm-recovery", least);

describe.concurrent("saying that every factor is lost", () => {
  it("is answered alike for everybody; a link goes to the right password of an account with a factor alone", async () => {
    const [owner, misled, plain] = [await passkeyPerson(), await coveredPerson(), await verifiedPerson()];
    const [unverified, unknown] = [newPerson(), newPerson()];
    await registered(unverified);
    const answers: Answer[] = [];
    const wrong = { ...misled, password: "not the password" };
    for (const one of [unknown, owner, wrong, plain, unverified]) answers.push(await startRecovery(one));
    for (const answer of answers) {
      expectPlain(answer, sent, 202);
      expect(distinguishable(answer)).toEqual(distinguishable(answers[0] as Answer));
    }
    expect(await confirmLinks(owner.email, 1)).toHaveLength(1);
    await mailsHaveLeft();
    for (const { email } of [misled, plain, unverified, unknown]) expect(await confirmLinks(email)).toEqual([]);
  });

  it("is a first door like any: guesses are counted, and the same for an unknown address", async () => {
    const known = { ...(await coveredPerson()), source: newSource() };
    for (const one of [known, newPerson()]) {
      const wrong = { ...one, password: "not the password" };
      for (let i = 0; i < 5; i++) expectPlain(await startRecovery(wrong), sent, 202);
      expectProblem(await startRecovery(wrong), 429, "too_many_attempts");
      expectProblem(await startRecovery(one), 429, "too_many_attempts");
      expectProblem(await logIn(one), 429, "too_many_attempts");
    }
  });

  it("makes the newest link the only one that works", async () => {
    const person = await coveredPerson();
    const [older, newer] = [await recoveryLink(person), await recoveryLink(person)];
    expectDeadLink(await confirmRecovery(older));
    expect((await me(person.session.access)).body).not.toHaveProperty("recovery");
    expect((await confirmRecovery(newer)).body.status).toBe("recovery_started");
  });

  it("mails a link that dies with a change of password, and with the last factor", async () => {
    const person = await coveredPerson();
    const token = await recoveryLink(person);
    const change = await changePassword(person.session.access, person);
    expectDeadLink(await confirmRecovery(token));
    expect((await me(text(change, "access_token"))).body).not.toHaveProperty("recovery");
    const other = await coveredPerson();
    const late = await recoveryLink(other);
    expect((await turnOff(other.session.access)).status).toBe(204);
    expectDeadLink(await confirmRecovery(late));
    expect((await me(other.session.access)).body).not.toHaveProperty("recovery");
  });
});

describe.concurrent("the waiting time", () => {
  it("begins with the mailed link, three days long, and gives nothing but a mail that takes it back", async () => {
    const person = await coveredPerson();
    const token = await recoveryLink(person);
    let answer: Answer | undefined;
    const cancel = await linkCausedBy(person.email, "cancel-recovery", async () => {
      answer = await confirmRecovery(token);
      return answer;
    });
    const started = answer as Answer;
    const until = text(started, "finish_after");
    expectPlain(started, { status: "recovery_started", finish_after: until });
    expect(until).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    expect(Math.abs(Date.parse(until) - Date.now() - 72 * HOUR)).toBeLessThan(HOUR);
    expectDeadLink(await post("/auth/recovery/finish", { token: cancel }));
    expect(await linkTokens(person.email, "finish-recovery", 0)).toEqual([]);
  });

  it("is told by every token answer and the profile, and the factors stand", async () => {
    const person = await coveredPerson();
    const other = await recoverySession(person);
    const { finishAfter } = await waitingForRecovery(person);
    const recovery = { finish_after: finishAfter };
    for (const session of [person.session, other]) {
      expect((await me(session.access)).body.recovery).toEqual(recovery);
      const answer = await refreshed(session.refresh);
      expect(answer.body.status, answer.text).toBe("authenticated");
      expect(answer.body.recovery).toEqual(recovery);
    }
    expect((await factorsOf(person.session.access)).map(({ id }) => id)).toEqual([person.factorId]);
    expect((await logIn(person)).body.status).toBe("challenge");
  });

  it("is over with the mailed link", async () => {
    const person = await coveredPerson();
    const { cancel } = await waitingForRecovery(person);
    expectPlain(await cancelRecovery(cancel), cancelled);
    expect((await me(person.session.access)).body).not.toHaveProperty("recovery");
    expect((await refreshed(person.session.refresh)).body).not.toHaveProperty("recovery");
    // What took the first one back does not take the next one back.
    const second = await waitingForRecovery(person);
    expectDeadLink(await cancelRecovery(cancel));
    expect((await me(person.session.access)).body.recovery).toEqual({ finish_after: second.finishAfter });
    expectPlain(await cancelRecovery(second.cancel), cancelled);
  });

  it("is over when a session from before says so, whatever its level", async () => {
    const person = await coveredPerson();
    const [weak, stranger] = [await recoverySession(person), await coveredPerson()];
    await waitingForRecovery(person);
    for (const call of [{}, { bearer: "a.b.c" }, { bearer: person.session.refresh }]) {
      const answer = await post("/auth/recovery/cancel", {}, call);
      expect([400, 401], answer.text).toContain(answer.status);
    }
    await post("/auth/recovery/cancel", {}, { bearer: stranger.session.access });
    expect((await me(stranger.session.access)).body).not.toHaveProperty("recovery");
    expect((await me(person.session.access)).body).toHaveProperty("recovery");
    expectPlain(await post("/auth/recovery/cancel", {}, { bearer: person.session.access }), cancelled);
    for (const access of [person.early, weak.access]) {
      const { cancel } = await waitingForRecovery(person);
      expectPlain(await post("/auth/recovery/cancel", {}, { bearer: access }), cancelled);
      expectDeadLink(await cancelRecovery(cancel));
      expect((await me(person.session.access)).body).not.toHaveProperty("recovery");
    }
  });

  const proofs: [string, (owner: PasskeyOwner) => Promise<Answer>][] = [
    [
      "the app at the door",
      async (owner) => answerChallenge(await challenged(owner), await owner.authenticator.next()),
    ],
    ["a passkey at the door", async (owner) => answerByPasskey(await challenged(owner), owner.passkey)],
    ["a passkey alone", (owner) => signInByPasskey(owner.passkey)],
    [
      "a step-up",
      async (owner) => answerByPasskey(text(await stepUp(owner.session.access), "challenge_token"), owner.passkey),
    ],
    ["a reset of the password", async (owner) => answerByPasskey(await resetChallenge(owner), owner.passkey)],
  ];

  it("is over when a factor is proven, wherever", async () => {
    await Promise.all(
      proofs.map(async ([where, prove]) => {
        const owner = await passkeyOwner();
        const { cancel } = await waitingForRecovery(owner);
        const answer = await prove(owner);
        expect(answer.status, `${where}: ${answer.text}`).toBe(200);
        expect(answer.body, where).not.toHaveProperty("recovery");
        const late = await cancelRecovery(cancel);
        expect({ where, status: late.status, code: late.body.code }).toEqual({
          where,
          status: 400,
          code: "invalid_link",
        });
        const session = await signInByPasskey(owner.passkey);
        expect((await me(text(session, "access_token"))).body, where).not.toHaveProperty("recovery");
      }),
    );
  });
});
