import { describe, expect, it } from "vitest";
import { type Answer, answer, call, challengeOf, logIn, newPerson, recover, refresh } from "../support/in-worker.ts";
import { BY_PASSKEY, proof, proofIn } from "./support/claims.ts";
import { DAY, MINUTE, pass, SECOND, seconds, useMovedClock } from "./support/moved-clock.ts";
import {
  type ArmedPerson,
  answerByPasskey,
  newArmedPerson,
  signInByPasskey,
  signInOptions,
  UNVERIFIED,
} from "./support/passkeys.ts";

useMovedClock();

describe("a step-up tells of the one token it opens, and the next refresh of the session as it was", () => {
  /** Steps up in a session and refreshes it; the refresh token goes on to the next. */
  async function stepUp(session: Answer["body"], prove: (challengeToken: unknown) => Promise<Answer>) {
    pass(MINUTE);
    const refreshed = await refresh(session.refresh_token);
    const asked = await call("/auth/step-up", {}, { bearer: refreshed.body.access_token });
    const stepped = await prove(asked.body.challenge_token);
    expect(stepped.body.refresh_token).toBeUndefined();
    return { stepped, after: await refresh(refreshed.body.refresh_token) };
  }

  it("by password, without a factor", async () => {
    const person = await newPerson();
    const base = seconds();
    const { body } = await logIn(person);
    pass(MINUTE);
    const stepped = await call("/auth/step-up", { password: person.password }, { bearer: body.access_token });
    expect(proofIn(stepped, base)).toEqual(proof("aal1", ["pwd"], { pwd: 60 }));
    expect(proofIn(await refresh(body.refresh_token), base)).toEqual(proof("aal1", ["pwd"], { pwd: 0 }));
  });

  it("by each factor, in a session of password and code", async () => {
    const person = await newArmedPerson();
    const base = seconds();
    const own = proof("aal2", ["pwd", "otp", "mfa"], { pwd: 0, otp: 0 });
    const byCode = await stepUp({ refresh_token: person.refreshToken }, (token) => answer(token, person.codeNow()));
    expect(proofIn(byCode.stepped, base)).toEqual(proof("aal2", ["pwd", "otp", "mfa"], { pwd: 0, otp: 60 }));
    expect(proofIn(byCode.after, base)).toEqual(own);
    const both = ["pwd", "otp", "swk", ...BY_PASSKEY];
    const byKey = await stepUp(byCode.after.body, (token) => answerByPasskey(token, person.key));
    expect(proofIn(byKey.stepped, base)).toEqual(proof("aal2", both, { pwd: 0, otp: 0, swk: 120 }));
    expect(proofIn(byKey.after, base)).toEqual(own);
    const unverified = await stepUp(byKey.after.body, (token) => answerByPasskey(token, person.key, UNVERIFIED));
    expect(proofIn(unverified.stepped, base)).toEqual(proof("aal2", both, { pwd: 0, otp: 0, swk: 180 }));
    const byRecovery = await stepUp(unverified.after.body, (token) => recover(token, person.recoveryCodes[0]));
    const recovered = proof("aal2-recovery", ["pwd", "mfa"], { pwd: 0, recovery_code: 240 });
    expect(proofIn(byRecovery.stepped, base)).toEqual(recovered);
    expect(proofIn(byRecovery.after, base)).toEqual(own);
  });

  it("by each factor, in a session of a passkey alone", async () => {
    const person = await newArmedPerson();
    const base = seconds();
    const own = proof("aal2", ["swk", ...BY_PASSKEY], { swk: 0 });
    const byKey = await stepUp((await signInByPasskey(person.key)).body, (token) => answerByPasskey(token, person.key));
    expect(proofIn(byKey.stepped, base)).toEqual(proof("aal2", ["swk", ...BY_PASSKEY], { swk: 60 }));
    expect(proofIn(byKey.after, base)).toEqual(own);
    const byCode = await stepUp(byKey.after.body, (token) => answer(token, person.codeNow()));
    expect(proofIn(byCode.stepped, base)).toEqual(proof("aal2", ["otp", "swk", ...BY_PASSKEY], { otp: 120, swk: 0 }));
    expect(proofIn(byCode.after, base)).toEqual(own);
    const byRecovery = await stepUp(byCode.after.body, (token) => recover(token, person.recoveryCodes[0]));
    expect(proofIn(byRecovery.stepped, base)).toEqual(proof("aal2-recovery", ["mfa"], { recovery_code: 180 }));
    expect(proofIn(byRecovery.after, base)).toEqual(own);
  });

  it("by each factor, in a session of a recovery code", async () => {
    const person = await newArmedPerson();
    const base = seconds();
    const session = (await recover(await challengeOf(person), person.recoveryCodes[0])).body;
    const own = proof("aal2-recovery", ["pwd", "mfa"], { pwd: 0, recovery_code: 0 });
    const byCode = await stepUp(session, (token) => answer(token, person.codeNow()));
    expect(proofIn(byCode.stepped, base)).toEqual(proof("aal2", ["pwd", "otp", "mfa"], { pwd: 0, otp: 60 }));
    expect(proofIn(byCode.after, base)).toEqual(own);
    const byKey = await stepUp(byCode.after.body, (token) => answerByPasskey(token, person.key));
    expect(proofIn(byKey.stepped, base)).toEqual(proof("aal2", ["pwd", "swk", ...BY_PASSKEY], { pwd: 0, swk: 120 }));
    expect(proofIn(byKey.after, base)).toEqual(own);
    pass(MINUTE);
    const { password } = person;
    const byPassword = await call("/auth/step-up", { password }, { bearer: byKey.after.body.access_token });
    const again = proof("aal2-recovery", ["pwd", "mfa"], { pwd: 180, recovery_code: 0 });
    expect(proofIn(byPassword, base)).toEqual(again);
    expect(proofIn(await refresh(byKey.after.body.refresh_token), base)).toEqual(own);
  });
});

