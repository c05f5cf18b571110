import { describe, expect, it } from "vitest";
import {
  type Answer,
  distinguishable,
  expectProblem,
  issuer,
  mailsTo,
  newPerson,
  newSource,
  ordinaryLines,
  registered,
  sendRaw,
  verifiedPerson,
} from "../../support/client.ts";
import {
  deletionLink,
  expectDeadLink,
  expectPlain,
  forgot,
  freeze,
  freezeLink,
  linkTokens,
  mailsHaveLeft,
  mailsWith,
  plainPerson,
  reset,
  resetLink,
} from "../../support/life-client.ts";
import { coveredPerson } from "../../support/recovery-client.ts";

const resetsFor = (email: string, least = 0) => linkTokens(email, "reset-password", least);

describe.concurrent("asking for a new password", () => {
  it("is answered alike for every address, whatever has become of its account", async () => {
    const [known, covered, unverified, unknown] = [
      await verifiedPerson(),
      await coveredPerson(),
      newPerson(),
      newPerson(),
    ];
    await registered(unverified);
    const [frozen, leaving] = [await plainPerson(), await plainPerson()];
    await freeze(await freezeLink(frozen, frozen.session.access));
    await deletionLink(leaving, leaving.session.access);
    const answers: Answer[] = [];
    for (const { email } of [unknown, known, covered, unverified, frozen, leaving]) answers.push(await forgot(email));
    for (const answer of answers) {
      expectPlain(answer, { status: "reset_sent" }, 202);
      expect(distinguishable(answer)).toEqual(distinguishable(answers[0] as Answer));
    }
    for (const { email } of [known, covered, frozen]) expect(await resetsFor(email, 1)).toHaveLength(1);
    await mailsHaveLeft();
    expect(await resetsFor(unverified.email)).toEqual([]);
    expect(await mailsTo(unknown.email, 0)).toEqual([]);
  });

  it("mails a link of the issuer with the token in its fragment, to the address as it was registered", async () => {
    const person = await verifiedPerson();
    expect((await forgot(person.email.toUpperCase())).status).toBe(202);
    const [token] = await resetsFor(person.email, 1);
    const [mail] = await mailsWith(person.email, ({ text }) => text.includes("/reset-password"));
    expect(mail?.to).toBe(person.email);
    for (const words of [mail?.text, mail?.html]) {
      expect(words).toContain(`${issuer}/reset-password#token=${token}`);
      expect(words).not.toContain(person.password);
      // Every mention of the token stands behind a "#": no server and no Referer ever sees it.
      expect(words?.split(String(token)).slice(0, -1)).toSatisfy((parts: string[]) =>
        parts.every((part) => part.endsWith("#token=")),
      );
    }
    expect(mail?.subject).not.toContain(String(token));
  });

  it("refuses what is not one plain address, and mails nobody", async () => {
    const [{ email }, evil] = [await verifiedPerson(), await verifiedPerson()];
    const bodies: unknown[] = [
      { email: [email, evil.email] },
      { email: [email] },
      { email: { to: email } },
      { email: null },
      { email: `${email},${evil.email}` },
      { email: `${email};${evil.email}` },
      { email: `${email}\r\nBcc: ${evil.email}` },
      { email: `${email}\u0000` },
      { email: ` ${email}` },
      { email: `Ada <${email}>` },
      { email: email.replace("ada", "\u0131da") },
      { email: email.replace("example", "e\uFF58ample") },
      { email, cc: evil.email },
      { email, token: "a.b.c" },
      [email],
      {},
      `{"email":"${email}","email":"${evil.email}"}`,
    ];
    for (const body of bodies) {
      const raw = typeof body === "string" ? body : JSON.stringify(body);
      const lines = [
        ...ordinaryLines(),
        ["Content-Type", "application/json"],
        ["Content-Length", `${Buffer.byteLength(raw)}`],
      ] as [string, string][];
      const answer = await sendRaw("POST", "/auth/password/forgot", lines, [raw]);
      expect({ raw, status: answer.status, code: answer.body.code }).toMatchObject({ raw, status: 400 });
      expectProblem(answer, 400, "invalid_request");
    }
    await mailsHaveLeft();
    for (const address of [email, evil.email]) expect(await resetsFor(address)).toEqual([]);
  });

  it("puts nothing into the link that the request claims about the host", async () => {
    const person = await verifiedPerson();
    const call = {
      headers: {
        "x-forwarded-host": "evil.example",
        forwarded: "host=evil.example;proto=https",
        "x-original-url": "https://evil.example/",
        "x-forwarded-proto": "https",
        "x-host": "evil.example",
        referer: "https://evil.example/",
      },
    };
    expectPlain(await forgot(person.email, call), { status: "reset_sent" }, 202);
    await resetsFor(person.email, 1);
    const body = JSON.stringify({ email: person.email });
    const rest = [
      ["CF-Connecting-IP", newSource()],
      ["Connection", "close"],
      ["Content-Type", "application/json"],
      ["Content-Length", `${body.length}`],
    ] as [string, string][];
    const misdirected = await sendRaw("POST", "/auth/password/forgot", [["Host", "evil.example"], ...rest], [body]);
    expectProblem(misdirected, 421, "misdirected_request");
    await mailsHaveLeft();
    const mails = await mailsTo(person.email);
    expect(await resetsFor(person.email)).toHaveLength(1);
    for (const { text, html } of mails) expect(text + html).not.toContain("evil.example");
  });

  it("brings at most three mails an hour, whoever asks, and always the same answer", async () => {
    const person = await verifiedPerson();
    const answers: Answer[] = [];
    for (let i = 0; i < 6; i++) answers.push(await forgot(i % 2 === 0 ? person.email : person.email.toUpperCase()));
    expect(new Set(answers.map((answer) => JSON.stringify(distinguishable(answer)))).size).toBe(1);
    await resetsFor(person.email, 3);
    await mailsHaveLeft();
    const tokens = await resetsFor(person.email);
    expect(tokens).toHaveLength(3);
    // Whoever asks too often takes no link away: the newest that was mailed still works.
    expectPlain(await reset(tokens[0]), { status: "password_reset" });
  });

  it("brings at most three mails though ten ask at once", async () => {
    const person = await verifiedPerson();
    const answers = await Promise.all(Array.from({ length: 10 }, () => forgot(person.email)));
    for (const answer of answers) expectPlain(answer, { status: "reset_sent" }, 202);
    await resetsFor(person.email, 3);
    await mailsHaveLeft();
    const tokens = await resetsFor(person.email);
    expect(tokens).toHaveLength(3);
    const tries = [];
    for (const token of tokens) tries.push((await reset(token)).status);
    expect(tries.filter((status) => status === 200)).toHaveLength(1);
  });

  it("brings ten mails an hour to one source, then none, and says nothing of it", async () => {
    const source = newSource();
    const people = await Promise.all(Array.from({ length: 11 }, () => verifiedPerson()));
    const answers: Answer[] = [];
    for (const { email } of people) answers.push(await forgot(email, { source }));
    expect(new Set(answers.map((answer) => JSON.stringify(distinguishable(answer)))).size).toBe(1);
    for (const { email } of people.slice(0, 10)) expect(await resetsFor(email, 1)).toHaveLength(1);
    await mailsHaveLeft();
    const last = people[10]?.email ?? "";
    expect(await resetsFor(last)).toEqual([]);
    expect((await forgot(last)).status).toBe(202);
    expect(await resetsFor(last, 1)).toHaveLength(1);
  });

  it("makes the newest link the only one that works", async () => {
    const person = await verifiedPerson();
    const [older, newer] = [await resetLink(person), await resetLink(person)];
    expectDeadLink(await reset(older));
    expectPlain(await reset(newer), { status: "password_reset" });
    expectDeadLink(await reset(older));
  });
});
