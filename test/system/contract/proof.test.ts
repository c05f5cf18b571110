import { beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  challenged,
  distinguishable,
  expectProblem,
  issuer,
  mailsTo,
  me,
  newPerson,
  type Person,
  post,
  registered,
  signedIn,
  text,
  twoFactorPerson,
  verifiedPerson,
} from "../../support/client.ts";
import { askForProof, fromElsewhere, mailedProof, proofTokens, withProof } from "../../support/proof-mode.ts";

const times = <T>(count: number, act: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => act(i)));
const wrongly = (person: Person): Person => ({ ...person, password: "not the password" });

/** By now a mail that was to be sent has been sent: one that was asked for later has arrived. */
async function mailsHaveLeft(): Promise<void> {
  await mailedProof(await verifiedPerson());
}

describe("asking for a proof", () => {
  it("answers alike for known, unverified and unknown addresses, and mails the known one alone", async () => {
    const [known, unverified, unknown] = [await verifiedPerson(), newPerson(), newPerson()];
    await registered(unverified);
    const answers = [
      await askForProof(known.email),
      await askForProof(unverified.email),
      await askForProof(unknown.email),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(202);
      expect(answer.body).toEqual({ status: "proof_sent" });
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(distinguishable(answer)).toEqual(distinguishable(answers[0] as Answer));
    }
    expect(await proofTokens(known.email)).toHaveLength(1);
    await mailsHaveLeft();
    expect(await proofTokens(unverified.email, 0)).toEqual([]);
    expect(await mailsTo(unknown.email, 0)).toEqual([]);
  });

  it("mails a link of the issuer with the token in its fragment, to the address as it was registered", async () => {
    const person = await verifiedPerson();
    expect((await askForProof(person.email.toUpperCase())).status).toBe(202);
    const [token] = await proofTokens(person.email);
    const mail = (await mailsTo(person.email)).find((one) => one.text.includes("/proof#token="));
    expect(mail?.to).toBe(person.email);
    expect(mail?.text).toContain(`${issuer}/proof#token=${token}`);
    expect(mail?.html).toContain(`${issuer}/proof#token=${token}`);
    for (const part of [mail?.subject, mail?.text, mail?.html]) expect(part).not.toContain(person.password);
  });

  it("brings at most three mails in ten minutes, whoever asks, and always the same answer", async () => {
    const person = await verifiedPerson();
    const answers: Answer[] = [];
    for (let i = 0; i < 6; i++)
      answers.push(await askForProof(i % 2 === 0 ? person.email : person.email.toUpperCase()));
    expect(new Set(answers.map((answer) => JSON.stringify(distinguishable(answer)))).size).toBe(1);
    await mailsHaveLeft();
    const tokens = await proofTokens(person.email, 3);
    expect(new Set(tokens).size).toBe(3);
    // A stranger who asks again takes no link away: the oldest still opens.
    expect((await withProof(person, tokens.at(-1))).status).toBe(200);
  });

  it("has a count of its own: registrations with the address use none of it up", async () => {
    const person = await verifiedPerson();
    const intruder = newPerson({ email: person.email });
    for (let i = 0; i < 5; i++) {
      await post("/auth/register", { email: intruder.email, password: intruder.password });
    }
    await mailedProof(person);
  });

  it("refuses what is not an address, and other members", async () => {
    const { email } = newPerson();
    for (const body of [{}, { email: 1 }, { email: [email] }, { email: `${email},${email}` }, { email, kind: "x" }]) {
      expectProblem(await post("/auth/proof", body), 400, "invalid_request");
    }
  });
});

describe("a mailed proof", () => {
  it("goes with the right password, whether it was needed or not, and is then used up", async () => {
    const plain = await verifiedPerson();
    const token = await mailedProof(plain);
    const answer = await withProof(plain, token);
    expect(answer.body.status, answer.text).toBe("authenticated");
    expectProblem(await withProof(plain, token), 400, "invalid_link");
    const person = await twoFactorPerson();
    const second = await mailedProof(person);
    expect((await withProof(person, second)).body.status).toBe("challenge");
    expectProblem(await withProof(person, second), 400, "invalid_link");
  });

  it("never stands in for the password: a wrong one looks as it looks to a stranger", async () => {
    const person = await verifiedPerson();
    const token = await mailedProof(person);
    const wrong = await withProof(wrongly(person), token);
    expectProblem(wrong, 401, "sign_in_failed");
    expect(distinguishable(wrong)).toEqual(distinguishable(await fromElsewhere(newPerson())));
    expect((await withProof(person, token)).body.status).toBe("authenticated");
  });

  it("is worth five attempts", async () => {
    const person = await verifiedPerson();
    const token = await mailedProof(person);
    for (let i = 0; i < 5; i++) expectProblem(await withProof(wrongly(person), token), 401, "sign_in_failed");
    for (const one of [person, wrongly(person)]) expectProblem(await withProof(one, token), 400, "invalid_link");
    // The account is none the worse for it.
    expect((await fromElsewhere(person)).body.status).toBe("authenticated");
  });

  it("still opens with the fifth attempt", async () => {
    const person = await verifiedPerson();
    const token = await mailedProof(person);
    for (let i = 0; i < 4; i++) expectProblem(await withProof(wrongly(person), token), 401, "sign_in_failed");
    expect((await withProof(person, token)).body.status).toBe("authenticated");
  });

  it("is bound to its address: for another, known or not, it is an invalid link", async () => {
    const [ada, eve, unknown] = [await verifiedPerson(), await verifiedPerson(), newPerson()];
    const token = await mailedProof(ada);
    const answers = [
      await withProof(eve, token),
      await withProof(wrongly(eve), token),
      await withProof(unknown, token),
    ];
    for (const answer of answers) {
      expectProblem(answer, 400, "invalid_link");
      expect(distinguishable(answer)).toEqual(distinguishable(answers[0] as Answer));
    }
    expect((await withProof({ ...ada, email: ada.email.toUpperCase() }, token)).body.status).toBe("authenticated");
  });
});

