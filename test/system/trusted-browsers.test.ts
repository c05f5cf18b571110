import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Browser, cookieSet, DEVICE, TRUST } from "../support/browser.ts";
import {
  type Answer,
  expectProblem,
  get,
  logIn,
  me,
  ownPage,
  type Person,
  post,
  send,
  text,
  twoFactorPerson,
} from "../support/client.ts";
import { OwnInstance } from "../support/own-instance.ts";
import { type PasskeyOwner, passkeyOwner, recognisedBrowser, trustedBrowser } from "../support/owner.ts";
import {
  addPasskey,
  answerByPasskey,
  assertionFor,
  signInByPasskey,
  syncedPasskey,
} from "../support/passkey-client.ts";
import { abandonChallenges, expectProofRequired } from "../support/proof-mode.ts";
import { coveredPerson, expectInsufficient, proofIn, removeFactor, spare, stepUp } from "../support/recovery-client.ts";

const DAYS = 30;
const instance = new OwnInstance();
beforeAll(() => instance.start({ TRUSTED_BROWSER_DAYS: String(DAYS) }));
afterAll(() => instance.end());

/** An answer that uses up no code. */
const byPasskey = (person: PasskeyOwner) => async (challenge: string) => ({
  method: "passkey",
  response: await assertionFor(challenge, person.passkey),
});

/** A sign-in that the browser's trust completes: the access token. */
async function trustedSignIn(browser: Browser, person: Person): Promise<string> {
  const answer = await browser.logIn(person);
  expect(answer.body.status, answer.text).toBe("authenticated");
  return text(answer, "access_token");
}

const expectChallenge = (answer: Answer): void => expect(answer.body.status, answer.text).toBe("challenge");

interface Listed {
  id: string;
  trusted_until: string | null;
  current: boolean;
}

async function browsersOf(access: string, browser: Browser): Promise<Listed[]> {
  const answer = await browser.send("GET", "/auth/browsers", undefined, { bearer: access });
  expect(answer.status, answer.text).toBe(200);
  return answer.body.browsers as Listed[];
}

/** An access token that may do everything. */
const freshAccess = async (person: PasskeyOwner): Promise<string> =>
  text(await signInByPasskey(person.passkey), "access_token");

describe("asking to be trusted", () => {
  it("is on offer for so many days, and sets a cookie of its own after the authenticator app", async () => {
    expect((await get("/auth/config")).body.trusted_browser_days).toBe(DAYS);
    const [person, browser] = [await twoFactorPerson(), new Browser()];
    const challenge = await browser.challenged(person);
    expect(browser.cookies.size).toBe(0);
    const answer = await browser.answer(challenge, await person.authenticator.next(), { trust_browser: true });
    expect(proofIn(text(answer, "access_token"))).toMatchObject({ acr: "aal2", amr: ["pwd", "otp", "mfa"] });
    const cookie = cookieSet(answer, TRUST);
    const attributes = cookie?.attributes.filter((attribute) => !/^(expires|max-age)=/.test(attribute));
    expect(attributes?.sort()).toEqual(["httponly", "path=/", "samesite=strict", "secure"]);
    expect(cookie?.maxAge).toBeGreaterThan((DAYS - 1) * 86_400);
    expect(cookie?.maxAge).toBeLessThanOrEqual(DAYS * 86_400);
    expect(cookie?.value).toMatch(/^[A-Za-z0-9._~-]{32,4000}$/);
    expect(cookieSet(answer, DEVICE)).toBeDefined();
  });

  it("must be asked for, in a browser, with a factor that is no recovery code and an answer that is right", async () => {
    const person = await passkeyOwner();
    const [silent, declined, recovered, wrong] = [new Browser(), new Browser(), new Browser(), new Browser()];
    const challenge = await wrong.challenged(person);
    const answers = [
      await silent.answerByPasskey(await silent.challenged(person), person.passkey),
      await declined.answerByPasskey(await declined.challenged(person), person.passkey, { trust_browser: false }),
      await recovered.recover(await recovered.challenged(person), spare(person), { trust_browser: true }),
      await wrong.answer(challenge, person.authenticator.wrong(), { trust_browser: true }),
      await post("/auth/2fa/verify", {
        challenge_token: challenge,
        method: "passkey",
        response: await assertionFor(challenge, person.passkey),
        trust_browser: true,
      }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 401, 200]);
    for (const answer of answers) expect(cookieSet(answer, TRUST), answer.text).toBeUndefined();
    for (const browser of [silent, declined, recovered, wrong]) {
      browser.forgetSession();
      expectChallenge(await browser.logIn(person));
    }
  });

  it("does nothing at a step-up", async () => {
    const [person, browser] = [await passkeyOwner(), new Browser()];
    const challenge = text(await stepUp(await freshAccess(person)), "challenge_token");
    const answer = await browser.answerByPasskey(challenge, person.passkey, { trust_browser: true });
    expect(answer.body.status, answer.text).toBe("authenticated");
    expect(answer.headers.getSetCookie()).toEqual([]);
  });
});

