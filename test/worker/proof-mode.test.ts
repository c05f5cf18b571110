import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { PROOF_MODE_ABANDONED } from "../../src/policy.ts";
import {
  answer,
  call,
  challengeOf,
  logIn,
  newGuardedPerson,
  newPerson,
  type Person,
  recover,
  refresh,
  signIn,
} from "../support/in-worker.ts";
import { changeGuard, guardOf } from "./support/account.ts";
import { Browser } from "./support/browser.ts";
import { DAY, MINUTE, pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { answerByPasskey, newArmedPerson, signInByPasskey } from "./support/passkeys.ts";
import { enterProofMode, isProofMode, mailedProof, spend } from "./support/proof-mode.ts";

useMovedClock();

describe("proof mode begins", () => {
  it("with the tenth wrong answer in a row from browsers that nobody knows", async () => {
    const person = await newGuardedPerson();
    const tokens = [await challengeOf(person), await challengeOf(person)];
    await spend(tokens, 9, person.wrongCode());
    expect(await isProofMode(person)).toBe(false);
    await spend([tokens[1]], 1, person.wrongCode());
    const refused = await logIn(person);
    expect(refused).toMatchObject({ status: 403, body: { code: "proof_required", methods: ["mail_link"] } });
    expect(Object.keys(refused.body).sort()).toEqual(["code", "methods", "request_id", "status", "title", "type"]);
  });

  it("not with ten that had a right one between them", async () => {
    const person = await newGuardedPerson();
    const tokens = [await challengeOf(person), await challengeOf(person), await challengeOf(person)];
    await spend(tokens, 6, person.wrongCode());
    expect((await answer(tokens[0], person.codeNow())).status).toBe(200);
    await spend(tokens.slice(1), 4, person.wrongCode());
    expect(await isProofMode(person)).toBe(false);
  });

  it("not by what recognised browsers, proven mailboxes and sessions get wrong", async () => {
    const [person, browser] = [await newGuardedPerson(), new Browser()];
    const session = (await signIn(person, 0, { browser })).body;
    pass(30 * SECOND);
    for (let i = 0; i < 2; i += 1) {
      await spend([await challengeOf(person, { browser })], 5, person.wrongCode());
      await spend([await challengeOf(person, { proof: await mailedProof(person) })], 5, person.wrongCode());
    }
    const asked = await call("/auth/step-up", {}, { bearer: session.access_token });
    await spend([asked.body.challenge_token], 4, person.wrongCode());
    expect(await isProofMode(person)).toBe(false);
  });

  it("with the fifth challenge in a row that expired", async () => {
    const person = await newGuardedPerson();
    for (let i = 0; i < 2; i += 1) await challengeOf(person);
    pass(5 * MINUTE);
    for (let i = 0; i < 2; i += 1) await challengeOf(person);
    pass(5 * MINUTE);
    await challengeOf(person);
    pass(5 * MINUTE - 1);
    expect(await isProofMode(person)).toBe(false);
    pass(1);
    expect(await isProofMode(person)).toBe(true);
  });

  it("with the fifth that was pushed out by newer ones", async () => {
    const person = await newGuardedPerson();
    for (let i = 0; i < 8; i += 1) expect(await isProofMode(person)).toBe(false);
    expect(await isProofMode(person)).toBe(true);
  });

  it("with the fifth, of which one was exhausted by wrong answers", async () => {
    const person = await newGuardedPerson();
    await spend([await challengeOf(person)], 5, person.wrongCode());
    for (let i = 0; i < 3; i += 1) await challengeOf(person);
    pass(5 * MINUTE);
    await challengeOf(person);
    pass(5 * MINUTE);
    expect(await isProofMode(person)).toBe(true);
    expect((await guardOf(person)).streaks).toMatchObject({ failures: 5, abandoned: 5 });
  });

  it("not by challenges that recognised browsers and sessions leave open", async () => {
    const [person, browser] = [await newGuardedPerson(), new Browser()];
    const session = (await signIn(person, 0, { browser })).body;
    for (let i = 0; i < 6; i += 1) {
      await challengeOf(person, { browser });
      await call("/auth/step-up", {}, { bearer: session.access_token });
    }
    pass(5 * MINUTE);
    expect(await isProofMode(person)).toBe(false);
  });

  it("for the one account alone", async () => {
    const [person, other] = [await newGuardedPerson(), await newGuardedPerson()];
    await enterProofMode(person);
    expect(await isProofMode(other)).toBe(false);
    expect(await isProofMode(person)).toBe(true);
  });
});

describe("in proof mode", () => {
  it("a wrong password is answered as ever, and the account object is not asked", async () => {
    const person = await newGuardedPerson();
    await enterProofMode(person);
    const wrong = await logIn({ ...person, password: "not the right password" });
    expect(wrong).toMatchObject({ status: 401, body: { code: "sign_in_failed" } });
  });

  it("a challenge that was opened before can still be answered by what cannot be guessed", async () => {
    const person = await newArmedPerson();
    const before = await challengeOf(person);
    await enterProofMode(person);
    expect((await answerByPasskey(before, person.key)).body.status).toBe("authenticated");
    expect(await isProofMode(person)).toBe(false);
  });

  it("sessions refresh and step up, which does not end it", async () => {
    const person = await newArmedPerson();
    await enterProofMode(person);
    const { body } = await refresh(person.refreshToken);
    const asked = await call("/auth/step-up", {}, { bearer: body.access_token });
    expect((await answerByPasskey(asked.body.challenge_token, person.key)).status).toBe(200);
    expect(await isProofMode(person)).toBe(true);
  });

  it("an account that has lost its factors meanwhile asks for none", async () => {
    const person = await newArmedPerson();
    await enterProofMode(person);
    const { body } = await refresh(person.refreshToken);
    expect((await call("/auth/2fa/turn-off", {}, { bearer: body.access_token })).status).toBe(204);
    expect((await logIn(person)).body.status).toBe("authenticated");
  });
});

describe("proof mode ends", () => {
  /** For both reasons there are, so that what ends it has to end both. */
  async function enterForBothReasons(person: Person): Promise<void> {
    await enterProofMode(person);
    await changeGuard(person, (guard) => {
      guard.streaks.abandoned = PROOF_MODE_ABANDONED;
    });
  }

  it("never by time", async () => {
    const person = await newGuardedPerson();
    await enterForBothReasons(person);
    pass(30 * DAY);
    expect(await isProofMode(person)).toBe(true);
    const abandoned = await newGuardedPerson();
    for (let i = 0; i < 8; i += 1) await challengeOf(abandoned);
    pass(30 * DAY);
    expect(await isProofMode(abandoned)).toBe(true);
  });

  it("with a complete sign-in from a recognised browser", async () => {
    const [person, browser] = [await newGuardedPerson(), new Browser()];
    await signIn(person, 0, { browser });
    await enterForBothReasons(person);
    pass(30 * DAY);
    expect((await answer(await challengeOf(person, { browser }), person.codeNow())).status).toBe(200);
    expect(await isProofMode(person)).toBe(false);
  });

  it("not with a sign-in from a trusted browser, which proves nothing", async () => {
    const bindings = { ...env, TRUSTED_BROWSER_DAYS: "30" };
    const [person, browser] = [await newGuardedPerson(), new Browser()];
    const challenge_token = await challengeOf(person, { browser, bindings });
    const trusting = { challenge_token, method: "totp", code: person.codeNow(), trust_browser: true };
    await call("/auth/2fa/verify", trusting, { browser, bindings });
    await enterForBothReasons(person);
    expect((await logIn(person, { browser, bindings })).body.status).toBe("authenticated");
    expect(await isProofMode(person)).toBe(true);
  });

  it("with a sign-in by passkey alone, from anywhere", async () => {
    const person = await newArmedPerson();
    await enterForBothReasons(person);
    expect((await signInByPasskey(person.key)).body.status).toBe("authenticated");
    expect(await isProofMode(person)).toBe(false);
  });

  it.each(["code", "recovery code", "passkey"])(
    "with a sign-in by %s after a mailed proof, and no sooner",
    async (kind) => {
      const person = await newArmedPerson();
      await enterForBothReasons(person);
      const proof = await mailedProof(person);
      const token = await challengeOf(person, { proof });
      expect(await isProofMode(person)).toBe(true);
      const answered = {
        code: () => answer(token, person.codeNow()),
        "recovery code": () => recover(token, person.recoveryCodes[0]),
        passkey: () => answerByPasskey(token, person.key),
      }[kind];
      expect((await answered?.())?.body.status).toBe("authenticated");
      expect(await isProofMode(person)).toBe(false);
    },
  );

  it("not for an account where only passkeys count and a code is not enough", async () => {
    const bindings = { ...env, SECOND_FACTOR: "passkey" };
    const person = await newGuardedPerson();
    await changeGuard(person, (guard) => {
      guard.streaks.abandoned = 5;
    });
    const token = await challengeOf(person, { bindings, proof: await mailedProof(person) });
    expect((await answer(token, person.codeNow(), { bindings })).body.status).toBe("enrolment_required");
    expect((await logIn(person, { bindings })).body.code).toBe("proof_required");
  });
});

describe("an account without a factor", () => {
  it("has no proof mode: there is nothing to guess", async () => {
    const person = await newPerson();
    await changeGuard(person, (guard) => {
      guard.streaks = { failures: 10, abandoned: 5, byMethod: {} };
    });
    expect((await logIn(person)).body.status).toBe("authenticated");
  });
});
