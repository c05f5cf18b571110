import { expect } from "vitest";
import { Browser, DEVICE, TRUST } from "./browser.ts";
import type { Json, Person, TwoFactorPerson } from "./client.ts";
import { type PasskeyPerson, withPasskey } from "./passkey-client.ts";
import { type CoveredPerson, coveredPerson, spare } from "./recovery-client.ts";

/** Somebody with an authenticator app, recovery codes and a passkey; `session` is at aal2. */
export type PasskeyOwner = CoveredPerson & PasskeyPerson;

/** An account with every kind of factor. */
export async function passkeyOwner(): Promise<PasskeyOwner> {
  const person = await coveredPerson();
  return withPasskey(person, person.session);
}

/** A browser in which somebody has signed in completely, by recovery code: that uses up no TOTP step. */
export async function recognisedBrowser(person: CoveredPerson, userAgent?: string): Promise<Browser> {
  const browser = new Browser();
  if (userAgent !== undefined) browser.userAgent = userAgent;
  const answer = await browser.recover(await browser.challenged(person), spare(person));
  expect(answer.body.status, answer.text).toBe("authenticated");
  expect(browser.cookies.has(DEVICE)).toBe(true);
  browser.forgetSession();
  return browser;
}

/** A browser that somebody has asked not to be asked again, with an answer made for its challenge. */
export async function trustedBrowser(
  person: Person,
  makeAnswer: (challenge: string) => Promise<Json>,
): Promise<Browser> {
  const browser = new Browser();
  const challenge = await browser.challenged(person);
  const answer = await browser.verify(challenge, { ...(await makeAnswer(challenge)), trust_browser: true });
  expect(answer.body.status, answer.text).toBe("authenticated");
  expect(browser.cookies.has(TRUST)).toBe(true);
  browser.forgetSession();
  return browser;
}

/** The next code of somebody's authenticator app, as an answer. */
export const byApp = (person: TwoFactorPerson) => async (): Promise<Json> => ({
  method: "totp",
  code: await person.authenticator.next(),
});
