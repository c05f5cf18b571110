import { describe, expect, it } from "vitest";
import {
  distinguishable,
  expectProblem,
  get,
  issuer,
  logIn,
  mailsTo,
  newPerson,
  type Person,
  post,
  registered,
  send,
  text,
  verificationTokens,
  verifiedPerson,
} from "../../support/client.ts";

const register = (person: Person) => post("/auth/register", { email: person.email, password: person.password }, person);
const verify = (token: unknown, password: unknown) => post("/auth/email/verify", { token, password });

describe("registering", () => {
  it("answers that a verification was sent, and mails a link of the issuer", async () => {
    const person = newPerson();
    const answer = await register(person);
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ status: "verification_sent" });
    expect(answer.headers.getSetCookie()).toEqual([]);
    const [mail] = await mailsTo(person.email);
    expect(mail?.to).toBe(person.email);
    expect(mail?.text).toMatch(new RegExp(`${issuer}/verify-email#token=[A-Za-z0-9._~-]+`));
  });

  it("answers a known address exactly like a new one, and writes it another mail", async () => {
    const [known, stranger] = [await verifiedPerson(), newPerson()];
    const again = { ...known, password: "somebody else's idea" };
    expect(distinguishable(await register(again))).toEqual(distinguishable(await register(stranger)));
    const [warning, invitation] = [(await mailsTo(known.email, 2))[0], (await mailsTo(stranger.email))[0]];
    expect(warning?.subject).not.toBe(invitation?.subject);
    expect((await logIn(again)).status).toBe(401);
    expect((await logIn(known)).status).toBe(200);
  });

  it("stores nothing: until the link comes back the address cannot sign in", async () => {
    const person = newPerson();
    const token = await registered(person);
    expectProblem(await logIn(person), 401, "sign_in_failed");
    expect((await verify(token, person.password)).status).toBe(200);
    expect((await logIn(person)).status).toBe(200);
  });

  it("treats the case of an ASCII address as one account, and mails the address as typed", async () => {
    const typed = newPerson();
    const person = { ...typed, email: typed.email.replace("ada", "Ada").replace("mail.example", "Mail.Example") };
    await register(person);
    const mails = [...(await mailsTo(person.email)), ...(await mailsTo(typed.email, 0))];
    const token = /#token=([A-Za-z0-9._~-]+)/.exec(mails[0]?.text ?? "")?.[1];
    expect((await verify(token, person.password)).status).toBe(200);
    expect((await logIn(typed)).status).toBe(200);
    expect((await logIn({ ...person, email: person.email.toUpperCase() })).status).toBe(200);
  });

  it("refuses what is not one plain address, and mails nobody", async () => {
    const { email, password } = newPerson();
    const [name = ""] = email.split("@");
    const refused = [
      [email, "evil@mail.example"],
      { to: email },
      null,
      7,
      "",
      " ",
      name,
      `${email},evil@mail.example`,
      `${email}\r\nBcc: evil@mail.example`,
      ` ${email}`,
      `${email} `,
      `${email}\u0000`,
      `<${email}>`,
      `Ada <${email}>`,
      `${name}@`,
      "@mail.example",
      `${name}@@mail.example`,
      // IDNA mapping that changes more than ASCII case is refused, not repaired: U+212A KELVIN SIGN, U+3002 FULL STOP, U+017F LONG S
      `${name}@\u212Aelvin.example`,
      `${name}@mail\u3002example`,
      `${name}@\u017Fub.example`,
      // the local part is ASCII: U+0131 DOTLESS I, full-width letters
      `${name}\u0131@mail.example`,
      `\uFF41da@mail.example`,
      `${"a".repeat(400)}@mail.example`,
    ];
    for (const address of refused) {
      const answer = await post("/auth/register", { email: address, password });
      expect({ address, status: answer.status, code: answer.body.code }).toEqual({
        address,
        status: 400,
        code: "invalid_request",
      });
    }
    expect(await mailsTo(email, 0)).toEqual([]);
    expect(await mailsTo("evil@mail.example", 0)).toEqual([]);
  });
});

