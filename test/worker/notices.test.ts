import { env } from "cloudflare:workers";
import { beforeEach, expect, it } from "vitest";
import {
  addAuthenticator,
  answer,
  call,
  challengeOf,
  type GuardedPerson,
  logIn,
  newGuardedPerson,
  newPerson,
  recover,
} from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { MINUTE, pass, useMovedClock } from "./support/moved-clock.ts";
import { expectNotice, mailsBy } from "./support/notices.ts";
import { addPasskey, syncedPasskey } from "./support/passkeys.ts";

useMovedClock();

const HOME = { source: "203.0.113.7" };
let person: GuardedPerson;
let bearer: unknown;

/** Signs in anew, so that the session may do what needs a fresh proof. */
async function freshBearer(): Promise<unknown> {
  pass(MINUTE);
  return (await answer(await challengeOf(person, HOME), person.codeNow(), HOME)).body.access_token;
}

beforeEach(async () => {
  person = await newGuardedPerson(HOME);
  bearer = await freshBearer();
});

it("a new authenticator app is told", async () => {
  const newcomer = await newPerson();
  const { access_token } = (await logIn(newcomer)).body;
  const told = await expectNotice(newcomer, /^A second factor was added to /, () => addAuthenticator(access_token));
  expect(told.text).toContain("authenticator app");
});

it("a new passkey is told", async () => {
  const told = await expectNotice(person, /^A second factor was added to /, () => addPasskey(bearer, syncedPasskey()));
  expect(told.text).toContain("passkey");
});

it("a removed factor is told", async () => {
  const { body } = await addPasskey(bearer, syncedPasskey());
  const path = `/auth/2fa/factors/${(body.factor as { id: string } | undefined)?.id ?? body.id}`;
  const fresh = await freshBearer();
  const told = await expectNotice(person, /^A second factor was removed from /, async () => {
    expect((await call(path, undefined, { bearer: fresh, method: "DELETE" })).status).toBeLessThan(300);
  });
  expect(told.text).toContain("The passkey “");
});

it("turning the second factor off is told", async () => {
  await expectNotice(person, /^The second factor of .* was turned off$/, () =>
    call("/auth/2fa/turn-off", {}, { bearer, ...HOME }),
  );
});

it("a used recovery code is told, and that a set was replaced", async () => {
  const token = await challengeOf(person, HOME);
  const told = await expectNotice(person, /^A recovery code of /, () => recover(token, person.recoveryCodes[0], HOME));
  expect(told.text).toContain("Codes left: 9.");
  const fresh = await freshBearer();
  await expectNotice(person, /^The recovery codes of .* were replaced$/, () =>
    call("/auth/2fa/recovery-codes", {}, { bearer: fresh }),
  );
});

it("a trusted browser is told", async () => {
  const browser = new Browser();
  const from = { ...HOME, browser, bindings: { ...env, TRUSTED_BROWSER_DAYS: "30" } };
  pass(MINUTE);
  await answer(await challengeOf(person, from), person.codeNow(), from);
  pass(MINUTE);
  const challenge_token = await challengeOf(person, from);
  const trusting = { challenge_token, method: "totp", code: person.codeNow(), trust_browser: true };
  await expectNotice(person, /^A browser is now trusted by /, () => call("/auth/2fa/verify", trusting, from));
});

it("what was refused is told to nobody", async () => {
  const refused = [
    () => call("/auth/2fa/turn-off", {}, { bearer: "a.b.c" }),
    () => call("/auth/2fa/factors/none", undefined, { bearer, method: "DELETE" }),
    () => call("/auth/2fa/totp/confirm", { factor_id: crypto.randomUUID(), code: "000000" }, { bearer }),
  ];
  for (const act of refused) {
    expect(await mailsBy(person, async () => expect((await act()).status).toBeGreaterThanOrEqual(400))).toEqual([]);
  }
});
