import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { answer, call, challengeOf, logIn, newGuardedPerson, newPerson, recover } from "../support/in-worker.ts";
import { changeGuard } from "./support/account.ts";
import { nextCode, signInNow } from "./support/account-life.ts";
import { Browser } from "./support/browser.ts";
import { eventsBy, guarded, inShort, type Recording } from "./support/events.ts";
import { MINUTE, pass, useMovedClock } from "./support/moved-clock.ts";
import { newPasskeyPerson, securityKey, signInByPasskey, UNVERIFIED } from "./support/passkeys.ts";
import { mailedProof, spend } from "./support/proof-mode.ts";

useMovedClock();

const REQUIRED = { bindings: { ...env, SECOND_FACTOR: "required" } };
const OPENED = "authn_token_created challenge pwd";

const DOORS: Record<string, Recording> = {
  "a right password where there is a factor": [() => guarded((person) => logIn(person)), [OPENED]],
  "a right password where there is none": [
    async () => {
      const person = await newPerson();
      return { person, act: () => logIn(person) };
    },
    ["authn_login_success pwd"],
  ],
  "a right password where one is demanded": [
    async () => {
      const person = await newPerson();
      return { person, act: () => logIn(person, REQUIRED) };
    },
    ["authn_token_created enrolment pwd"],
  ],
  "a right password for a service that wants more": [
    async () => {
      const person = await newPerson();
      const bindings = { ...env, AUDIENCES: JSON.stringify([{ name: "vault", min_acr: "aal2" }]) };
      const { email, password } = person;
      return { person, act: () => call("/auth/login", { email, password, audience: "vault" }, { bindings }) };
    },
    ["authn_login_fail proof_below_audience pwd"],
  ],
  "a right password in proof mode, and with a proof": [
    () =>
      guarded(async (person) => {
        await changeGuard(person, ({ streaks }) => {
          streaks.failures = 10;
        });
        await logIn(person);
        await logIn(person, { proof: await mailedProof(person) } as object);
      }),
    ["authn_login_fail mailbox_unproven pwd", OPENED],
  ],
  "a right password that has been changed meanwhile": [
    async () => {
      const person = await newPerson();
      await logIn(person);
      await changeGuard(person, (guard) => {
        guard.passwordVersion += 5;
      });
      return { person, act: () => logIn(person) };
    },
    ["authn_login_fail verdict_overtaken pwd"],
  ],
  "a complete sign-in": [() => guarded((person) => signInNow(person)), [OPENED, "authn_login_success totp"]],
  "a complete sign-in after a wrong code": [
    () =>
      guarded(async (person) => {
        const token = await challengeOf(person);
        await answer(token, person.wrongCode());
        await answer(token, nextCode(person));
      }),
    [OPENED, "authn_login_fail wrong_code totp", "authn_login_successafterfail totp"],
  ],
  "a wrong code, and the right one to another challenge": [
    () =>
      guarded(async (person) => {
        await answer(await challengeOf(person), person.wrongCode());
        await signInNow(person);
        await signInNow(person);
      }),
    [
      ...[OPENED, "authn_login_fail wrong_code totp"],
      ...[OPENED, "authn_login_successafterfail totp"],
      ...[OPENED, "authn_login_success totp"],
    ],
  ],
  "a code that was used": [
    () =>
      guarded(async (person) => {
        const code = nextCode(person);
        await answer(await challengeOf(person), code);
        await answer(await challengeOf(person), code);
      }),
    [OPENED, "authn_login_success totp", OPENED, "authn_login_fail replayed_code totp"],
  ],
  "a wrong recovery code, and a right one": [
    () =>
      guarded(async (person) => {
        const token = await challengeOf(person);
        await recover(token, "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA");
        await recover(token, person.recoveryCodes[0]);
      }),
    [OPENED, "authn_login_fail wrong_recovery_code recovery_code", "authn_login_successafterfail recovery_code"],
  ],
  "ten wrong codes: proof mode, and an empty budget, told once": [
    () =>
      guarded(async (person) => {
        const tokens = [await challengeOf(person), await challengeOf(person), await challengeOf(person)];
        await spend(tokens, 10);
        await answer(tokens[2], person.wrongCode());
        await answer(tokens[2], person.wrongCode());
      }),
    [
      ...[OPENED, OPENED, OPENED, ...Array<string>(9).fill("authn_login_fail wrong_code totp")],
      ...["authn_login_lock proof_mode", "authn_login_fail wrong_code totp"],
      "authn_login_fail_max second_factor_budget_spent totp",
    ],
  ],
  "a kind of factor that is closed": [
    () =>
      guarded(async (person) => {
        const token = await challengeOf(person);
        await changeGuard(person, ({ streaks }) => {
          streaks.byMethod = { totp: 100 };
        });
        await answer(token, person.wrongCode());
      }),
    [OPENED, "authn_login_fail_max factor_kind_closed totp"],
  ],
  "a challenge that nobody answers, when the next one comes": [
    () =>
      guarded(async (person) => {
        await logIn(person);
        pass(6 * MINUTE);
        await logIn(person);
      }),
    [OPENED, "authn_login_fail challenge_abandoned", OPENED],
  ],
  "a browser that is trusted, and then signs in": [
    async () => {
      const [person, browser] = [await newGuardedPerson(), new Browser()];
      const options = { browser, bindings: { ...env, TRUSTED_BROWSER_DAYS: "30" } };
      const act = async () => {
        const challenge_token = await challengeOf(person, options);
        const body = { challenge_token, method: "totp", code: nextCode(person), trust_browser: true };
        await call("/auth/2fa/verify", body, options);
        await logIn(person, options);
      };
      return { person, act };
    },
    [OPENED, "authn_login_success totp", "user_updated browser_trusted", "authn_login_success trusted_browser pwd"],
  ],
};

