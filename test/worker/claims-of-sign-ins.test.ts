import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  addAuthenticator,
  answer,
  call,
  challengeOf,
  logIn,
  newGuardedPerson,
  newPerson,
  recover,
  refresh,
} from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { BY_PASSKEY, proof, proofIn } from "./support/claims.ts";
import { DAY, MINUTE, pass, SECOND, seconds, useMovedClock } from "./support/moved-clock.ts";
import {
  addPasskey,
  answerByPasskey,
  newPasskeyPerson,
  securityKey,
  signInByPasskey,
  syncedPasskey,
  UNVERIFIED,
} from "./support/passkeys.ts";

useMovedClock();

describe("a sign-in", () => {
  it("by password", async () => {
    const person = await newPerson();
    expect(proofIn(await logIn(person), seconds())).toEqual(proof("aal1", ["pwd"], { pwd: 0 }));
  });

  it("by password and code", async () => {
    const person = await newGuardedPerson();
    const base = seconds();
    const challenge = await challengeOf(person);
    pass(7 * SECOND);
    const answered = await answer(challenge, person.codeNow());
    expect(proofIn(answered, base)).toEqual(proof("aal2", ["pwd", "otp", "mfa"], { pwd: 0, otp: 7 }));
    pass(7 * SECOND);
    const refreshed = await refresh(answered.body.refresh_token);
    expect(proofIn(refreshed, base)).toEqual(proof("aal2", ["pwd", "otp", "mfa"], { pwd: 0, otp: 7 }));
  });

  it.each([
    { what: "a synced passkey", kind: "swk", key: syncedPasskey(), options: {} },
    { what: "a synced passkey that did not verify its user", kind: "swk", key: syncedPasskey(), options: UNVERIFIED },
    { what: "a security key", kind: "hwk", key: securityKey(), options: {} },
    { what: "a security key that did not verify its user", kind: "hwk", key: securityKey(), options: UNVERIFIED },
  ])("by password and $what", async ({ kind, key, options }) => {
    const person = await newPasskeyPerson(key);
    const base = seconds();
    const challenge = await challengeOf(person);
    pass(7 * SECOND);
    const answered = await answerByPasskey(challenge, key, options);
    expect(proofIn(answered, base)).toEqual(proof("aal2", ["pwd", kind, ...BY_PASSKEY], { pwd: 0, [kind]: 7 }));
  });

  it.each([
    { what: "synced passkey", kind: "swk", key: syncedPasskey() },
    { what: "security key", kind: "hwk", key: securityKey() },
  ])("by a $what alone", async ({ kind, key }) => {
    await newPasskeyPerson(key);
    pass(7 * SECOND);
    const answered = await signInByPasskey(key);
    expect(proofIn(answered, seconds())).toEqual(proof("aal2", [kind, ...BY_PASSKEY], { [kind]: 0 }));
  });

  it("by password and recovery code", async () => {
    const person = await newGuardedPerson();
    const base = seconds();
    const challenge = await challengeOf(person);
    pass(7 * SECOND);
    const answered = await recover(challenge, person.recoveryCodes[0]);
    expect(proofIn(answered, base)).toEqual(proof("aal2-recovery", ["pwd", "mfa"], { pwd: 0, recovery_code: 7 }));
  });

  it("in a trusted browser", async () => {
    const bindings = { ...env, TRUSTED_BROWSER_DAYS: "30" };
    const [person, browser] = [await newGuardedPerson(), new Browser()];
    const challenge_token = await challengeOf(person, { browser, bindings });
    const trusting = { challenge_token, method: "totp", code: person.codeNow(), trust_browser: true };
    await call("/auth/2fa/verify", trusting, { browser, bindings });
    pass(DAY);
    const base = seconds();
    const answered = await logIn(person, { browser, bindings });
    expect(proofIn(answered, base)).toEqual(proof("aal1", ["pwd"], { pwd: 0 }));
    pass(MINUTE);
    const stepUp = await call("/auth/step-up", {}, { bearer: answered.body.access_token });
    const stepped = await answer(stepUp.body.challenge_token, person.codeNow());
    expect(proofIn(stepped, base)).toEqual(proof("aal2", ["pwd", "otp", "mfa"], { pwd: 0, otp: 60 }));
    const refreshed = await refresh(undefined, { browser, bindings });
    expect(proofIn(refreshed, base)).toEqual(proof("aal1", ["pwd"], { pwd: 0 }));
  });
});