describe("a session whose factor has grown old goes on with what was proven anew", () => {
  const LATER = DAY / SECOND + 30;

  /** Asks for a refresh when the factor is too old, answers, and says what the session then says. */
  async function reauthenticate(refreshToken: unknown, prove: (challengeToken: unknown) => Promise<Answer>) {
    pass(DAY + 30 * SECOND);
    const asked = await refresh(refreshToken);
    expect(asked.body.status).toBe("challenge");
    const proven = await prove(asked.body.challenge_token);
    pass(MINUTE);
    return { proven, after: await refresh(proven.body.refresh_token) };
  }

  type Way = (person: ArmedPerson) => (challengeToken: unknown) => Promise<Answer>;
  const byCode: Way = (person) => (token) => answer(token, person.codeNow());
  const byPasskey: Way = (person) => (token) => answerByPasskey(token, person.key);
  const byUnverified: Way = (person) => (token) => answerByPasskey(token, person.key, UNVERIFIED);
  const byRecovery: Way = (person) => (token) => recover(token, person.recoveryCodes.at(-1));

  const ofPasswordAndCode = [
    { what: "a code", way: byCode, said: proof("aal2", ["pwd", "otp", "mfa"], { pwd: 0, otp: LATER }) },
    {
      what: "a passkey",
      way: byPasskey,
      said: proof("aal2", ["pwd", "otp", "swk", ...BY_PASSKEY], { pwd: 0, otp: 0, swk: LATER }),
    },
    {
      what: "a passkey that did not verify its user",
      way: byUnverified,
      said: proof("aal2", ["pwd", "otp", "swk", ...BY_PASSKEY], { pwd: 0, otp: 0, swk: LATER }),
    },
    {
      what: "a recovery code",
      way: byRecovery,
      said: proof("aal2-recovery", ["pwd", "mfa"], { pwd: 0, recovery_code: LATER }),
    },
  ];

  it.each(ofPasswordAndCode)("of password and code, by $what", async ({ way, said }) => {
    const person = await newArmedPerson();
    const base = seconds();
    const { body } = await answer(await challengeOf(person, { remember: true }), person.codeNow());
    const { proven, after } = await reauthenticate(body.refresh_token, way(person));
    expect(proofIn(proven, base)).toEqual(said);
    expect(proofIn(after, base)).toEqual(said);
  });

  const ofPasskey = [
    { what: "a passkey", way: byPasskey, said: proof("aal2", ["swk", ...BY_PASSKEY], { swk: LATER }) },
    { what: "a code", way: byCode, said: proof("aal2", ["otp", "swk", ...BY_PASSKEY], { otp: LATER, swk: 0 }) },
    { what: "a recovery code", way: byRecovery, said: proof("aal2-recovery", ["mfa"], { recovery_code: LATER }) },
  ];

  it.each(ofPasskey)("of a passkey alone, by $what", async ({ way, said }) => {
    const person = await newArmedPerson();
    const base = seconds();
    const response = await person.key.assert(await signInOptions());
    const { body } = await call("/auth/passkey/verify", { response, remember: true });
    const { proven, after } = await reauthenticate(body.refresh_token, way(person));
    expect(proofIn(proven, base)).toEqual(said);
    expect(proofIn(after, base)).toEqual(said);
  });

  const ofRecovery = [
    { what: "a code", way: byCode, said: proof("aal2", ["pwd", "otp", "mfa"], { pwd: 0, otp: LATER }) },
    { what: "a passkey", way: byPasskey, said: proof("aal2", ["pwd", "swk", ...BY_PASSKEY], { pwd: 0, swk: LATER }) },
    {
      what: "a recovery code",
      way: byRecovery,
      said: proof("aal2-recovery", ["pwd", "mfa"], { pwd: 0, recovery_code: LATER }),
    },
  ];

  it.each(ofRecovery)("of a recovery code, by $what", async ({ way, said }) => {
    const person = await newArmedPerson();
    const base = seconds();
    const challenge = await challengeOf(person, { remember: true });
    const { body } = await recover(challenge, person.recoveryCodes[0]);
    const { proven, after } = await reauthenticate(body.refresh_token, way(person));
    expect(proofIn(proven, base)).toEqual(said);
    expect(proofIn(after, base)).toEqual(said);
  });
});
