import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DEVICE } from "../support/browser.ts";
import {
  type AuthenticatorKind,
  hasChromium,
  LAPTOP,
  launchChromium,
  SECURITY_KEY,
  serveElsewhere,
  Tab,
} from "../support/chromium.ts";
import { expectProblem, issuer, type Json, type Person, text, verifiedPerson } from "../support/client.ts";
import { usernamelessOptions, verifyPasskey } from "../support/passkey-client.ts";
import { proofIn } from "../support/recovery-client.ts";

// The code that the pages run is that of docs/second-factors.md, found there by its comments.
const ADDING = "Adding one.";
const SECOND_FACTOR = "As the second factor.";
const ALONE = "Alone, without a name or a password";

const REFRESH = "__Host-sallyport_rt";
/** The bit of an authenticator's flags that says so (WebAuthn §6.1). */
const USER_VERIFIED = 0b100;

let browser: Browser | undefined;
let elsewhere: Awaited<ReturnType<typeof serveElsewhere>>;
/** Another origin with the same relying party ID, `localhost`, and one that cannot have it. */
const otherPort = () => `http://localhost:${elsewhere.port}`;
const otherHost = () => `http://127.0.0.1:${elsewhere.port}`;

/** Somebody who has just signed in by password, in a tab of their own. */
async function signedInTab(kind: AuthenticatorKind) {
  if (browser === undefined) throw new Error("there is no browser");
  const person = await verifiedPerson();
  const tab = await Tab.open(browser);
  const authenticator = await tab.plugIn(kind);
  const answer = await logIn(tab, person);
  return { person, tab, authenticator, answer, access: text(answer, "access_token") };
}

/** The same, with a passkey as their only factor, and signed out. */
async function passkeyTab(kind: AuthenticatorKind) {
  const { person, tab, authenticator, access } = await signedInTab(kind);
  const { answer } = await tab.follow(ADDING, { access });
  expect(answer.status, answer.text).toBe(201);
  await tab.post("/auth/logout", {});
  return { person, tab, authenticator };
}

const logIn = (tab: Tab, { email, password }: Person) => tab.post("/auth/login", { email, password });

/** The tab's own password opens a challenge, and no more than that. */
async function challengedIn(tab: Tab, person: Person): Promise<string> {
  const answer = await logIn(tab, person);
  expect(answer.body).toMatchObject({ status: "challenge", methods: ["passkey", "recovery_code"] });
  expect((await tab.cookies()).has(REFRESH)).toBe(false);
  return text(answer, "challenge_token");
}

/** Options for a sign-in by passkey alone, fetched by somebody who is no browser. */
const freshOptions = async (): Promise<Json> => (await usernamelessOptions()).body;

/** What a page gets out of the user's passkey for options that it has from elsewhere. */
const shownTo = (tab: Tab, options: Json): Promise<Json> =>
  tab.run(
    `const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
     return (await navigator.credentials.get({ publicKey })).toJSON();`,
    { options },
  );

/** The flags of the assertion in a request. */
function flagsIn(sent: Json): number {
  const { response } = sent.response as { response: { authenticatorData: string } };
  return Buffer.from(response.authenticatorData, "base64url")[32] ?? 0;
}

// Past vitest, which keeps quiet about why a test was skipped.
if (!hasChromium)
  process.stderr.write("SKIPPED test/browser: chromium is not installed; on Debian: apt-get install chromium\n");

