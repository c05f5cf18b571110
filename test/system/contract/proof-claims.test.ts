import { describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  me,
  refreshed,
  type Session,
  sessionOf,
  signedIn,
  signedInTwice,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  accessTokenAlone,
  addFactor,
  aSecond,
  coveredPerson,
  type Proof,
  proofIn,
  recover,
  recoverySession,
  spare,
  steppedUp,
  steppedUpByPassword,
  stepUp,
  turnOff,
} from "../../support/recovery-client.ts";

/** What each way in is worth, as the contract writes it down. The order of `amr` is part of it. */
const password = { acr: "aal1", amr: ["pwd"], factors: ["pwd"] };
const totp = { acr: "aal2", amr: ["pwd", "otp", "mfa"], factors: ["otp", "pwd"] };
const recoveryCode = { acr: "aal2-recovery", amr: ["pwd", "mfa"], factors: ["pwd", "recovery_code"] };

/** Asserts level, methods and proofs, and that `auth_time` is the last of them; gives the proof. */
async function expectProof(access: string, expected: typeof password): Promise<Proof> {
  const proof = proofIn(access);
  expect({ acr: proof.acr, amr: proof.amr, factors: Object.keys(proof.factors).sort() }).toEqual(expected);
  for (const time of Object.values(proof.factors)) {
    expect(time).toSatisfy(Number.isInteger);
    expect(Math.abs(time - Date.now() / 1000)).toBeLessThan(60);
  }
  expect(proof.auth_time).toBe(Math.max(...Object.values(proof.factors)));
  const { body } = await me(access);
  expect({ acr: body.acr, amr: body.amr, factors: Object.keys(body.factors as object).sort() }).toEqual(expected);
  expect(Math.floor(Date.parse(String(body.auth_time)) / 1000)).toBe(proof.auth_time);
  return proof;
}

const next = async (session: Session): Promise<Session> => sessionOf(await refreshed(session.refresh));

