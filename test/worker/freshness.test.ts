import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  addAuthenticator,
  answer,
  call,
  challengeOf,
  logIn,
  newPerson,
  recover,
  refresh,
} from "../support/in-worker.ts";
import { DAY, MINUTE, pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import {
  type ArmedPerson,
  answerByPasskey,
  newArmedPerson,
  securityKey,
  signInByPasskey,
  UNVERIFIED,
} from "./support/passkeys.ts";

useMovedClock();

/** A way to answer a challenge. */
type Way = (person: ArmedPerson, challengeToken: unknown) => Promise<Answer>;
const BY_CODE: Way = (person, token) => answer(token, person.codeNow());
const BY_PASSKEY: Way = ({ key }, token) => answerByPasskey(token, key);
const BY_UNVERIFIED: Way = ({ key }, token) => answerByPasskey(token, key, UNVERIFIED);
const BY_RECOVERY: Way = (person, token) => recover(token, person.recoveryCodes.pop());

const enrol = (bearer: unknown) => call("/auth/2fa/totp/enroll", {}, { bearer });
const newCodes = (bearer: unknown) => call("/auth/2fa/recovery-codes", {}, { bearer });

/** The refusal of a proof that is too old or too weak. */
function expectTooLittle({ status, body, headers }: Answer): void {
  expect({ status, code: body.code }).toEqual({ status: 401, code: "insufficient_user_authentication" });
  expect(headers.get("WWW-Authenticate")).toContain('acr_values="aal2", max_age=300');
}

describe("a proof is fresh for 300 seconds from its whole second, and no longer", () => {
  it.each([
    { what: "a code", way: BY_CODE, key: undefined },
    { what: "a synced passkey", way: BY_PASSKEY, key: undefined },
    { what: "a security key", way: BY_PASSKEY, key: securityKey() },
    { what: "a passkey that did not verify its user", way: BY_UNVERIFIED, key: undefined },
  ])("of $what beside a password", async ({ way, key }) => {
    const person = await newArmedPerson(key);
    const challenge = await challengeOf(person);
    pass(999);
    const bearer = (await way(person, challenge)).body.access_token;
    pass(300 * SECOND - 999 - 1);
    expect((await newCodes(bearer)).status).toBe(200);
    pass(1);
    expectTooLittle(await newCodes(bearer));
    expectTooLittle(await enrol(bearer));
  });

  it("of a passkey alone", async () => {
    const { key } = await newArmedPerson();
    const bearer = (await signInByPasskey(key)).body.access_token;
    pass(300 * SECOND - 1);
    expect((await newCodes(bearer)).status).toBe(200);
    pass(1);
    expectTooLittle(await newCodes(bearer));
  });

  it("of a password, and for the account without a factor alone", async () => {
    const person = await newPerson();
    const bearer = (await logIn(person)).body.access_token;
    pass(300 * SECOND - 1);
    expect((await enrol(bearer)).status).toBe(201);
    pass(1);
    const stale = await enrol(bearer);
    expect(stale.headers.get("WWW-Authenticate")).toContain('acr_values="aal1", max_age=300');
  });

  it("and a recovery code makes nothing fresh", async () => {
    const person = await newArmedPerson();
    const { body } = await recover(await challengeOf(person), person.recoveryCodes.pop());
    for (const act of [enrol, newCodes]) expectTooLittle(await act(body.access_token));
    const asked = await call("/auth/step-up", {}, { bearer: body.access_token });
    const stepped = await BY_RECOVERY(person, asked.body.challenge_token);
    for (const act of [enrol, newCodes]) expectTooLittle(await act(stepped.body.access_token));
  });
});

describe("a session of a recovery code", () => {
  async function recovered() {
    const person = await newArmedPerson();
    const challenge = await challengeOf(person);
    pass(SECOND);
    const { body } = await recover(challenge, person.recoveryCodes.pop());
    pass(SECOND);
    const { password } = person;
    const again = () => call("/auth/step-up", { password }, { bearer: body.access_token });
    return { person, session: body, again };
  }

  it("may add a factor for 300 seconds after its password was given once more", async () => {
    const { again } = await recovered();
    const bearer = (await again()).body.access_token;
    pass(300 * SECOND - 1);
    expect((await enrol(bearer)).status).toBe(201);
    pass(1);
    expectTooLittle(await enrol(bearer));
  });

  it("may not with the tokens it had before, nor with those that a refresh gives", async () => {
    const { again, session } = await recovered();
    await again();
    expectTooLittle(await enrol(session.access_token));
    expectTooLittle(await enrol((await refresh(session.refresh_token)).body.access_token));
  });

  it("may do nothing else of consequence then", async () => {
    const { again, person } = await recovered();
    const bearer = (await again()).body.access_token;
    expectTooLittle(await newCodes(bearer));
    expectTooLittle(await call("/auth/2fa/turn-off", {}, { bearer }));
    expectTooLittle(await call(`/auth/2fa/factors/${person.factorId}`, undefined, { method: "DELETE", bearer }));
    expectTooLittle(await call(`/auth/browsers/${person.factorId}`, undefined, { method: "DELETE", bearer }));
  });

  it("cannot raise itself with what it adds, and the next sign-in can", async () => {
    const { again, person, session } = await recovered();
    const added = await addAuthenticator((await again()).body.access_token);
    const asked = await call("/auth/step-up", {}, { bearer: session.access_token });
    pass(30 * SECOND);
    expect((await answer(asked.body.challenge_token, added.codeNow())).body.code).toBe("invalid_code");
    const signedIn = await answer(await challengeOf(person), added.codeNow());
    expect((await newCodes(signedIn.body.access_token)).status).toBe(200);
  });

  it("in whose one second everything happened may add a factor, since the password was given in it", async () => {
    const person = await newArmedPerson();
    const { body } = await recover(await challengeOf(person), person.recoveryCodes.pop());
    expectTooLittle(await enrol(body.access_token));
    await call("/auth/step-up", { password: person.password }, { bearer: body.access_token });
    expect((await enrol(body.access_token)).status).toBe(201);
    expectTooLittle(await newCodes(body.access_token));
  });
});

describe("after FACTOR_MAX_AGE a refresh asks for the factor again", () => {
  const bindings = { ...env, FACTOR_MAX_AGE: "3600" };

  it.each([
    { what: "a code", way: BY_CODE },
    { what: "a passkey", way: BY_PASSKEY },
    { what: "a passkey that did not verify its user", way: BY_UNVERIFIED },
    { what: "a recovery code", way: BY_RECOVERY },
  ])("of $what, whatever its session was used for meanwhile", async ({ way }) => {
    const person = await newArmedPerson();
    const challenge = await challengeOf(person);
    pass(MINUTE);
    let { refresh_token } = (await way(person, challenge)).body;
    pass(30 * MINUTE);
    const used = await refresh(refresh_token, { bindings });
    // A step-up proves more, and leaves the session as it was.
    const asked = await call("/auth/step-up", {}, { bearer: used.body.access_token });
    expect((await BY_PASSKEY(person, asked.body.challenge_token)).status).toBe(200);
    pass(30 * MINUTE);
    ({ refresh_token } = (await refresh(used.body.refresh_token, { bindings })).body);
    expect(refresh_token).toBeDefined();
    pass(1);
    expect((await refresh(refresh_token, { bindings })).body.status).toBe("challenge");
  });

  it("of a passkey alone", async () => {
    const { key } = await newArmedPerson();
    const { body } = await signInByPasskey(key);
    pass(60 * MINUTE);
    const last = await refresh(body.refresh_token, { bindings });
    expect(last.body.status).toBe("authenticated");
    pass(1);
    expect((await refresh(last.body.refresh_token, { bindings })).body.status).toBe("challenge");
  });

  it("and never for a password, which is none", async () => {
    let { refresh_token } = (await logIn(await newPerson(), { remember: true })).body;
    for (let day = 0; day < 3; day += 1) {
      pass(DAY);
      const { body } = await refresh(refresh_token, { bindings });
      expect(body.status).toBe("authenticated");
      ({ refresh_token } = body);
    }
  });
});