const PASSKEYS: Record<string, Recording> = {
  "a passkey alone": [
    async () => {
      const person = await newPasskeyPerson();
      return { person, act: () => signInByPasskey(person.key) };
    },
    ["authn_login_success passkey"],
  ],
  "a passkey alone that verifies nobody": [
    async () => {
      const person = await newPasskeyPerson();
      return { person, act: () => signInByPasskey(person.key, UNVERIFIED) };
    },
    ["authn_login_fail wrong_assertion passkey"],
  ],
  "a copy of a passkey": [
    async () => {
      const key = securityKey();
      const person = await newPasskeyPerson(key);
      await signInByPasskey(key);
      return { person, act: () => signInByPasskey(key, { edits: { signCount: 1 } } as object) };
    },
    ["authn_login_fail sign_count_fell passkey"],
  ],
  "a passkey alone whose account is closed meanwhile": [
    async () => {
      const person = await newPasskeyPerson();
      const close = () => env.DB.prepare("UPDATE users SET status = 'disabled' WHERE id = ?").bind(person.id).run();
      return { person, act: async () => [await close(), await signInByPasskey(person.key)] };
    },
    ["authn_login_success passkey", "authn_token_revoked sign_in_withdrawn"],
  ],
};

describe.each(Object.entries({ doors: DOORS, passkeys: PASSKEYS }))("what an account records: %s", (_, scenes) => {
  it.each(Object.entries(scenes))("%s", async (__, [scene, events]) => {
    const { person, act } = await scene();
    expect((await eventsBy(person, act)).map(inShort)).toEqual(events);
  });
});

it("an event says who, where from and in which session, and that is the account's own", async () => {
  const person = await newGuardedPerson();
  const source = "198.51.100.77";
  const headers = { "User-Agent": "a program" };
  const events = await eventsBy(person, () => signInNow(person, { source, headers }));
  const [opened, success] = events;
  for (const event of events) {
    expect(event).toMatchObject({ account: person.id, source: "198.51.100.0/24", at: expect.any(Number) });
    expect(event.address).toMatch(/^[0-9a-f]{32}$/);
    expect(event.agent).toMatch(/^[0-9a-f]{16}$/);
    expect(event.request).toMatch(/^[0-9a-f-]{36}$/);
  }
  expect(opened?.request).not.toBe(success?.request);
  expect(success?.session).toMatch(/^[0-9a-f-]{36}$/);
});

it("a challenge that is left unanswered is an event of whoever opened it", async () => {
  const person = await newGuardedPerson();
  const events = await eventsBy(person, async () => {
    await logIn(person, { source: "198.51.100.77" });
    pass(6 * MINUTE);
    await logIn(person, { source: "203.0.113.9" });
  });
  const sources = events.map(({ reason, source }) => [reason, source]);
  expect(sources).toContainEqual(["challenge_abandoned", "198.51.100.0/24"]);
});

it("of failed sign-ins by passkey alone an account records so many in a while", async () => {
  const person = await newPasskeyPerson();
  const events = await eventsBy(person, async () => {
    for (let i = 0; i < 22; i += 1) await signInByPasskey(person.key, UNVERIFIED);
  });
  expect(events).toHaveLength(20);
});