describe.concurrent("the proof in an access token says what happened", () => {
  it("at sign-in by the password alone, and after each refresh", async () => {
    const session = await signedIn(await verifiedPerson());
    const proof = await expectProof(session.access, password);
    await aSecond();
    expect(await expectProof((await next(session)).access, password)).toEqual(proof);
  });

  it("at sign-in by password and authenticator app, and after each refresh", async () => {
    const session = await signedInTwice(await coveredPerson());
    const proof = await expectProof(session.access, totp);
    await aSecond();
    expect(await expectProof((await next(session)).access, totp)).toEqual(proof);
  });

  it("at sign-in by password and recovery code, and after each refresh", async () => {
    const session = await recoverySession(await coveredPerson());
    const proof = await expectProof(session.access, recoveryCode);
    await aSecond();
    const second = await next(session);
    expect(await expectProof(second.access, recoveryCode)).toEqual(proof);
    expect(await expectProof((await next(second)).access, recoveryCode)).toEqual(proof);
  });

  it("when the second door opens later than the first: each proof has its own time", async () => {
    const person = await coveredPerson();
    for (const kind of ["totp", "recovery"]) {
      const challenge = await challenged(person);
      await aSecond();
      const answer =
        kind === "totp"
          ? await answerChallenge(challenge, await person.authenticator.next())
          : await recover(challenge, spare(person));
      const expected = kind === "totp" ? totp : recoveryCode;
      const { factors } = await expectProof(text(answer, "access_token"), expected);
      const second = kind === "totp" ? factors.otp : factors.recovery_code;
      expect(Number(second)).toBeGreaterThan(Number(factors.pwd));
    }
  });

  it("after the first factor: the old token is what it was, the next refresh has both proofs", async () => {
    const person = await coveredPerson();
    const before = await expectProof(person.early, password);
    const after = await expectProof(person.session.access, totp);
    expect(after.factors.pwd).toBe(before.factors.pwd);
  });

  it("after one more factor: the session has proven nothing less", async () => {
    const person = await coveredPerson();
    await addFactor(person.session.access);
    const proof = await expectProof((await next(person.session)).access, totp);
    expect(proof.factors.pwd).toBe(proofIn(person.session.access).factors.pwd);
  });

  it("at step-up by the password, of an account without a factor", async () => {
    const person = await verifiedPerson();
    const session = await signedIn(person);
    const before = proofIn(session.access);
    await aSecond();
    const raised = await expectProof(await steppedUpByPassword(session.access, person), password);
    expect(Number(raised.factors.pwd)).toBeGreaterThan(Number(before.factors.pwd));
    expect(await expectProof((await next(session)).access, password)).toEqual(before);
  });

  it("at step-up by the authenticator app: only its time is newer, and a refresh brings the older one back", async () => {
    const person = await coveredPerson();
    const before = proofIn(person.session.access);
    await aSecond();
    const raised = await expectProof(await steppedUp(person.session.access, person.authenticator), totp);
    expect(raised.factors.pwd).toBe(before.factors.pwd);
    expect(Number(raised.factors.otp)).toBeGreaterThan(Number(before.factors.otp));
    expect(await expectProof((await next(person.session)).access, totp)).toEqual(before);
  });

  it("at step-up by a recovery code: it takes the stronger proof's place in that token alone", async () => {
    const person = await coveredPerson();
    const before = proofIn(person.session.access);
    await aSecond();
    const challenge = text(await stepUp(person.session.access), "challenge_token");
    const lowered = await expectProof(accessTokenAlone(await recover(challenge, spare(person))), recoveryCode);
    expect(lowered.factors.pwd).toBe(before.factors.pwd);
    expect(Number(lowered.factors.recovery_code)).toBeGreaterThan(Number(before.factors.otp));
    expect(await expectProof((await next(person.session)).access, totp)).toEqual(before);
  });

  it("at step-up of a recovery session by the password: a newer password, and nothing more", async () => {
    const person = await coveredPerson();
    const session = await recoverySession(person);
    const before = proofIn(session.access);
    await aSecond();
    const raised = await expectProof(await steppedUpByPassword(session.access, person), recoveryCode);
    expect(raised.factors.recovery_code).toBe(before.factors.recovery_code);
    expect(Number(raised.factors.pwd)).toBeGreaterThan(Number(before.factors.pwd));
    expect(await expectProof((await next(session)).access, recoveryCode)).toEqual(before);
  });

  it("at step-up of a recovery session by the authenticator app: it takes the recovery code's place", async () => {
    const person = await coveredPerson();
    const session = await recoverySession(person);
    const before = proofIn(session.access);
    await aSecond();
    const raised = await expectProof(await steppedUp(session.access, person.authenticator), totp);
    expect(raised.factors.pwd).toBe(before.factors.pwd);
    expect(await expectProof((await next(session)).access, recoveryCode)).toEqual(before);
  });

  it("at step-up of a recovery session by another recovery code: a newer code, and nothing more", async () => {
    const person = await coveredPerson();
    const session = await recoverySession(person);
    await aSecond();
    const challenge = text(await stepUp(session.access), "challenge_token");
    const raised = await expectProof(accessTokenAlone(await recover(challenge, spare(person))), recoveryCode);
    expect(Number(raised.factors.recovery_code)).toBeGreaterThan(Number(proofIn(session.access).factors.recovery_code));
    expect(await expectProof((await next(session)).access, recoveryCode)).toEqual(proofIn(session.access));
  });

  it("after a factor enrolled in a recovery session: as before", async () => {
    const person = await coveredPerson();
    const session = await recoverySession(person);
    await addFactor(await steppedUpByPassword(session.access, person));
    expect(await expectProof((await next(session)).access, recoveryCode)).toEqual(proofIn(session.access));
  });

  it("after turning the second factor off: the next sign-in is a password and claims no more", async () => {
    const person = await coveredPerson();
    expect((await turnOff(person.session.access)).status).toBe(204);
    await expectProof((await signedIn(person)).access, password);
  });
});