describe("verifying an address", () => {
  it("answers that it is verified, and nothing else: no token, no cookie", async () => {
    const person = newPerson();
    const answer = await verify(await registered(person), person.password);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ status: "verified" });
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  it("with a wrong password is an invalid link that stays good for the right one", async () => {
    const person = newPerson();
    const token = await registered(person);
    expectProblem(await verify(token, `${person.password}!`), 400, "invalid_link");
    expectProblem(await logIn(person), 401, "sign_in_failed");
    expect((await verify(token, person.password)).status).toBe(200);
  });

  it("works once", async () => {
    const person = newPerson();
    const token = await registered(person);
    expect((await verify(token, person.password)).status).toBe(200);
    expectProblem(await verify(token, person.password), 400, "invalid_link");
  });

  it("survives a link scanner: GET and HEAD use nothing up", async () => {
    const person = newPerson();
    const token = await registered(person);
    for (const method of ["GET", "HEAD"]) {
      for (const path of ["/verify-email", `/auth/email/verify?token=${token}`, "/auth/email/verify"]) {
        for (let i = 0; i < 2; i++) expect((await send(method, path)).body.status).not.toBe("verified");
      }
    }
    expect((await get("/auth/email/verify")).status).toBe(405);
    expectProblem(await logIn(person), 401, "sign_in_failed");
    expect((await verify(token, person.password)).status).toBe(200);
  });

  it("refuses a mangled token as an invalid link, without a hint which part was wrong", async () => {
    const person = newPerson();
    const token = await registered(person);
    const middle = Math.floor(token.length / 2);
    const flipped = token[middle] === "A" ? "B" : "A";
    const swapCase = (c: string) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase());
    const mangled = [
      token.slice(0, -1),
      token.slice(1),
      `${token}A`,
      `${token}=`,
      [...token].map(swapCase).join(""),
      token.slice(0, middle) + flipped + token.slice(middle + 1),
      "AAAA",
      "a.b.c",
    ];
    const answers = await Promise.all(mangled.map((one) => verify(one, person.password)));
    for (const answer of answers) expectProblem(answer, 400, "invalid_link");
    expect(new Set(answers.map((answer) => answer.body.title)).size).toBe(1);
    expect((await verify(token, person.password)).status).toBe(200);
  });

  it("lets the first link used win over every other link of the address", async () => {
    const [first, second] = [newPerson(), newPerson()].map((one, _, [head]) => ({
      ...one,
      email: head?.email ?? "",
    })) as [Person, Person];
    const older = await registered(first);
    await register(second);
    const [newer] = await verificationTokens(first.email, 2);
    expect((await verify(newer, second.password)).status).toBe(200);
    expectProblem(await verify(older, first.password), 400, "invalid_link");
    expectProblem(await logIn(first), 401, "sign_in_failed");
    expect((await logIn(second)).status).toBe(200);
  });

  it("gives an address registered by a stranger to its owner, never to the stranger's password", async () => {
    const attacker = newPerson();
    const victim = newPerson({ email: attacker.email });
    const strangersLink = await registered(attacker);
    // The victim clicks the stranger's link and types a password of her own: nothing is activated.
    expectProblem(await verify(strangersLink, victim.password), 400, "invalid_link");
    expectProblem(await logIn(attacker), 401, "sign_in_failed");
    await register(victim);
    const [ownLink] = await verificationTokens(victim.email, 2);
    expect(ownLink).not.toBe(strangersLink);
    expect((await verify(ownLink, victim.password)).status).toBe(200);
    expectProblem(await verify(strangersLink, attacker.password), 400, "invalid_link");
    expectProblem(await logIn(attacker), 401, "sign_in_failed");
    expect(text(await logIn(victim), "status")).toBe("authenticated");
  });

  it("makes one account when spellings of one address register and verify at the same time", async () => {
    const base = newPerson();
    const spellings = [base.email, base.email.replace("ada", "ADA"), base.email.replace("example", "EXAMPLE")];
    const people = spellings.map((email) => newPerson({ email }));
    await Promise.all(people.map(register));
    // Whether the mailbox tells spellings apart is its own affair: each person finds the link that fits by trying them all.
    const tokens = new Set((await Promise.all(spellings.map((email) => verificationTokens(email)))).flat());
    expect(tokens.size).toBeGreaterThanOrEqual(1);
    const tries = await Promise.all(
      [...tokens].flatMap((token) => people.map((person) => verify(token, person.password))),
    );
    expect(tries.filter((answer) => answer.status === 200).length).toBe(1);
    for (const answer of tries) if (answer.status !== 200) expectProblem(answer, 400, "invalid_link");
    const signIns = await Promise.all(people.map((person) => logIn(person)));
    expect(signIns.map((answer) => answer.status).sort()).toEqual([200, 401, 401]);
  });
});