describe("a trusted browser", () => {
  let person: PasskeyOwner;
  let browser: Browser;
  beforeAll(async () => {
    person = await passkeyOwner();
    browser = await trustedBrowser(person, byPasskey(person));
  });

  it("opens a session with the password alone, and the session says so", async () => {
    const access = await trustedSignIn(browser, person);
    const proof = proofIn(access);
    expect(proof).toMatchObject({ acr: "aal1", amr: ["pwd"] });
    expect(Object.keys(proof.factors)).toEqual(["pwd"]);
    expect((await me(access)).body).toMatchObject({ acr: "aal1", amr: ["pwd"] });
    const next = await browser.post("/auth/refresh", {});
    expect(proofIn(text(next, "access_token"))).toMatchObject({ acr: "aal1", amr: ["pwd"] });
  });

  it("is asked for the factor at every sensitive route all the same, and steps up", async () => {
    const access = await trustedSignIn(browser, person);
    const [entry] = await browsersOf(access, browser);
    for (const [method, path] of [
      ["POST", "/auth/2fa/totp/enroll"],
      ["POST", "/auth/2fa/passkeys/options"],
      ["POST", "/auth/2fa/recovery-codes"],
      ["POST", "/auth/2fa/turn-off"],
      ["DELETE", `/auth/2fa/factors/${person.factorId}`],
      ["DELETE", `/auth/browsers/${entry?.id}`],
    ] as const) {
      expectInsufficient(await send(method, path, method === "POST" ? {} : undefined, { bearer: access }));
    }
    const challenge = text(await stepUp(access), "challenge_token");
    const raised = text(await answerByPasskey(challenge, person.passkey), "access_token");
    expect(proofIn(raised).acr).toBe("aal2");
    expect((await post("/auth/2fa/totp/enroll", {}, { bearer: raised })).status).toBe(201);
    // The step-up raised that one token; the session and the browser stay what they were.
    expect(proofIn(text(await browser.post("/auth/refresh", {}), "access_token")).acr).toBe("aal1");
  });

  it("needs the password: its cookie opens nothing by itself", async () => {
    expectProblem(await browser.logIn({ ...person, password: "not the password" }), 401, "sign_in_failed");
    const value = browser.cookies.get(TRUST) ?? "";
    const stranger = Browser.with(TRUST, value);
    const answers = [
      await stranger.post("/auth/refresh", {}),
      await stranger.send("GET", "/auth/me"),
      await post("/auth/refresh", { refresh_token: value }),
      await post("/auth/refresh", {}, { headers: ownPage, cookie: `__Host-sallyport_rt=${value}` }),
      await me(value),
    ];
    for (const answer of answers) {
      expect([400, 401]).toContain(answer.status);
      expect(answer.text).not.toContain("access_token");
    }
  });

  it("is trusted by its own cookie: not by that of a recognised browser, and not under another name", async () => {
    const [trust = "", device = ""] = [browser.cookies.get(TRUST), browser.cookies.get(DEVICE)];
    const middle = Math.floor(trust.length / 2);
    const flipped = trust.slice(0, middle) + (trust[middle] === "A" ? "B" : "A") + trust.slice(middle + 1);
    for (const cookie of [
      `${DEVICE}=${device}`,
      `${DEVICE}=${trust}`,
      `${TRUST}=${device}`,
      `${DEVICE}=${trust}; ${TRUST}=${device}`,
      `${TRUST}=${trust.slice(0, -1)}`,
      `${TRUST}=${trust.slice(1)}`,
      `${TRUST}=${flipped}; ${DEVICE}=${device}`,
      `${TRUST}=; ${DEVICE}=${device}`,
      `sallyport_tb=${trust}`,
    ]) {
      const answer = await logIn(person, {}, { cookie, headers: ownPage });
      expect({ cookie, status: answer.body.status }).toEqual({ cookie, status: "challenge" });
    }
    await abandonChallenges(person);
    expectProofRequired(await Browser.with(DEVICE, trust).logIn(person));
    expect((await browser.logIn(person)).body.status).toBe("authenticated");
  });

  it("is trusted by one account alone", async () => {
    const other = await coveredPerson();
    const answer = await browser.logIn(other);
    expectChallenge(answer);
    const recognised = await recognisedBrowser(other);
    recognised.cookies.set(TRUST, browser.cookies.get(TRUST) ?? "");
    expectChallenge(await recognised.logIn(other));
  });
});

