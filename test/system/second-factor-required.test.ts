import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Browser, cookieSet, DEVICE } from "../support/browser.ts";
import {
  type Answer,
  answerChallenge,
  challenged,
  confirm,
  distinguishable,
  enrol,
  expectProblem,
  get,
  logIn,
  me,
  newPerson,
  ownPage,
  type Person,
  post,
  refreshed,
  type Session,
  sessionOf,
  sessionsOf,
  signedIn,
  text,
  verifiedPerson,
} from "../support/client.ts";
import {
  confirmed,
  enrolmentToken,
  expectEnrolmentRequired,
  expectNoTokens,
  pendingApp,
  tokenMembers,
} from "../support/enrolment.ts";
import { OwnInstance } from "../support/own-instance.ts";
import { byApp, trustedBrowser } from "../support/owner.ts";
import {
  addPasskey,
  atOnce,
  creation,
  creationOptions,
  factorsOf,
  register,
  syncedPasskey,
} from "../support/passkey-client.ts";
import {
  addFactor,
  type CoveredPerson,
  codesOf,
  coveredPerson,
  proofIn,
  recover,
  removeFactor,
  turnOff,
} from "../support/recovery-client.ts";

const METHODS = ["totp", "passkey"];
const instance = new OwnInstance();
/** Accounts from before the rule: one without a factor, one with an authenticator app. */
let plain: Person & { session: Session };
let covered: CoveredPerson;
/** The browser in which the latter was told that the factor would not be asked for again. */
let trusted: Browser;

beforeAll(async () => {
  await instance.start({ SECOND_FACTOR: "optional", TRUSTED_BROWSER_DAYS: "30" });
  const person = await verifiedPerson();
  plain = { ...person, session: await signedIn(person) };
  covered = await coveredPerson();
  trusted = await trustedBrowser(covered, byApp(covered));
  expect((await trusted.logIn(covered)).body.status).toBe("authenticated");
  await instance.start({ SECOND_FACTOR: "required" });
});
afterAll(() => instance.end());

describe("a required second factor", () => {
  it("is announced, with the shorter password that it allows", async () => {
    expect((await get("/auth/config")).body).toMatchObject({ second_factor: "required", password_min: 8 });
    const eight = newPerson({ password: `Zq7!${randomBytes(2).toString("hex")}` });
    const seven = newPerson({ password: eight.password.slice(1) });
    const refused = await post("/auth/register", { email: seven.email, password: seven.password });
    expectProblem(refused, 422, "weak_password");
    expect(refused.body.reason).toBe("too_short");
    expectEnrolmentRequired(await logIn(await verifiedPerson(eight)), METHODS);
  });

  it("asks who has none for enrolment, and gives nothing else: no token, no cookie, no session", async () => {
    const person = await verifiedPerson();
    const answers = [
      await logIn(person),
      await logIn(person, { remember: true }, { headers: ownPage }),
      await new Browser().logIn(person),
    ];
    for (const answer of answers) {
      expectEnrolmentRequired(answer, METHODS);
      expect(answer.text).not.toContain(person.email);
    }
    const token = text(answers[0] as Answer, "enrolment_token");
    const access = text(await confirmed(token, await pendingApp(token)), "access_token");
    expect((await sessionsOf(access)).length).toBe(1);
  });

  it("tells nothing to whoever has not the password", async () => {
    const wrong = await logIn({ ...(await verifiedPerson()), password: "not the password" });
    expectProblem(wrong, 401, "sign_in_failed");
    expect(distinguishable(wrong)).toEqual(distinguishable(await logIn(newPerson())));
  });

  it("cannot be turned off, and the last factor cannot go", async () => {
    const person = await verifiedPerson();
    const token = await enrolmentToken(person);
    const pending = await pendingApp(token);
    const { access } = sessionOf(await confirmed(token, pending));
    expect((await get("/auth/2fa", { bearer: access })).body.required).toBe(true);
    expectProblem(await turnOff(access), 403, "forbidden");
    expectProblem(await removeFactor(access, pending.factorId), 403, "forbidden");
    const second = await addFactor(access);
    expect((await removeFactor(access, pending.factorId)).status).toBe(204);
    expectProblem(await removeFactor(access, second.id), 403, "forbidden");
    expect((await factorsOf(access)).map(({ id }) => id)).toEqual([second.id]);
  });
});

