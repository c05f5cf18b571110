import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { REFRESH_GRACE_MS } from "../../src/policy.ts";
import { addAuthenticator, answer, call, logIn, newGuardedPerson, newPerson, refresh } from "../support/in-worker.ts";
import { freshBearer, nextCode, signInNow } from "./support/account-life.ts";
import { Browser } from "./support/browser.ts";
import { eventsBy, inShort, type Recording, signedIn } from "./support/events.ts";
import { MINUTE, pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { addPasskey, newArmedPerson, syncedPasskey } from "./support/passkeys.ts";

useMovedClock();

const REQUIRED = { bindings: { ...env, SECOND_FACTOR: "required" } };
const SHORT = { bindings: { ...env, FACTOR_MAX_AGE: "60" } };

const SESSIONS: Record<string, Recording> = {
  "a refresh": [() => signedIn((_, __, token) => refresh(token)), []],
  "reading the own account": [
    () =>
      signedIn(async (bearer) => {
        for (const path of ["me", "sessions", "browsers", "2fa", "activity"]) {
          await call(`/auth/${path}`, undefined, { bearer });
        }
      }),
    [],
  ],
  "a refresh token that was used twice over": [
    () =>
      signedIn(async (_, __, token) => {
        await refresh((await refresh(token)).body.refresh_token);
        await refresh(token);
        await refresh(token);
      }),
    ["authn_token_reuse refresh_token_reused refresh_token"],
  ],
  "a refresh token that was lost": [
    () =>
      signedIn(async (_, __, token) => {
        await refresh(token);
        pass(REFRESH_GRACE_MS + SECOND);
        await refresh(token);
      }),
    ["session_expired refresh_token_lost refresh_token"],
  ],
  "a refresh token of a session that has run out": [
    () =>
      signedIn(async (_, __, token) => {
        pass(25 * 60 * MINUTE);
        await refresh(token);
      }),
    ["session_use_after_expire refresh_token_expired refresh_token"],
  ],
  "a refresh below what is demanded by now": [
    () => signedIn((_, __, token) => refresh(token, REQUIRED)),
    ["authn_token_revoked session_below_policy"],
  ],
  "a step-up by password: wrong, right": [
    () =>
      signedIn(async (bearer, { password }) => {
        await call("/auth/step-up", { password: "not the right password" }, { bearer });
        await call("/auth/step-up", { password }, { bearer });
      }),
    ["authn_login_fail wrong_step_up_password pwd", "authn_token_created step_up pwd"],
  ],
  "five wrong passwords of a session": [
    () =>
      signedIn(async (bearer) => {
        for (let i = 0; i < 6; i += 1) await call("/auth/step-up", { password: "not the right one" }, { bearer });
      }),
    [...Array<string>(5).fill("authn_login_fail wrong_step_up_password pwd"), "authn_login_fail_max session_ended"],
  ],
  "a step-up by code: wrong, right": [
    async () => {
      const person = await newGuardedPerson();
      const bearer = await freshBearer(person);
      const act = async () => {
        const { challenge_token: token } = (await call("/auth/step-up", {}, { bearer })).body;
        await answer(token, person.wrongCode());
        await answer(token, nextCode(person));
      };
      return { person, act };
    },
    ["authn_login_fail wrong_code totp", "authn_token_created step_up totp"],
  ],
  "a re-proof": [
    async () => {
      const person = await newArmedPerson();
      const { refresh_token: token } = (await refresh(person.refreshToken)).body;
      const act = async () => {
        pass(2 * MINUTE);
        await answer((await refresh(token, SHORT)).body.challenge_token, person.codeNow());
      };
      return { person, act };
    },
    ["session_renewed reauthenticate totp"],
  ],
  "a logout": [
    () => signedIn((_, __, token) => call("/auth/logout", { refresh_token: token })),
    ["authn_token_revoked logged_out"],
  ],
  "ending all other sessions": [
    () => signedIn((bearer) => call("/auth/sessions", undefined, { method: "DELETE", bearer })),
    ["authn_token_revoked others_ended_by_owner"],
  ],
  "ending one session": [
    async () => {
      const person = await newPerson();
      const [one, other] = [await logIn(person), await logIn(person)];
      const path = `/auth/sessions/${other.body.session_id}`;
      return { person, act: () => call(path, undefined, { method: "DELETE", bearer: one.body.access_token }) };
    },
    ["authn_token_revoked ended_by_owner"],
  ],
};

const FACTORS: Record<string, Recording> = {
  "the first authenticator": [
    () => signedIn((bearer) => addAuthenticator(bearer)),
    ["user_updated first_factor_added totp"],
  ],
  "a passkey beside it": [
    async () => {
      const person = await newGuardedPerson();
      const bearer = await freshBearer(person);
      return { person, act: () => addPasskey(bearer, syncedPasskey()) };
    },
    ["user_updated factor_added passkey"],
  ],
  "a factor under an enrolment token": [
    async () => {
      const person = await newPerson();
      const { enrolment_token: bearer } = (await logIn(person, REQUIRED)).body;
      return { person, act: () => addAuthenticator(bearer, REQUIRED) };
    },
    ["user_updated first_factor_added totp", "authn_login_success totp"],
  ],
  "a factor renamed, then all of them gone": [
    async () => {
      const person = await newGuardedPerson();
      const bearer = await freshBearer(person);
      const act = async () => {
        await call(`/auth/2fa/factors/${person.factorId}`, { label: "Old phone" }, { method: "PATCH", bearer });
        await call("/auth/2fa/turn-off", {}, { bearer });
      };
      return { person, act };
    },
    ["user_updated factor_renamed totp", "user_updated second_factor_turned_off"],
  ],
  "a factor removed, and new recovery codes": [
    async () => {
      const person = await newArmedPerson();
      const bearer = await freshBearer(person);
      const act = async () => {
        await call(`/auth/2fa/factors/${person.factorId}`, undefined, { method: "DELETE", bearer });
        await call("/auth/2fa/recovery-codes", {}, { bearer });
      };
      return { person, act };
    },
    ["user_updated factor_removed totp", "user_updated recovery_codes_replaced recovery_code"],
  ],
  "a browser forgotten": [
    async () => {
      const [person, browser] = [await newGuardedPerson(), new Browser()];
      const { body } = await signInNow(person, { browser });
      const bearer = body.access_token;
      const list = (await call("/auth/browsers", undefined, { bearer })).body.browsers as { id: string }[];
      return { person, act: () => call(`/auth/browsers/${list[0]?.id}`, undefined, { method: "DELETE", bearer }) };
    },
    ["user_updated browser_forgotten"],
  ],
  "the account's data taken along": [
    () => signedIn((bearer) => call("/auth/export", undefined, { bearer })),
    ["sensitive_read account_exported"],
  ],
};

describe.each(Object.entries({ sessions: SESSIONS, factors: FACTORS }))("what an account records: %s", (_, scenes) => {
  it.each(Object.entries(scenes))("%s", async (__, [scene, events]) => {
    const { person, act } = await scene();
    expect((await eventsBy(person, act)).map(inShort)).toEqual(events);
  });
});