describe("what is no proof", () => {
  let person: Person;
  let token: string;
  beforeAll(async () => {
    person = await verifiedPerson();
    token = await mailedProof(person);
  });

  it("is an invalid link whatever was done to it, before the password is looked at", async () => {
    const middle = Math.floor(token.length / 2);
    const swapCase = (c: string) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase());
    const verification = await registered(newPerson());
    const session = await signedIn(person);
    const notProofs = {
      "cut at the end": token.slice(0, -1),
      "cut at the beginning": token.slice(1),
      longer: `${token}A`,
      padded: `${token}=`,
      "another case": [...token].map(swapCase).join(""),
      "one character changed": token.slice(0, middle) + (token[middle] === "A" ? "B" : "A") + token.slice(middle + 1),
      "made up": "AAAA",
      "three parts": "a.b.c",
      "the link of a registration": verification,
      "a challenge token": await challenged(await twoFactorPerson()),
      "an access token": session.access,
      "a refresh token": session.refresh,
    };
    const answers: Answer[] = [];
    for (const [what, notProof] of Object.entries(notProofs)) {
      for (const one of [person, wrongly(person)]) {
        const answer = await withProof(one, notProof);
        expect({ what, status: answer.status, code: answer.body.code }).toEqual({
          what,
          status: 400,
          code: "invalid_link",
        });
        answers.push(answer);
      }
    }
    expect(new Set(answers.map((answer) => JSON.stringify(distinguishable(answer)))).size).toBe(1);
    expect((await withProof(person, token)).body.status).toBe("authenticated");
  });

  it("is an invalid request when its shape is wrong or its kind is not on offer", async () => {
    for (const proof of [
      "mail_link",
      [],
      { kind: "mail_link" },
      { kind: "mail_link", token: 1 },
      { kind: "mail_link", token, email: person.email },
      { kind: "passkey", token },
      { token },
    ]) {
      expectProblem(await fromElsewhere(person, { proof }), 400, "invalid_request");
    }
    // A bot check is off by default; which of the two refusals it gets, the contract leaves open.
    const botCheck = await fromElsewhere(person, { proof: { kind: "turnstile", token } });
    expectProblem(botCheck, 400, ["invalid_link", "invalid_request"]);
  });

  it("and a proof is nothing else: it verifies no address, opens no route and answers no challenge", async () => {
    const proof = await mailedProof(person);
    expectProblem(await post("/auth/email/verify", { token: proof, password: person.password }), 400, "invalid_link");
    expectProblem(await me(proof), 401, "invalid_token");
    expectProblem(
      await post("/auth/2fa/verify", { challenge_token: proof, method: "totp", code: "123456" }),
      401,
      "invalid_challenge",
    );
    expect((await post("/auth/refresh", { refresh_token: proof })).text).not.toContain("access_token");
  });
});

describe("one proof used twenty times at once", () => {
  it("lets at most five wrong passwords be compared", async () => {
    const person = await verifiedPerson();
    const token = await mailedProof(person);
    const answers = await times(20, () => withProof(wrongly(person), token));
    const compared = answers.filter((answer) => answer.status === 401);
    expect(compared.length).toBeGreaterThan(0);
    expect(compared.length).toBeLessThanOrEqual(5);
    for (const answer of answers) {
      if (answer.status === 401) expectProblem(answer, 401, "sign_in_failed");
      else expectProblem(answer, 400, "invalid_link");
    }
  });

  it("opens one sign-in with the right password", async () => {
    const person = await twoFactorPerson();
    const token = await mailedProof(person);
    const answers = await times(20, () => withProof(person, token));
    const opened = answers.filter((answer) => answer.status === 200);
    expect(opened.map((answer) => text(answer, "status"))).toEqual(["challenge"]);
    for (const answer of answers) if (answer.status !== 200) expectProblem(answer, 400, "invalid_link");
  });
});