describe.skipIf(!hasChromium)("in Chromium", () => {
  beforeAll(async () => {
    elsewhere = await serveElsewhere();
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    elsewhere.stop();
  });

  it("the cookies of a sign-in are out of reach of the page, and work", async () => {
    const { tab, answer } = await signedInTab(LAPTOP);
    expect(answer.text).not.toContain("rt_");
    const cookies = await tab.cookies();
    expect([...cookies.keys()].sort()).toEqual([DEVICE, REFRESH]);
    for (const cookie of cookies.values()) {
      expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: "Strict" });
    }
    expect(await tab.run("return document.cookie;")).toBe("");
    const refreshed = await tab.post("/auth/refresh", {});
    expect(refreshed.body.status, refreshed.text).toBe("authenticated");
    expect((await tab.cookies()).get(REFRESH)?.value).not.toBe(cookies.get(REFRESH)?.value);
    expect((await tab.post("/auth/logout", {})).status).toBe(204);
    expect([...(await tab.cookies()).keys()]).toEqual([DEVICE]);
  });

  it("a passkey is added, is the second factor, and signs in alone; none of it twice", async () => {
    const { person, tab, access } = await signedInTab(LAPTOP);
    const added = await tab.follow(ADDING, { access });
    expect(added.answer.status, added.answer.text).toBe(201);
    expect(added.answer.body).toMatchObject({ kind: "passkey", label: "Laptop" });
    expect(new Set(added.answer.body.recovery_codes as string[]).size).toBe(10);
    await tab.post("/auth/logout", {});

    const second = await tab.follow(SECOND_FACTOR, { challenge_token: await challengedIn(tab, person) });
    const both = proofIn(text(second.answer, "access_token"));
    expect(both).toMatchObject({ acr: "aal2", amr: ["pwd", "swk", "user", "pop", "mfa"] });
    expectProblem(await tab.post("/auth/2fa/verify", second.sent), 401, "invalid_challenge");
    await tab.post("/auth/logout", {});

    const alone = await tab.follow(ALONE);
    const passkey = proofIn(text(alone.answer, "access_token"));
    expect(passkey).toMatchObject({ acr: "aal2", amr: ["swk", "user", "pop", "mfa"] });
    expect((await tab.cookies()).has(REFRESH)).toBe(true);
    expectProblem(await tab.post("/auth/passkey/verify", alone.sent), 401, "invalid_code");
  });

  it("a security key without a PIN is a second factor, and only that", async () => {
    const { person, tab } = await passkeyTab(SECURITY_KEY);
    const { sent, answer } = await tab.follow(SECOND_FACTOR, { challenge_token: await challengedIn(tab, person) });
    expect(flagsIn(sent) & USER_VERIFIED).toBe(0);
    const proof = proofIn(text(answer, "access_token"));
    expect(proof).toMatchObject({ acr: "aal2", amr: ["pwd", "hwk", "user", "pop", "mfa"] });
    await expect(tab.follow(ALONE)).rejects.toThrow("NotAllowedError");
  });

  describe("a laptop with a passkey", () => {
    let tab: Tab;
    let authenticator: string;
    beforeAll(async () => {
      ({ tab, authenticator } = await passkeyTab(LAPTOP));
    });
    beforeEach(async () => {
      await tab.setUserVerified(authenticator, true);
      await tab.goTo(issuer);
    });

    it("is not given another passkey of the same account", async () => {
      const access = text((await tab.follow(ALONE)).answer, "access_token");
      await expect(tab.follow(ADDING, { access })).rejects.toThrow("InvalidStateError");
    });

    it("signs nobody in by passkey alone without the right finger, face or PIN", async () => {
      await tab.setUserVerified(authenticator, false);
      await expect(tab.follow(ALONE)).rejects.toThrow("NotAllowedError");
      await tab.setUserVerified(authenticator, true);
      expect((await tab.follow(ALONE)).answer.body.status).toBe("authenticated");
      // A page that does not ask for them gets an assertion, and that is refused.
      const touched = await shownTo(tab, { ...(await freshOptions()), userVerification: "discouraged" });
      expectProblem(await verifyPasskey(touched), 401, "invalid_code");
    });

    it("gives a page of another origin no answer, and none that is worth anything elsewhere", async () => {
      expect((await verifyPasskey(await shownTo(tab, await freshOptions()))).body.status).toBe("authenticated");

      await tab.goTo(otherPort());
      await expect(tab.follow(ALONE)).rejects.toThrow("Failed to fetch");
      const phished = await shownTo(tab, await freshOptions());
      expectProblem(await verifyPasskey(phished), 401, "invalid_code");
      await tab.goTo(otherHost());
      await expect(shownTo(tab, await freshOptions())).rejects.toThrow("SecurityError");
    });

    it("signs nobody in on the issuer's page in a frame of another page", async () => {
      await tab.goToFrameOf(otherPort());
      expectProblem((await tab.follow(ALONE)).answer, 401, "invalid_code");
      await tab.goTo(issuer);
      expect((await tab.follow(ALONE)).answer.body.status).toBe("authenticated");
    });
  });
});
