import { beforeAll, describe, expect, it } from "vitest";
import { Browser, cookieSet, DEVICE, TRUST } from "../../support/browser.ts";
import {
  answerChallenge,
  expectProblem,
  logIn,
  newSource,
  ownPage,
  sessionOf,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import { type PasskeyOwner, passkeyOwner, recognisedBrowser } from "../../support/owner.ts";
import { answerByPasskey, signInByPasskey } from "../../support/passkey-client.ts";
import {
  abandonChallenges,
  challengedElsewhere,
  expectProofRequired,
  fromElsewhere,
  spendCodes,
} from "../../support/proof-mode.ts";
import { coveredPerson, spare, wrongRecoveryCode } from "../../support/recovery-client.ts";

describe("the device cookie", () => {
  let person: PasskeyOwner;
  beforeAll(async () => {
    person = await passkeyOwner();
  });

  it("is set once, with the attributes of the contract, when a password alone opens a session", async () => {
    const [plain, browser] = [await verifiedPerson(), new Browser()];
    const answer = await browser.logIn(plain);
    const cookie = cookieSet(answer, DEVICE);
    const attributes = cookie?.attributes.filter((attribute) => !/^(expires|max-age)=/.test(attribute));
    expect(attributes?.sort()).toEqual(["httponly", "path=/", "samesite=strict", "secure"]);
    expect(cookie?.maxAge).toBeGreaterThan(0);
    expect(cookie?.maxAge).toBeLessThanOrEqual(180 * 86_400);
    expect(cookie?.value).toMatch(/^[A-Za-z0-9._~-]{32,4000}$/);
    expect(cookieSet(answer, TRUST)).toBeUndefined();
    // A browser is told apart from other clients by either of the two headers.
    const fetched = await logIn(plain, {}, { headers: { "sec-fetch-site": "same-origin" } });
    expect(cookieSet(fetched, DEVICE)).toBeDefined();
    // A refresh is no sign-in.
    const refresh = await browser.post("/auth/refresh", {});
    expect(refresh.body.status, refresh.text).toBe("authenticated");
    expect(cookieSet(refresh, DEVICE)).toBeUndefined();
  });

  it("is set by every complete sign-in: authenticator app, passkey, passkey alone, recovery code", async () => {
    const [app, key, alone, code] = [new Browser(), new Browser(), new Browser(), new Browser()];
    const answers = [
      await app.answer(await app.challenged(person), await person.authenticator.next()),
      await key.answerByPasskey(await key.challenged(person), person.passkey),
      await alone.signInByPasskey(person.passkey),
      await code.recover(await code.challenged(person), spare(person)),
    ];
    for (const answer of answers) {
      expect(answer.body.status, answer.text).toBe("authenticated");
      expect(cookieSet(answer, DEVICE)?.maxAge).toBeGreaterThan(0);
    }
    expect(new Set(answers.map((answer) => cookieSet(answer, DEVICE)?.value)).size).toBe(4);
  });

  it("is set by nothing less, and not for a client that is no browser", async () => {
    const browser = new Browser();
    const opened = await browser.logIn(person);
    const challenge = text(opened, "challenge_token");
    const lessThanASignIn = [
      opened,
      await browser.logIn({ ...person, password: "not the password" }),
      await browser.answer(challenge, person.authenticator.wrong()),
      await browser.recover(challenge, wrongRecoveryCode()),
      await browser.answer("a.b.c", "123456"),
    ];
    const session = sessionOf(await signInByPasskey(person.passkey));
    const stepUp = await browser.post("/auth/step-up", {}, { bearer: session.access });
    lessThanASignIn.push(
      stepUp,
      await browser.answerByPasskey(text(stepUp, "challenge_token"), person.passkey),
      await answerByPasskey(await challengedElsewhere(person), person.passkey),
    );
    for (const answer of lessThanASignIn) expect(answer.headers.getSetCookie(), answer.text).toEqual([]);
    expect(lessThanASignIn.slice(-2).map((answer) => answer.body.status)).toEqual(["authenticated", "authenticated"]);
  });

  it("holds five accounts: a sixth takes the place of one of them", async () => {
    const [browser, people] = [new Browser(), await Promise.all(Array.from({ length: 6 }, () => verifiedPerson()))];
    const tokens: string[] = [];
    for (const one of people) {
      tokens.push(text(await browser.logIn(one), "access_token"));
      browser.forgetSession();
    }
    expect(browser.cookies.get(DEVICE)?.length).toBeLessThan(4_000);
    const known = await Promise.all(tokens.map((bearer) => isCurrent(browser, bearer)));
    expect(known.filter(Boolean)).toHaveLength(5);
    expect(known[5]).toBe(true);
  });

  /** Whether the account of the token knows the browser that holds these cookies. */
  async function isCurrent(browser: Browser, bearer: string): Promise<boolean> {
    const answer = await browser.send("GET", "/auth/browsers", undefined, { bearer });
    return (answer.body.browsers as { current: boolean }[]).some(({ current }) => current);
  }
});

describe("a recognised browser", () => {
  it("is asked for the second factor like any other", async () => {
    const person = await coveredPerson();
    const answer = await (await recognisedBrowser(person)).logIn(person);
    expect(Object.keys(answer.body).sort()).toEqual(["challenge_token", "expires_in", "methods", "status"]);
    expect(answer.body.status).toBe("challenge");
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  it("is known by its cookie, from any address and in any request, while strangers are asked for proof", async () => {
    const person = await coveredPerson();
    const browser = await recognisedBrowser(person);
    await abandonChallenges(person);
    const cookie = `${DEVICE}=${browser.cookies.get(DEVICE)}`;
    for (const headers of [ownPage, {}]) {
      const answer = await logIn(person, {}, { cookie: `theme=dark; ${cookie}`, headers, source: newSource() });
      expect(answer.body.status, answer.text).toBe("challenge");
      expectProofRequired(await logIn(person, {}, { headers, source: newSource() }));
    }
  });

  it("is not known by a cookie that was cut, changed, renamed or made up, or is another account's", async () => {
    const [ada, eve] = [await coveredPerson(), await coveredPerson()];
    const [adas, eves] = [await recognisedBrowser(ada), await recognisedBrowser(eve)];
    await Promise.all([abandonChallenges(ada), abandonChallenges(eve)]);
    const [value = "", foreign = ""] = [adas.cookies.get(DEVICE), eves.cookies.get(DEVICE)];
    const flip = (at: number) => value.slice(0, at) + (value[at] === "A" ? "B" : "A") + value.slice(at + 1);
    const cookies = [
      ...[0, Math.floor(value.length / 2), value.length - 5].map((at) => [DEVICE, flip(at)]),
      [DEVICE, value.slice(0, -1)],
      [DEVICE, value.slice(1)],
      [DEVICE, `${value}AAAA`],
      [DEVICE, value.toUpperCase()],
      [DEVICE, "AAAA"],
      [DEVICE, foreign],
      ["__Host-sallyport_dev2", value],
      ["sallyport_dev", value],
      [TRUST, value],
    ] as const;
    for (const [name = "", text = ""] of cookies) {
      const answer = await Browser.with(name, text).logIn(ada);
      expect({ name, text, code: answer.body.code }).toEqual({ name, text, code: "proof_required" });
    }
    expectProofRequired(await Browser.with(DEVICE, value).logIn(eve));
    expect((await Browser.with(DEVICE, value).logIn(ada)).body.status).toBe("challenge");
    expect((await Browser.with(DEVICE, foreign).logIn(eve)).body.status).toBe("challenge");
  });

  it("has a pot that strangers cannot spend", async () => {
    const person = await coveredPerson();
    const browser = await recognisedBrowser(person);
    const strangers = await spendCodes(person);
    const code = await person.authenticator.next();
    expectProblem(await answerChallenge(strangers, code), 429, "too_many_attempts");
    const challenge = await browser.challenged(person);
    const wrong = await browser.answer(challenge, person.authenticator.wrong());
    expectProblem(wrong, 401, "invalid_code");
    expect(wrong.body.attempts_remaining).toBe(4);
    expect((await browser.answer(challenge, code)).body.status).toBe("authenticated");
  });

  it("spends ten wrong codes of its own pot, and neither another browser's nor the strangers'", async () => {
    const person = await coveredPerson();
    const [spent, other] = [await recognisedBrowser(person), await recognisedBrowser(person)];
    for (let round = 0; round < 2; round++) {
      const challenge = await spent.challenged(person);
      for (const remaining of [4, 3, 2, 1, 0]) {
        const answer = await spent.answer(challenge, person.authenticator.wrong());
        expectProblem(answer, 401, "invalid_code");
        expect(answer.body.attempts_remaining).toBe(remaining);
      }
    }
    const code = await person.authenticator.next();
    const refused = await spent.answer(await spent.challenged(person), code);
    expectProblem(refused, 429, "too_many_attempts");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(3_000);
    expect((await other.answer(await other.challenged(person), code)).body.status).toBe("authenticated");
    const stranger = await challengedElsewhere(person);
    const wrong = await answerChallenge(stranger, person.authenticator.wrong());
    expect(wrong.body.attempts_remaining).toBe(4);
    const right = await answerChallenge(stranger, await person.authenticator.next());
    expect(right.body.status, right.text).toBe("authenticated");
  });

  it("has a challenge that strangers cannot push out", async () => {
    const person = await coveredPerson();
    const browser = await recognisedBrowser(person);
    const challenge = await browser.challenged(person);
    await abandonChallenges(person);
    expect((await browser.answer(challenge, await person.authenticator.next())).body.status).toBe("authenticated");
  });

  it("has one challenge, pushes out no other's, and asks nobody for proof by that", async () => {
    const person = await coveredPerson();
    const [browser, other] = [await recognisedBrowser(person), await recognisedBrowser(person)];
    const [strangers, others] = [await challengedElsewhere(person), await other.challenged(person)];
    const own: string[] = [];
    for (let i = 0; i < 8; i++) own.push(await browser.challenged(person));
    const code = await person.authenticator.next();
    expectProblem(await browser.answer(own[6] ?? "", code), 401, "invalid_challenge");
    for (const [challenge, holder] of [
      [strangers, new Browser()],
      [others, other],
      [own[7] ?? "", browser],
    ] as const) {
      expectProblem(await holder.answer(challenge, person.authenticator.wrong()), 401, "invalid_code");
    }
    expect((await fromElsewhere(person)).body.status).toBe("challenge");
    expect((await answerChallenge(strangers, code)).body.status).toBe("authenticated");
  });

  it("has five free wrong passwords of its own, whatever others do at its address, and they do as they please", async () => {
    const person = await coveredPerson();
    const [known, other] = [await recognisedBrowser(person), await recognisedBrowser(person)];
    const wrong = { ...person, password: "not the password" };
    for (let i = 0; i < 5; i++) expectProblem(await new Browser(known.source).logIn(wrong), 401, "sign_in_failed");
    expectProblem(await new Browser(known.source).logIn(person), 429, "too_many_attempts");
    expect((await known.logIn(person)).body.status).toBe("challenge");
    for (let i = 0; i < 5; i++) expectProblem(await other.logIn(wrong), 401, "sign_in_failed");
    other.source = newSource();
    expectProblem(await other.logIn(person), 429, "too_many_attempts");
    expect((await fromElsewhere(person)).body.status).toBe("challenge");
  });

  it("is one of five at most, the latest always among them", async () => {
    const person = await coveredPerson();
    const browsers: Browser[] = [];
    for (let i = 0; i < 6; i++) browsers.push(await recognisedBrowser(person));
    await abandonChallenges(person);
    const answers = await Promise.all(browsers.map((browser) => browser.logIn(person)));
    expect(answers.filter((answer) => answer.body.status === "challenge").length).toBeLessThanOrEqual(5);
    expect(answers[5]?.body.status).toBe("challenge");
  });
});
