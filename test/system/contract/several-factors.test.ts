import { beforeAll, describe, expect, it } from "vitest";
import { Authenticator } from "../../support/authenticator.ts";
import {
  type Answer,
  answerChallenge,
  challenged,
  confirm,
  enrol,
  expectProblem,
  logIn,
  me,
  refreshed,
  sessionOf,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  type AddedFactor,
  addFactor,
  type CoveredPerson,
  coveredPerson,
  expectEnded,
  expectInsufficient,
  factorsOf,
  mailsCausedBy,
  recoverySession,
  stepUp,
} from "../../support/recovery-client.ts";

describe("several authenticator apps", () => {
  let person: CoveredPerson;
  let second: AddedFactor;
  let third: AddedFactor;
  beforeAll(async () => {
    person = await coveredPerson();
    second = await addFactor(person.session.access, "Tablet");
    third = await addFactor(person.session.access, "Safe 🔒 in the <cellar>");
  });

  it("are listed with their labels, and a sign-in shows which was used", async () => {
    const owner = await coveredPerson();
    const app = await addFactor(owner.session.access, "Tablet");
    const before = (await factorsOf(owner.session.access)).factors;
    expect(before.map(({ id, kind, label }) => ({ id, kind, label }))).toEqual(
      expect.arrayContaining([
        { id: owner.factorId, kind: "totp", label: expect.any(String) },
        { id: app.id, kind: "totp", label: "Tablet" },
      ]),
    );
    expect(before.length).toBe(2);
    const session = sessionOf(await answerChallenge(await challenged(owner), await app.authenticator.next()));
    const used = (await factorsOf(session.access)).factors.find(({ id }) => id === app.id);
    expect(used?.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/);
    expect(Date.parse(String(used?.last_used_at))).toBeGreaterThanOrEqual(Date.parse(String(used?.created_at)));
    const other = (factors: typeof before) => factors.find(({ id }) => id === owner.factorId);
    expect(other((await factorsOf(session.access)).factors)).toEqual(other(before));
  });

  it("keep labels as they were written", async () => {
    const labels = (await factorsOf(person.session.access)).factors.map(({ label }) => label);
    expect(labels).toEqual(expect.arrayContaining(["Tablet", "Safe 🔒 in the <cellar>"]));
  });

  it("each open the second door, and the door says so once", async () => {
    for (const app of [person.authenticator, second.authenticator, third.authenticator]) {
      const door = await logIn(person);
      expect([...(door.body.methods as string[])].sort()).toEqual(["recovery_code", "totp"]);
      const answer = await answerChallenge(text(door, "challenge_token"), await app.next());
      expect(answer.body.status, answer.text).toBe("authenticated");
    }
  });

  it("each remember their own last step: a code opens once, and the other app's goes on", async () => {
    const owner = await coveredPerson();
    const app = await addFactor(owner.session.access);
    const [first, other] = [await challenged(owner), await challenged(owner)];
    const code = await app.authenticator.next();
    expect((await answerChallenge(first, code)).status).toBe(200);
    expectProblem(await answerChallenge(other, code), 401, "invalid_code");
    // Of a step not above the one the other app has just used.
    expect((await answerChallenge(other, await owner.authenticator.next())).status).toBe(200);
  });

  it("are at most three: the fourth is a conflict", async () => {
    const fourth = await enrol(person.session.access);
    const app = fourth.status === 201 ? new Authenticator(text(fourth, "secret")) : undefined;
    const refusal = app ? await confirm(person.session.access, text(fourth, "factor_id"), await app.next()) : fourth;
    expectProblem(refusal, 409, "conflict");
    expect((await factorsOf(person.session.access)).factors.length).toBe(3);
  });
});

describe("adding an authenticator app", () => {
  it("to an account that has one needs fresh proof of it", async () => {
    const person = await coveredPerson();
    expectInsufficient(await enrol(person.early));
    expect((await enrol(person.session.access)).status).toBe(201);
  });

  it("ends the other sessions, whatever their proof, and kills every open challenge", async () => {
    const person = await coveredPerson();
    const other = await recoverySession(person);
    const door = await challenged(person);
    const raise = text(await stepUp(person.session.access), "challenge_token");
    await addFactor(person.session.access);
    await expectEnded(other);
    expect((await me(person.session.access)).status).toBe(200);
    expect(sessionOf(await refreshed(person.session.refresh)).id).toBe(person.session.id);
    const code = await person.authenticator.next();
    for (const challenge of [door, raise]) {
      expectProblem(await answerChallenge(challenge, code), 401, "invalid_challenge");
    }
    expect((await answerChallenge(await challenged(person), code)).status).toBe(200);
  });

  it("is told of by mail once it is confirmed, not before, and the mail holds no secret", async () => {
    const person = await verifiedPerson();
    const session = await signedIn(person);
    const enrolment = await enrol(session.access);
    const app = new Authenticator(text(enrolment, "secret"));
    let confirmed: Answer | undefined;
    const mails = await mailsCausedBy(person.email, 1, async () => {
      await confirm(session.access, text(enrolment, "factor_id"), app.wrong());
      confirmed = await confirm(session.access, text(enrolment, "factor_id"), await app.next());
    });
    expect(confirmed?.status).toBe(200);
    expect(mails.length).toBe(1);
    expect(`${mails[0]?.subject} ${mails[0]?.text}`).toMatch(/authenticator|second factor|two-factor/i);
    const codes = confirmed?.body.recovery_codes as string[];
    for (const secret of [text(enrolment, "secret"), ...codes]) expect(JSON.stringify(mails)).not.toContain(secret);
  });
});
