import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Browser } from "../support/browser.ts";
import {
  type Answer,
  answerChallenge,
  challenged,
  distinguishable,
  enrol,
  expectProblem,
  get,
  logIn,
  type Person,
  refreshed,
  type Session,
  sessionOf,
  signedIn,
  signedInTwice,
  text,
  verifiedPerson,
} from "../support/client.ts";
import { enrolmentToken, expectEnrolmentRequired, expectNoTokens } from "../support/enrolment.ts";
import { OwnInstance } from "../support/own-instance.ts";
import { byApp, type PasskeyOwner, passkeyOwner, trustedBrowser } from "../support/owner.ts";
import {
  addPasskey,
  answerByPasskey,
  atOnce,
  type PasskeyPerson,
  passkeyPerson,
  signInByPasskey,
  syncedPasskey,
} from "../support/passkey-client.ts";
import {
  type CoveredPerson,
  coveredPerson,
  proofIn,
  recover,
  removeFactor,
  spare,
  stepUp,
  turnOff,
} from "../support/recovery-client.ts";

const METHODS = ["passkey"];
const instance = new OwnInstance();
/** Accounts from when every factor counted, and sessions that proved what their names say. */
let plain: Person & { session: Session };
let app: CoveredPerson;
let another: CoveredPerson;
let both: PasskeyOwner & { byApp: Session; byPasskey: Session };
let key: PasskeyPerson;
/** The browser in which `another` was told that the app would not be asked for again, signed in by that trust. */
let trusted: Browser;

beforeAll(async () => {
  await instance.start({ SECOND_FACTOR: "optional", TRUSTED_BROWSER_DAYS: "30" });
  const person = await verifiedPerson();
  plain = { ...person, session: await signedIn(person) };
  [app, another] = [await coveredPerson(), await coveredPerson()];
  const owner = await passkeyOwner();
  both = {
    ...owner,
    byApp: await signedInTwice(owner),
    byPasskey: sessionOf(await answerByPasskey(await challenged(owner), owner.passkey)),
  };
  key = await passkeyPerson();
  trusted = await trustedBrowser(another, byApp(another));
  expect((await trusted.logIn(another)).body.status).toBe("authenticated");
  await instance.start({ SECOND_FACTOR: "passkey", TRUSTED_BROWSER_DAYS: "30" });
});
afterAll(() => instance.end());

/** The methods of a challenge. */
const methodsOf = (answer: Answer): string[] => {
  expect(answer.body.status, answer.text).toBe("challenge");
  return answer.body.methods as string[];
};

it("it is announced that only passkeys count", async () => {
  expect((await get("/auth/config")).body).toMatchObject({ second_factor: "passkey", password_min: 8 });
});

describe("an account without a passkey", () => {
  it("is asked for one, and for nothing else: no authenticator app can be enrolled", async () => {
    const person = await verifiedPerson();
    expectEnrolmentRequired(await logIn(person), METHODS);
    const token = await enrolmentToken(person);
    const refused = await enrol(token);
    expectProblem(refused, 403, "forbidden");
    const passkey = syncedPasskey();
    const answer = await addPasskey(token, passkey);
    expect(answer.status, answer.text).toBe(201);
    const session = sessionOf(answer);
    expect(proofIn(session.access).acr).toBe("aal2");
    expectProblem(await enrol(session.access), 403, "forbidden");
    expect((await get("/auth/2fa", { bearer: session.access })).body.required).toBe(true);
    expectProblem(await turnOff(session.access), 403, "forbidden");
    expectProblem(await removeFactor(session.access, text(answer, "id")), 403, "forbidden");
    expect(methodsOf(await logIn(person))).not.toContain("totp");
    expect((await signInByPasskey(passkey)).body.status).toBe("authenticated");
  });

  it("from before, without any factor, gets no tokens out of its session", async () => {
    expectNoTokens(await refreshed(plain.session.refresh));
    expectEnrolmentRequired(await logIn(plain), METHODS);
  });
});