describe("activating a factor with an enrolment token", () => {
  it("answers with tokens of both proofs and with recovery codes; from then on sign-in asks for the factor", async () => {
    const person = await verifiedPerson();
    const token = text(await logIn(person, { remember: true }), "enrolment_token");
    const pending = await pendingApp(token);
    const answer = await confirmed(token, pending);
    expect(Object.keys(answer.body).sort()).toEqual([...tokenMembers, "recovery_codes", "status"].sort());
    expect(answer.body).toMatchObject({ status: "active", token_type: "Bearer", expires_in: 300 });
    // What the sign-in asked for is kept.
    expect(answer.body.refresh_expires_in).toBe(14 * 86_400);
    expect(answer.headers.getSetCookie()).toEqual([]);
    const session = sessionOf(answer);
    const proof = proofIn(session.access);
    expect(proof).toMatchObject({ acr: "aal2", amr: ["pwd", "otp", "mfa"] });
    expect(Object.keys(proof.factors).sort()).toEqual(["otp", "pwd"]);
    expect((await me(session.access)).body.acr).toBe("aal2");
    expect((await sessionsOf(session.access)).map(({ id }) => id)).toEqual([session.id]);
    expect((await refreshed(session.refresh)).status).toBe(200);
    const challenge = await challenged(person);
    expect((await answerChallenge(challenge, await pending.authenticator.next())).body.status).toBe("authenticated");
    const codes = codesOf(answer);
    expect(new Set(codes).size).toBe(10);
    expect((await recover(await challenged(person), codes[0])).body.status).toBe("authenticated");
  });

  it("gives a browser its cookies, and no refresh token in the body", async () => {
    const [person, browser] = [await verifiedPerson(), new Browser()];
    const bearer = text(await browser.logIn(person), "enrolment_token");
    expect(browser.cookies.size).toBe(0);
    const pending = await pendingApp(bearer);
    const body = { factor_id: pending.factorId, code: await pending.authenticator.next() };
    const answer = await browser.post("/auth/2fa/totp/confirm", body, { bearer });
    expect(answer.body.status, answer.text).toBe("active");
    expect(answer.text).not.toContain("rt_");
    expect([...browser.cookies.keys()].sort()).toEqual([DEVICE, "__Host-sallyport_rt"]);
    expect(cookieSet(answer, DEVICE)?.attributes).toEqual(
      expect.arrayContaining(["secure", "httponly", "samesite=strict", "path=/"]),
    );
    expect((await browser.post("/auth/refresh", {})).body.status).toBe("authenticated");
  });

  it("works with a passkey", async () => {
    const [person, passkey] = [await verifiedPerson(), syncedPasskey()];
    const answer = await addPasskey(await enrolmentToken(person), passkey, { label: "Laptop" });
    expect(answer.status, answer.text).toBe(201);
    expect(answer.body).toMatchObject({ status: "active", kind: "passkey", label: "Laptop", last_used_at: null });
    expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(tokenMembers));
    expect(codesOf(answer)).toHaveLength(10);
    const session = sessionOf(answer);
    expect(proofIn(session.access)).toMatchObject({ acr: "aal2", amr: ["pwd", "swk", "user", "pop", "mfa"] });
    expect((await sessionsOf(session.access)).length).toBe(1);
    expect((await logIn(person)).body).toMatchObject({
      status: "challenge",
      methods: expect.arrayContaining(["passkey"]),
    });
  });

  it("spends it, and every other enrolment token of the account", async () => {
    const person = await verifiedPerson();
    const [token, other, started] = [
      await enrolmentToken(person),
      await enrolmentToken(person),
      await enrolmentToken(person),
    ];
    const overtaken = await pendingApp(started);
    const pending = await pendingApp(token);
    const { access } = sessionOf(await confirmed(token, pending));
    for (const bearer of [token, other, started]) {
      const refusals = [
        await enrol(bearer),
        await confirm(bearer, pending.factorId, await pending.authenticator.at(pending.authenticator.lastStep + 1)),
        await confirmed(bearer, overtaken),
        await post("/auth/2fa/passkeys/options", {}, { bearer }),
      ];
      for (const answer of refusals) {
        expectProblem(answer, 401, "invalid_challenge");
        expectNoTokens(answer);
      }
    }
    expect((await factorsOf(access)).map(({ id }) => id)).toEqual([pending.factorId]);
    expect((await sessionsOf(access)).length).toBe(1);
  });

  it("opens one session, however often it is confirmed at once", async () => {
    const token = await enrolmentToken(await verifiedPerson());
    const pending = await pendingApp(token);
    const code = await pending.authenticator.next();
    const answers = await atOnce(20, () => confirm(token, pending.factorId, code));
    const [opened, ...more] = answers.filter(({ status }) => status === 200);
    expect(more).toEqual([]);
    for (const answer of answers) {
      if (answer !== opened) {
        expect(answer.status, answer.text).toBe(401);
        expectNoTokens(answer);
      }
    }
    expect((await sessionsOf(text(opened as Answer, "access_token"))).length).toBe(1);
  });

  it("opens one session with one passkey, however often it is sent at once", async () => {
    const token = await enrolmentToken(await verifiedPerson());
    const response = await syncedPasskey().register(creation(await creationOptions(token)));
    const answers = await atOnce(10, () => register(token, response));
    const [opened, ...more] = answers.filter(({ status }) => status === 201);
    expect(more).toEqual([]);
    for (const answer of answers) if (answer !== opened) expectNoTokens(answer);
    const { access } = sessionOf(opened as Answer);
    expect((await factorsOf(access)).length).toBe(1);
    expect((await sessionsOf(access)).length).toBe(1);
  });

  it("lets one of two tokens win that finish at the same moment", async () => {
    const person = await verifiedPerson();
    const [one, other] = [await enrolmentToken(person), await enrolmentToken(person)];
    const pending = await pendingApp(one);
    const response = await syncedPasskey().register(creation(await creationOptions(other)));
    const answers = await Promise.all([confirmed(one, pending), register(other, response)]);
    const [winner, ...second] = answers.filter(({ body }) => body.status === "active");
    expect(second).toEqual([]);
    const { access } = sessionOf(winner as Answer);
    expect((await factorsOf(access)).length).toBe(1);
    expect((await sessionsOf(access)).length).toBe(1);
    for (const answer of answers) if (answer !== winner) expectProblem(answer, 401, "invalid_challenge");
  });

  it("takes the right code only, and five wrong ones", async () => {
    const person = await verifiedPerson();
    const token = await enrolmentToken(person);
    const pending = await pendingApp(token);
    for (let i = 0; i < 5; i++) {
      const answer = await confirm(token, pending.factorId, pending.authenticator.wrong());
      expectProblem(answer, 401, "invalid_code");
      expectNoTokens(answer);
    }
    const late = await confirmed(token, pending);
    expect(late.status, late.text).toBeGreaterThanOrEqual(400);
    expectNoTokens(late);
    // The account is none the worse for it.
    const next = await enrolmentToken(person);
    const again = await pendingApp(next);
    expectProblem(await confirm(next, again.factorId, again.authenticator.wrong()), 401, "invalid_code");
    expect((await confirmed(next, again)).body.status).toBe("active");
  });
});

describe("an account from before the rule", () => {
  it("without a factor gets no tokens out of its session, and enrols at its next sign-in", async () => {
    expectNoTokens(await refreshed(plain.session.refresh));
    expectEnrolmentRequired(await logIn(plain), METHODS);
    const token = await enrolmentToken(plain);
    expect((await confirmed(token, await pendingApp(token))).body.status).toBe("active");
  });

  it("with a browser that was trusted is asked for the factor, where trust is not on offer any more", async () => {
    expectNoTokens(await trusted.post("/auth/refresh", {}));
    trusted.forgetSession();
    const answer = await trusted.logIn(covered);
    expect(answer.body.status, answer.text).toBe("challenge");
    expectNoTokens(answer);
  });

  it("with a factor goes on as before", async () => {
    const answer = await answerChallenge(await challenged(covered), await covered.authenticator.next());
    expect(proofIn(text(answer, "access_token")).acr).toBe("aal2");
  });
});