describe("a factor that is added", () => {
  it.each([
    { what: "an authenticator", add: (bearer: unknown) => addAuthenticator(bearer), amr: ["pwd", "otp", "mfa"] },
    {
      what: "a synced passkey",
      add: (bearer: unknown) => addPasskey(bearer, syncedPasskey()),
      amr: ["pwd", "swk", ...BY_PASSKEY],
    },
    {
      what: "a security key that did not verify its user",
      add: (bearer: unknown) => addPasskey(bearer, securityKey({ userVerified: false })),
      amr: ["pwd", "hwk", ...BY_PASSKEY],
    },
  ])("$what raises a session by password, at its next refresh", async ({ add, amr }) => {
    const person = await newPerson();
    const base = seconds();
    const { body } = await logIn(person);
    pass(MINUTE);
    await add(body.access_token);
    pass(MINUTE);
    const kind = amr[1] ?? "";
    expect(proofIn(await refresh(body.refresh_token), base)).toEqual(proof("aal2", amr, { pwd: 0, [kind]: 60 }));
  });

  it("leaves a session by password and code as it was", async () => {
    const person = await newGuardedPerson();
    const base = seconds();
    const { body } = await refresh(person.session.refresh_token);
    pass(MINUTE);
    await addPasskey(body.access_token, syncedPasskey());
    const own = proof("aal2", ["pwd", "otp", "mfa"], { pwd: 0, otp: 0 });
    expect(proofIn(await refresh(body.refresh_token), base)).toEqual(own);
  });

  it("leaves a session of a recovery code as it was", async () => {
    const person = await newGuardedPerson();
    const base = seconds();
    const { body } = await recover(await challengeOf(person), person.recoveryCodes[0]);
    pass(MINUTE);
    const { password } = person;
    const stepped = await call("/auth/step-up", { password }, { bearer: body.access_token });
    await addAuthenticator(stepped.body.access_token);
    const own = proof("aal2-recovery", ["pwd", "mfa"], { pwd: 0, recovery_code: 0 });
    expect(proofIn(await refresh(body.refresh_token), base)).toEqual(own);
  });
});

describe("an enrolment token opens a session of the password and the factor it added", () => {
  const required = { bindings: { ...env, SECOND_FACTOR: "required" } };
  const passkeys = { bindings: { ...env, SECOND_FACTOR: "passkey" } };

  it.each([
    { what: "an authenticator", settings: {}, amr: ["pwd", "otp", "mfa"] },
    { what: "a synced passkey", settings: {}, amr: ["pwd", "swk", ...BY_PASSKEY] },
    {
      what: "a passkey that did not verify its user",
      settings: { userVerified: false },
      amr: ["pwd", "swk", ...BY_PASSKEY],
    },
  ])("$what", async ({ settings, amr }) => {
    const person = await newPerson();
    const base = seconds();
    const token = (await logIn(person, required)).body.enrolment_token;
    pass(MINUTE);
    const opened = amr.includes("otp")
      ? (await addAuthenticator(token, required)).confirmed
      : await addPasskey(token, syncedPasskey(settings), required);
    const kind = amr[1] ?? "";
    expect(proofIn(opened, base)).toEqual(proof("aal2", amr, { pwd: 0, [kind]: 60 }));
    pass(MINUTE);
    const refreshed = await refresh(opened.body.refresh_token, required);
    expect(proofIn(refreshed, base)).toEqual(proof("aal2", amr, { pwd: 0, [kind]: 60 }));
  });

  it("a passkey after a code, where only passkeys count", async () => {
    const person = await newGuardedPerson();
    const base = seconds();
    const challenge = await challengeOf(person, passkeys);
    pass(MINUTE);
    const token = (await answer(challenge, person.codeNow(), passkeys)).body.enrolment_token;
    pass(MINUTE);
    const opened = await addPasskey(token, syncedPasskey(), passkeys);
    const all = ["pwd", "otp", "swk", ...BY_PASSKEY];
    expect(proofIn(opened, base)).toEqual(proof("aal2", all, { pwd: 0, otp: 60, swk: 120 }));
  });
});
