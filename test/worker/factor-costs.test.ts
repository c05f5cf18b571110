import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  addAuthenticator,
  answer,
  type Call,
  call,
  challengeOf,
  codeOf,
  logIn,
  newGuardedPerson,
  newPerson,
  newSource,
  recover,
  refresh,
} from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { costOf, numbers } from "./support/costs.ts";
import { DAY, MINUTE, pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import {
  assertionOptions,
  creationOptions,
  newArmedPerson,
  newPasskeyPerson,
  securityKey,
  sendAssertion,
  signInByPasskey,
  signInOptions,
  syncedPasskey,
} from "./support/passkeys.ts";
import { enterProofMode, mailedProof } from "./support/proof-mode.ts";

useMovedClock();

/** What a right answer leaves to be done after it: its gates, and the mail to its owner. */
const SETTLED = { after: ["gate.settle", "gate.sessionOpened"] };
const NOTICED = { after: ["d1.first", "gate.sessionOpened"] };
const OPENED = { after: ["gate.sessionOpened"] };

/** Where the people of this file sign in from; from anywhere else they would be told. */
const HOME = { source: newSource() };

describe("signing in", () => {
  it("with a code: two round trips and a row for the challenge, one and three for the answer", async () => {
    const person = await newGuardedPerson(HOME);
    const first = await costOf((options) => logIn(person, options), SETTLED);
    expect(numbers(first)).toEqual({ status: 200, sequential: 2, objects: 1, d1: 0 });
    const token = first.answer.body.challenge_token;
    const second = await costOf((options) => answer(token, person.codeNow(), { ...options, ...HOME }), OPENED);
    expect(second.calls).toEqual(["account.answer"]);
    expect(numbers(second)).toEqual({ status: 200, sequential: 1, objects: 3, d1: 0 });
  });

  it("with a passkey beside the password: what it signs costs nothing to write, the answer as much as a code", async () => {
    const person = await newPasskeyPerson(securityKey(), HOME);
    const token = await challengeOf(person);
    const asked = await costOf((options) => call("/auth/2fa/passkey/options", { challenge_token: token }, options));
    expect(asked.calls).toEqual(["account.assertionTerms"]);
    expect(numbers(asked)).toEqual({ status: 200, sequential: 1, objects: 0, d1: 0 });
    const response = await person.key.assert(await assertionOptions(token));
    const answered = await costOf((options) => sendAssertion(token, response, { ...options, ...HOME }), OPENED);
    expect(answered.calls).toEqual(["account.answer"]);
    expect(numbers(answered)).toEqual({ status: 200, sequential: 1, objects: 3, d1: 0 });
  });

  it("with a recovery code: as much as a code; the mail comes after", async () => {
    const person = await newGuardedPerson();
    const token = await challengeOf(person);
    const cost = await costOf((options) => recover(token, person.recoveryCodes[0], options), NOTICED);
    expect(cost.calls).toEqual(["account.answer"]);
    expect(numbers(cost)).toEqual({ status: 200, sequential: 1, objects: 3, d1: 0 });
  });

  it("with a passkey alone: nothing to begin with, then one round trip and two rows", async () => {
    const person = await newPasskeyPerson(securityKey(), HOME);
    const asked = await costOf((options) => call("/auth/passkey/options", {}, options));
    expect(asked.calls).toEqual([]);
    const response = await person.key.assert(await signInOptions());
    const request = (options: Call) => call("/auth/passkey/verify", { response }, { ...options, ...HOME });
    const cost = await costOf(request, SETTLED);
    expect(cost.calls).toEqual(["account.signInWithPasskey", "d1.first", "gate.reserve"]);
    expect(numbers(cost)).toEqual({ status: 200, sequential: 1, objects: 2, d1: 0 });
  });

  it("with a passkey alone after the roles have changed: one round trip and two rows more", async () => {
    const person = await newPasskeyPerson(undefined, HOME);
    await env.DB.prepare("UPDATE users SET roles = ? WHERE id = ?").bind('["editor"]', person.id).run();
    const response = await person.key.assert(await signInOptions());
    const request = (options: Call) => call("/auth/passkey/verify", { response }, { ...options, ...HOME });
    expect(numbers(await costOf(request, SETTLED))).toEqual({ status: 200, sequential: 2, objects: 4, d1: 0 });
  });

  it("with a wrong assertion of a right handle: four rows of its client, one of the account, for its event", async () => {
    const person = await newPasskeyPerson();
    const source = newSource();
    const wrong = async (options: object) =>
      signInByPasskey(person.key, { edits: { flags: { uv: false } }, ...options });
    await wrong({ source });
    const cost = await costOf((options) => wrong({ ...options, source }));
    expect(numbers(cost)).toEqual({ status: 401, sequential: 2, objects: 5, d1: 0 });
    expect(cost.calls.filter((name) => name.startsWith("account."))).toEqual(["account.signInWithPasskey"]);
  });
});

describe("a browser", () => {
  it("that is recognised costs no row of its own: it rides with the event", async () => {
    const [person, browser] = [await newPerson(), new Browser()];
    await logIn(person, HOME);
    const rows: number[] = [];
    for (const ms of [0, SECOND, DAY - 2 * SECOND, 12 * MINUTE]) {
      pass(ms);
      const cost = await costOf((options) => logIn(person, { ...options, ...HOME, browser }), SETTLED);
      // The first is a new browser's: after its answer the address is read, for the mail.
      expect(cost).toMatchObject({ sequential: rows.length === 0 ? 3 : 2, answer: { status: 200 } });
      rows.push(cost.rows.objects);
    }
    // The session's and the event's, and those of three sessions that have run out, as all of their tokens have.
    expect(rows).toEqual([2, 2, 2, 5]);
  });

  it("that is recognised costs no more than another with a code: one and three", async () => {
    const browser = new Browser();
    const from = { ...HOME, browser };
    const person = await newGuardedPerson(HOME);
    for (let i = 0; i < 2; i += 1) {
      const first = await costOf((options) => logIn(person, { ...options, ...from }), SETTLED);
      expect(numbers(first)).toEqual({ status: 200, sequential: 2, objects: 1, d1: 0 });
      const token = first.answer.body.challenge_token;
      const second = await costOf((options) => answer(token, person.codeNow(), { ...options, ...from }), NOTICED);
      expect(numbers(second)).toEqual({ status: 200, sequential: 1, objects: 3, d1: 0 });
      pass(MINUTE);
    }
  });

  it("that is trusted signs in with two round trips and two rows: the session, and its event", async () => {
    const browser = new Browser();
    const from = { ...HOME, browser };
    const person = await newGuardedPerson(from);
    const settings = { TRUSTED_BROWSER_DAYS: "30" };
    const challenge_token = await challengeOf(person, from);
    const trusting = { challenge_token, method: "totp", code: person.codeNow(), trust_browser: true };
    const trusted = await costOf((options) => call("/auth/2fa/verify", trusting, { ...options, ...from }), {
      settings,
      ...NOTICED,
    });
    expect(numbers(trusted)).toEqual({ status: 200, sequential: 1, objects: 3, d1: 0 });
    const cost = await costOf((options) => logIn(person, { ...options, ...from }), { settings, ...SETTLED });
    expect(cost.answer.body.status).toBe("authenticated");
    expect(numbers(cost)).toEqual({ status: 200, sequential: 2, objects: 2, d1: 0 });
  });
});

describe("what the owner hears of", () => {
  it("from a new network costs no row more: it rides with the event, and its mail comes after", async () => {
    const person = await newPerson();
    await logIn(person, HOME);
    const cost = await costOf((options) => logIn(person, options), SETTLED);
    expect(cost.rows.objects).toBe(2);
    const guarded = await newGuardedPerson(HOME);
    const token = await challengeOf(guarded, HOME);
    const answered = await costOf((options) => answer(token, guarded.codeNow(), options), NOTICED);
    expect(numbers(answered)).toEqual({ status: 200, sequential: 1, objects: 3, d1: 0 });
  });

  it("of wrong answers costs nothing: it rides with the event", async () => {
    const person = await newGuardedPerson(HOME);
    const token = await challengeOf(person);
    const rows: number[] = [];
    for (let i = 0; i < 4; i += 1) {
      const cost = await costOf((options) => answer(token, person.wrongCode(), options), NOTICED);
      expect(cost).toMatchObject({ sequential: 1, answer: { status: 401 } });
      rows.push(cost.rows.objects);
    }
    // The attempt, before the code is looked at, and what came of it.
    expect(rows).toEqual([2, 2, 2, 2]);
  });
});

describe("proof mode", () => {
  it("refuses with two round trips, and writes nothing but the event when nothing has changed", async () => {
    const person = await newGuardedPerson();
    await enterProofMode(person);
    await logIn(person);
    for (let i = 0; i < 2; i += 1) {
      const cost = await costOf((options) => logIn(person, options), SETTLED);
      expect(numbers(cost)).toEqual({ status: 403, sequential: 2, objects: 1, d1: 0 });
    }
  });

  it("is passed with a proof in three round trips: its gate is waited for", async () => {
    const person = await newGuardedPerson();
    await enterProofMode(person);
    const proof = await mailedProof(person);
    const cost = await costOf((options) => logIn(person, { ...options, proof }));
    expect(numbers(cost)).toEqual({ status: 200, sequential: 3, objects: 3, d1: 0 });
  });

  it("sends a proof after its answer: two rows of the client, one of the address", async () => {
    const person = await newGuardedPerson();
    const source = newSource();
    await mailedProof(person);
    await call("/auth/proof", { email: "nobody@example.com" }, { source });
    const cost = await costOf((options) => call("/auth/proof", { email: person.email }, { ...options, source }));
    expect(numbers(cost)).toMatchObject({ status: 202, objects: 3, d1: 0 });
  });
});

describe("adding a factor", () => {
  it("a passkey: one round trip and a row, then three and four, and one of D1", async () => {
    const { access_token: bearer } = (await logIn(await newPerson())).body;
    const begun = await costOf((options) => call("/auth/2fa/passkeys/options", {}, { ...options, bearer }));
    expect(begun.calls).toEqual(["account.startRegistration", "d1.first"]);
    expect(numbers(begun)).toEqual({ status: 200, sequential: 1, objects: 1, d1: 0 });
    const response = await syncedPasskey().register(await creationOptions(bearer));
    const done = await costOf((options) => call("/auth/2fa/passkeys", { response }, { ...options, bearer }));
    expect(numbers(done)).toMatchObject({ status: 201, objects: 4, d1: 1 });
    // One more of D1 is the mail to the owner, which the answer does not wait for.
    expect(done.calls).toEqual(expect.arrayContaining(["account.addPasskey", "account.spendRegistration", "d1.first"]));
    expect(done.sequential).toBeLessThanOrEqual(4);
  });

  it("an authenticator: one round trip and a row, then one and four", async () => {
    const { access_token: bearer } = (await logIn(await newPerson())).body;
    const begun = await costOf((options) => call("/auth/2fa/totp/enroll", {}, { ...options, bearer }));
    expect(numbers(begun)).toEqual({ status: 201, sequential: 1, objects: 1, d1: 0 });
    const { factor_id, secret } = begun.answer.body;
    const confirmation = { factor_id, code: codeOf(secret, Date.now()) };
    const done = await costOf(
      (options) => call("/auth/2fa/totp/confirm", confirmation, { ...options, bearer }),
      NOTICED,
    );
    expect(numbers(done)).toEqual({ status: 200, sequential: 1, objects: 4, d1: 0 });
  });
});

describe("stepping up and proving again", () => {
  it("cost a row to ask; two to answer a step-up, three a re-proof", async () => {
    const person = await newArmedPerson();
    const { body } = await refresh(person.refreshToken);
    const bearer = body.access_token;
    const asked = await costOf((options) => call("/auth/step-up", {}, { ...options, bearer }));
    expect(numbers(asked)).toEqual({ status: 200, sequential: 1, objects: 1, d1: 0 });
    const response = await person.key.assert(await assertionOptions(asked.answer.body.challenge_token));
    const token = asked.answer.body.challenge_token;
    const stepped = await costOf((options) => sendAssertion(token, response, options));
    expect(numbers(stepped)).toEqual({ status: 200, sequential: 1, objects: 2, d1: 0 });
    const settings = { FACTOR_MAX_AGE: "60" };
    pass(2 * MINUTE);
    const again = await costOf((options) => refresh(body.refresh_token, options), { settings });
    expect(numbers(again)).toEqual({ status: 200, sequential: 1, objects: 1, d1: 0 });
    const proven = await costOf((options) => answer(again.answer.body.challenge_token, person.codeNow(), options));
    expect(numbers(proven)).toEqual({ status: 200, sequential: 1, objects: 3, d1: 0 });
  });
});

it("counts what it says it counts", async () => {
  const { access_token: bearer } = (await logIn(await newPerson())).body;
  await addAuthenticator(bearer);
  const cost = await costOf(async (options) => {
    const { DB } = options.bindings as { DB: D1Database };
    await DB.prepare("INSERT INTO passkey_owners VALUES ('a', 'b')").run();
    await DB.batch([DB.prepare("DELETE FROM passkey_owners WHERE digest = 'a'")]);
    return call("/healthz", undefined, options);
  });
  expect(numbers(cost)).toEqual({ status: 200, sequential: 2, objects: 0, d1: 2 });
});