describe("trust ends", () => {
  /** After that the browser asks again, and the session that trust had opened gives no more tokens unproven. */
  async function expectDistrusted(browser: Browser, person: PasskeyOwner): Promise<void> {
    const refresh = await browser.post("/auth/refresh", {});
    expect(refresh.text).not.toContain("access_token");
    if (refresh.status === 200) {
      const answer = await browser.answerByPasskey(text(refresh, "challenge_token"), person.passkey);
      expect(proofIn(text(answer, "access_token")).acr).toBe("aal2");
    } else {
      expectProblem(refresh, 401, "invalid_refresh_token");
    }
    browser.forgetSession();
    expectChallenge(await browser.logIn(person));
  }

  it("when the browser is forgotten: it is listed with the end of its trust", async () => {
    const person = await passkeyOwner();
    const [browser, kept] = [
      await trustedBrowser(person, byPasskey(person)),
      await trustedBrowser(person, byPasskey(person)),
    ];
    const fresh = await freshAccess(person);
    await trustedSignIn(browser, person);
    const listed = await browsersOf(fresh, browser);
    const until = Date.now() + DAYS * 86_400_000;
    for (const { trusted_until } of listed) {
      const end = Date.parse(trusted_until ?? "");
      expect(Math.abs(end - until)).toBeLessThan(120_000);
    }
    expect(listed.map(({ current }) => current).sort()).toEqual([false, true]);
    const id = listed.find(({ current }) => current)?.id;
    expect((await send("DELETE", `/auth/browsers/${id}`, undefined, { bearer: fresh })).status).toBe(204);
    await expectDistrusted(browser, person);
    await trustedSignIn(kept, person);
  });

  it("when a factor is added", async () => {
    const person = await passkeyOwner();
    const browser = await trustedBrowser(person, byPasskey(person));
    await trustedSignIn(browser, person);
    const added = await addPasskey(await freshAccess(person), syncedPasskey());
    expect(added.status, added.text).toBe(201);
    await expectDistrusted(browser, person);
  });

  it("when a factor is removed", async () => {
    const person = await passkeyOwner();
    const browser = await trustedBrowser(person, byPasskey(person));
    await trustedSignIn(browser, person);
    expect((await removeFactor(await freshAccess(person), person.factorId)).status).toBe(204);
    await expectDistrusted(browser, person);
  });
});
