import { describe, expect, it } from "vitest";
import { Browser } from "../../support/browser.ts";
import {
  type Answer,
  answerChallenge,
  distinguishable,
  expectProblem,
  logIn,
  mailsTo,
  me,
  newPerson,
  newSource,
  type Person,
  post,
  refreshed,
  registered,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import { changePassword, mailsHaveLeft, resetByMail, startRecovery } from "../../support/life-client.ts";
import { recognisedBrowser } from "../../support/owner.ts";
import { atOnce, passkeyPerson, signInByPasskey } from "../../support/passkey-client.ts";
import { askForProof, expectProofRequired, fromElsewhere, mailedProof, withProof } from "../../support/proof-mode.ts";
import { coveredPerson, steppedUpByPassword } from "../../support/recovery-client.ts";
import { closeDoor, opensElsewhere } from "../../support/siege.ts";

const wrongly = <P extends Person>(person: P): P => ({ ...person, password: "not the password" });
const unproven = 20;

describe("twenty failures of an address, from sources of which each has one", () => {
  it("ask everybody for a proof before the password is looked at: right or wrong, known or not, alike", async () => {
    const [known, unverified, unknown] = [await verifiedPerson(), newPerson(), newPerson()];
    await registered(unverified);
    const answers: Answer[] = [];
    for (const person of [known, unverified, unknown]) {
      for (let i = 0; i < unproven; i++) expectProblem(await fromElsewhere(wrongly(person)), 401, "sign_in_failed");
      for (const one of [person, wrongly(person), { ...person, email: person.email.toUpperCase() }])
        answers.push(await fromElsewhere(one));
    }
    for (const answer of answers) {
      expectProofRequired(answer);
      expect(distinguishable(answer)).toEqual(distinguishable(answers[0] as Answer));
    }
    // Nobody else notices.
    expect((await fromElsewhere(await verifiedPerson())).body.status).toBe("authenticated");
  });

  it("are counted over every door and every spelling of its case", async () => {
    const person = await verifiedPerson();
    for (let i = 0; i < unproven / 2; i++) {
      await fromElsewhere(wrongly({ ...person, email: person.email.toUpperCase() }));
      await startRecovery(wrongly({ ...person, source: newSource() }));
    }
    await mailsHaveLeft();
    expectProofRequired(await fromElsewhere(person));
  });

  it("and one source of few: five of each of four are twenty", async () => {
    const person = await verifiedPerson();
    for (const source of [newSource(), newSource(), newSource(), newSource()])
      for (let i = 0; i < 5; i++) expectProblem(await logIn(wrongly({ ...person, source })), 401, "sign_in_failed");
    expectProofRequired(await fromElsewhere(person));
  });

  it("are not exceeded by sixty at the same moment", async () => {
    const person = await verifiedPerson();
    const answers = await atOnce(60, () => fromElsewhere(wrongly(person)));
    const compared = answers.filter((answer) => answer.status === 401);
    expect(compared.length).toBeGreaterThan(0);
    expect(compared.length).toBeLessThanOrEqual(unproven);
    for (const answer of answers) if (answer.status !== 401) expectProofRequired(answer);
  });

  it("leave the address asked for proof after many tries more, and nineteen leave it alone", async () => {
    const [besieged, annoyed] = [await verifiedPerson(), await verifiedPerson()];
    for (let i = 0; i < unproven - 1; i++) await fromElsewhere(wrongly(annoyed));
    expect((await fromElsewhere(annoyed)).body.status).toBe("authenticated");
    await closeDoor(besieged);
    for (const answer of await atOnce(40, (i) => fromElsewhere(i % 2 === 0 ? besieged : wrongly(besieged))))
      expectProofRequired(answer);
  });
});

describe("the proof that is asked for", () => {
  it("is mailed to a known address alone, and opens with the right password", async () => {
    const [known, unknown] = [await verifiedPerson(), newPerson()];
    await Promise.all([closeDoor(known), closeDoor(unknown)]);
    const answers = [await askForProof(known.email), await askForProof(unknown.email)];
    expect(distinguishable(answers[1] as Answer)).toEqual(distinguishable(answers[0] as Answer));
    expect((await withProof(known, await mailedProof(known))).body.status).toBe("authenticated");
    expect(await mailsTo(unknown.email, 0)).toEqual([]);
  });

  it("is worth five attempts, and what is wrong with it is no way in", async () => {
    const [person, other] = [await verifiedPerson(), await verifiedPerson()];
    await closeDoor(person);
    const [token, foreign] = [await mailedProof(person), await mailedProof(other)];
    for (const wrong of ["AAAA", `${token}A`, foreign])
      expectProblem(await withProof(person, wrong), 400, "invalid_link");
    for (let i = 0; i < 5; i++) expectProblem(await withProof(wrongly(person), token), 401, "sign_in_failed");
    expectProblem(await withProof(person, token), 400, "invalid_link");
    expectProofRequired(await fromElsewhere(person));
    expect((await withProof(person, await mailedProof(person))).body.status).toBe("authenticated");
  });

  it("opens the first door alone: the door stays shut for others until the second factor was shown", async () => {
    const person = await coveredPerson();
    await closeDoor(person);
    const challenge = text(await withProof(person, await mailedProof(person)), "challenge_token");
    expectProofRequired(await fromElsewhere(person));
    expectProblem(await answerChallenge(challenge, person.authenticator.wrong()), 401, "invalid_code");
    expectProofRequired(await fromElsewhere(person));
    const answer = await answerChallenge(challenge, await person.authenticator.next());
    expect(answer.body.status, answer.text).toBe("authenticated");
    expect(await opensElsewhere(person)).toBe("challenge");
  });

  it("is not asked for any more after a complete sign-in, and again after twenty failures more", async () => {
    const person = await verifiedPerson();
    for (let round = 0; round < 2; round++) {
      await closeDoor(person);
      const answer = await withProof(person, await mailedProof(person));
      expect(answer.body.status, answer.text).toBe("authenticated");
      expect(await opensElsewhere(person)).toBe("authenticated");
    }
  });

  it("is not asked for any more after a reset", async () => {
    const person = await verifiedPerson();
    await closeDoor(person);
    expect(await opensElsewhere(await resetByMail(person))).toBe("authenticated");
  });
});

describe("the owner of an address that strangers are asked to prove", () => {
  it("signs in from a recognised browser, with five wrong passwords of its own", async () => {
    const person = await coveredPerson();
    const browsers = [await recognisedBrowser(person), await recognisedBrowser(person)];
    const [first, second] = browsers as [Browser, Browser];
    await closeDoor(person);
    for (let i = 0; i < 4; i++) expectProblem(await second.logIn(wrongly(person)), 401, "sign_in_failed");
    for (const browser of browsers) {
      browser.source = newSource();
      expect((await browser.logIn(person)).body.status).toBe("challenge");
    }
    // A right password alone has cleared nothing for the others.
    expectProofRequired(await fromElsewhere(person));
    const answer = await first.answer(await first.challenged(person), await person.authenticator.next());
    expect(answer.body.status, answer.text).toBe("authenticated");
  });

  it("is not let in by a cookie that was changed or is somebody else's", async () => {
    const [person, other] = [await coveredPerson(), await coveredPerson()];
    const [own, foreign] = [await recognisedBrowser(person), await recognisedBrowser(other)];
    await closeDoor(person);
    const [name = "", value = ""] = [...own.cookies][0] ?? [];
    const flipped = `${value.slice(0, -6)}${value.at(-6) === "A" ? "B" : "A"}${value.slice(-5)}`;
    for (const browser of [Browser.with(name, flipped), Browser.with(name, value.slice(0, -1)), foreign])
      expectProofRequired(await browser.logIn(person));
    expect((await own.logIn(person)).body.status).toBe("challenge");
  });

  it("signs in by passkey alone, in a browser that nobody knows", async () => {
    const person = await passkeyPerson();
    await closeDoor(person);
    const answer = await signInByPasskey(person.passkey);
    expect(answer.body.status, answer.text).toBe("authenticated");
  });

  it("goes on with the sessions that live, password at step-up included", async () => {
    const person = await verifiedPerson();
    const session = await signedIn(person);
    await closeDoor(person);
    const next = await refreshed(session.refresh);
    expect(next.status, next.text).toBe(200);
    const access = text(next, "access_token");
    expect((await me(access)).status).toBe(200);
    expect((await me(await steppedUpByPassword(access, person))).status).toBe(200);
    expectProofRequired(await fromElsewhere(person));
    expect((await changePassword(access, person)).status).toBe(200);
  });

  it("gets the link of a reset as ever", async () => {
    const person = await verifiedPerson();
    await closeDoor(person);
    const before = (await mailsTo(person.email)).length;
    expect((await post("/auth/password/forgot", { email: person.email })).status).toBe(202);
    expect((await mailsTo(person.email, before + 1)).length).toBe(before + 1);
  });
});
