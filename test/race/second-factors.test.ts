import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AccountStore } from "../../src/account/account-store.ts";
import {
  type Answer,
  accountOf,
  answer,
  call,
  challengeOf,
  codeOf,
  logIn,
  newGuardedPerson,
  newPerson,
  type Person,
  recover,
} from "../support/in-worker.ts";
import { slowCrypto } from "../support/slow-crypto.ts";
import {
  addPasskey,
  assertionOptions,
  creationOptions,
  newPasskeyPerson,
  securityKey,
  sendAssertion,
  signInByPasskey,
  signInOptions,
  syncedPasskey,
} from "../worker/support/passkeys.ts";

const AT_ONCE = 50;
const required = { ...env, SECOND_FACTOR: "required" };

function fifty(work: (index: number) => Promise<Answer>): Promise<Answer[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, (_, index) => work(index)));
}

/** What the account holds. */
function storedOf(person: Person) {
  return runInDurableObject(accountOf(person), (_, state) => {
    const store = new AccountStore(state.storage.sql);
    return { sessions: store.sessions().length, codes: store.guard().recoveryCodes.digests.length };
  });
}

const wins = (answers: Answer[]) => answers.filter(({ body }) => body.access_token !== undefined);

async function enrolmentToken(person: Person): Promise<unknown> {
  return (await logIn(person, { bindings: required })).body.enrolment_token;
}