describe("an account from before, with an authenticator app alone", () => {
  it("proves the app and is then asked for a passkey; tokens come with that", async () => {
    const browser = new Browser();
    const opened = await browser.logIn(app);
    expect(methodsOf(opened)).toContain("totp");
    expect(methodsOf(opened)).not.toContain("passkey");
    const challenge = text(opened, "challenge_token");
    expectProblem(await browser.answer(challenge, app.authenticator.wrong()), 401, "invalid_code");
    const code = await app.authenticator.next();
    const answer = await browser.answer(challenge, code);
    expectEnrolmentRequired(answer, METHODS);
    expect(browser.cookies.size).toBe(0);
    expectProblem(await browser.answer(challenge, code), 401, "invalid_challenge");
    const token = text(answer, "enrolment_token");
    expectProblem(await enrol(token), 403, "forbidden");
    const passkey = syncedPasskey();
    const added = await addPasskey(token, passkey);
    expect(added.status, added.text).toBe(201);
    expect(proofIn(text(added, "access_token")).acr).toBe("aal2");
    expect(methodsOf(await logIn(app))).not.toContain("totp");
    expect(methodsOf(await logIn(app))).toContain("passkey");
    expect((await signInByPasskey(passkey)).body.status).toBe("authenticated");
  });

  it("never gets a session by the app or by a recovery code, at once or one by one", async () => {
    const [challenge, code] = [await challenged(another), await another.authenticator.next()];
    const answers = await atOnce(10, () => answerChallenge(challenge, code));
    for (const answer of answers) expectNoTokens(answer);
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    const recovered = await recover(await challenged(another), spare(another));
    if (typeof recovered.body.access_token === "string") {
      expect(proofIn(recovered.body.access_token).acr).toBe("aal2-recovery");
    }
  });

  it("gets nothing by the trust that the app has earned: neither out of that session nor at the door", async () => {
    expectNoTokens(await trusted.post("/auth/refresh", {}));
    trusted.forgetSession();
    const answer = await trusted.logIn(another);
    expect(["challenge", "enrolment_required"], answer.text).toContain(answer.body.status);
    expectNoTokens(answer);
  });

  it("gets no tokens out of the session that the app had opened", async () => {
    expectNoTokens(await refreshed(another.session.refresh));
  });
});

describe("an account with a passkey", () => {
  it("is not asked for a code; the right one is refused like a wrong one", async () => {
    const [first, second] = [await logIn(both), await logIn(both)];
    for (const answer of [first, second]) {
      expect(methodsOf(answer)).toContain("passkey");
      expect(methodsOf(answer)).not.toContain("totp");
    }
    const right = await answerChallenge(text(first, "challenge_token"), await both.authenticator.next());
    const wrong = await answerChallenge(text(second, "challenge_token"), both.authenticator.wrong());
    expectProblem(right, 401, "invalid_code");
    expect(distinguishable(right)).toEqual(distinguishable(wrong));
    const answer = await answerByPasskey(text(second, "challenge_token"), both.passkey);
    expect(proofIn(text(answer, "access_token")).acr).toBe("aal2");
  });

  it("and no app at all refuses a code in the same way", async () => {
    const challenge = await challenged(key);
    expectProblem(await answerChallenge(challenge, "123456"), 401, "invalid_code");
    expect((await answerByPasskey(challenge, key.passkey)).body.status).toBe("authenticated");
  });

  it("keeps the sessions that the passkey has proven; those that a code has proven must prove it", async () => {
    const kept = await refreshed(both.byPasskey.refresh);
    expect(kept.body.status, kept.text).toBe("authenticated");
    const answer = await refreshed(both.byApp.refresh);
    expectNoTokens(answer);
    if (answer.status === 200) expect(methodsOf(answer)).not.toContain("totp");
  });

  it("steps up with the passkey, never with a code", async () => {
    const session = sessionOf(await signInByPasskey(both.passkey));
    const answer = await stepUp(session.access);
    expect(methodsOf(answer)).not.toContain("totp");
    const challenge = text(answer, "challenge_token");
    // Refused above, and so still unused.
    const unused = both.authenticator.at(both.authenticator.lastStep);
    expectProblem(await answerChallenge(challenge, unused), 401, "invalid_code");
    expect((await answerByPasskey(challenge, both.passkey)).body.status).toBe("authenticated");
  });

  it("loses the app if it likes, and never the last passkey", async () => {
    const { access } = sessionOf(await signInByPasskey(both.passkey));
    expectProblem(await removeFactor(access, both.passkeyId), 403, "forbidden");
    expect((await removeFactor(access, both.factorId)).status).toBe(204);
    expectProblem(await removeFactor(access, both.passkeyId), 403, "forbidden");
  });
});