// Each race runs twice, for the reasons that `races.test.ts` gives.
describe.each([
  { crypto: "as the local runtime runs it", slow: false },
  { crypto: "giving up its turn", slow: true },
])("fifty at once, with crypto $crypto", ({ slow }) => {
  let restore = () => {};
  beforeEach(() => {
    restore = slow ? slowCrypto() : () => {};
  });
  afterEach(() => restore());

  it("one recovery code answers one of many challenges", async () => {
    const person = await newPasskeyPerson();
    const challenges: unknown[] = [];
    for (let i = 0; i < 7; i += 1) {
      const bearer = (await signInByPasskey(person.key)).body.access_token;
      challenges.push((await call("/auth/step-up", {}, { bearer })).body.challenge_token);
    }
    for (let i = 0; i < 3; i += 1) challenges.push(await challengeOf(person));
    const answers = await fifty((i) => recover(challenges[i % challenges.length], person.recoveryCodes[0]));
    expect(wins(answers)).toHaveLength(1);
    expect((await storedOf(person)).codes).toBe(9);
  });

  it("one assertion answers its challenge once", async () => {
    const person = await newPasskeyPerson();
    const challenge = await challengeOf(person);
    const { sessions } = await storedOf(person);
    const response = await person.key.assert(await assertionOptions(challenge));
    const answers = await fifty(() => sendAssertion(challenge, response));
    expect(wins(answers)).toHaveLength(1);
    expect((await storedOf(person)).sessions).toBe(sessions + 1);
  });

  it("of two assertions with one counter, on two challenges, one counts", async () => {
    const person = await newPasskeyPerson(securityKey());
    const { sessions } = await storedOf(person);
    const challenges = [await challengeOf(person), await challengeOf(person)];
    const responses = await Promise.all(
      challenges.map(async (one) => person.key.assert(await assertionOptions(one), { signCount: 7 })),
    );
    const answers = await fifty((i) => sendAssertion(challenges[i % 2], responses[i % 2] as (typeof responses)[0]));
    expect(wins(answers)).toHaveLength(1);
    expect((await storedOf(person)).sessions).toBe(sessions + 1);
  });

  it("one username-less assertion opens one session", async () => {
    const person = await newPasskeyPerson();
    const { sessions } = await storedOf(person);
    const response = await person.key.assert(await signInOptions());
    const answers = await fifty(() => call("/auth/passkey/verify", { response }));
    expect(wins(answers)).toHaveLength(1);
    expect((await storedOf(person)).sessions).toBe(sessions + 1);
  });

  it("of two username-less assertions with one counter, one counts", async () => {
    const person = await newPasskeyPerson(securityKey());
    const { sessions } = await storedOf(person);
    const asserted = async () => person.key.assert(await signInOptions(), { signCount: 7 });
    const responses = [await asserted(), await asserted()];
    const answers = await fifty((i) => call("/auth/passkey/verify", { response: responses[i % 2] }));
    expect(wins(answers)).toHaveLength(1);
    expect((await storedOf(person)).sessions).toBe(sessions + 1);
  });

  it("a challenge answered in three ways opens one session, and what came too late is not spent", async () => {
    const person = await newGuardedPerson();
    const key = syncedPasskey();
    await addPasskey((await logInWithCode(person)).body.access_token, key);
    const challenge = await challengeOf(person);
    const { sessions } = await storedOf(person);
    const response = await key.assert(await assertionOptions(challenge));
    const code = person.code(1);
    const ways = [
      () => answer(challenge, code),
      () => recover(challenge, person.recoveryCodes[0]),
      () => sendAssertion(challenge, response),
    ] as const;
    const answers = await fifty((i) => ways[(i % 3) as 0 | 1 | 2]());
    const [win, ...others] = wins(answers);
    expect(others).toEqual([]);
    const byRecoveryCode = answers.indexOf(win as Answer) % 3 === 1;
    expect(await storedOf(person)).toEqual({ sessions: sessions + 1, codes: byRecoveryCode ? 9 : 10 });
  });

  it("an enrolment token confirms one authenticator and opens one session", async () => {
    const person = await newPerson();
    const bearer = await enrolmentToken(person);
    const { body } = await call("/auth/2fa/totp/enroll", {}, { bearer });
    const confirmation = { factor_id: body.factor_id, code: codeOf(body.secret, Date.now()) };
    const answers = await fifty(() => call("/auth/2fa/totp/confirm", confirmation, { bearer }));
    expect(wins(answers)).toHaveLength(1);
    expect(await storedOf(person)).toEqual({ sessions: 1, codes: 10 });
  });

  it("an enrolment token registers one passkey and opens one session", async () => {
    const person = await newPerson();
    const bearer = await enrolmentToken(person);
    const response = await syncedPasskey().register(await creationOptions(bearer));
    const answers = await fifty(() => call("/auth/2fa/passkeys", { response }, { bearer }));
    expect(wins(answers)).toHaveLength(1);
    expect(await storedOf(person)).toEqual({ sessions: 1, codes: 10 });
  });

  it("an enrolment token finishes an authenticator or a passkey, and not both", async () => {
    const person = await newPerson();
    const bearer = await enrolmentToken(person);
    const { body } = await call("/auth/2fa/totp/enroll", {}, { bearer });
    const confirmation = { factor_id: body.factor_id, code: codeOf(body.secret, Date.now()) };
    const response = await syncedPasskey().register(await creationOptions(bearer));
    const answers = await fifty((i) =>
      i % 2
        ? call("/auth/2fa/totp/confirm", confirmation, { bearer })
        : call("/auth/2fa/passkeys", { response }, { bearer }),
    );
    expect(wins(answers)).toHaveLength(1);
    expect(await storedOf(person)).toEqual({ sessions: 1, codes: 10 });
  });

  it("one credential id belongs to one of several accounts that register it", async () => {
    const credentialId = crypto.getRandomValues(new Uint8Array(32));
    const registrations = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const bearer = (await logIn(await newPerson())).body.access_token;
        return { bearer, response: await syncedPasskey().register(await creationOptions(bearer), { credentialId }) };
      }),
    );
    const answers = await Promise.all(
      registrations.map(({ bearer, response }) => call("/auth/2fa/passkeys", { response }, { bearer })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400]);
  });
});

/** Both doors, with the code of the moment of enrolment. */
async function logInWithCode(person: Awaited<ReturnType<typeof newGuardedPerson>>): Promise<Answer> {
  return answer(await challengeOf(person), person.code(0));
}
