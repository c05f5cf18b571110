import { describe, expect, it } from "vitest";
import { expectProblem, logIn, newSource, ownPage, post, signedIn, verifiedPerson } from "../../support/client.ts";
import {
  changeLink,
  changePassword,
  expectAllEnded,
  expectDeadLink,
  expectPlain,
  freshAccess,
  linkIn,
  linkTokens,
  mailsWith,
  moved,
  otherPassword,
  otherPasswords,
  plainPerson,
  reset,
  resetByMail,
  resetLink,
  verifyEmail,
  withPassword,
} from "../../support/life-client.ts";
import { atOnce } from "../../support/passkey-client.ts";

const done = { status: "password_reset" };

describe.concurrent("a reset of an account without a factor", () => {
  it("sets the password, gives nothing, no token and no cookie, and is told to the owner", async () => {
    const person = await verifiedPerson();
    const answer = await reset(await resetLink(person), otherPassword, { headers: ownPage });
    expectPlain(answer, done);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expectProblem(await logIn(person), 401, "sign_in_failed");
    expect((await logIn(withPassword(person))).body.status).toBe("authenticated");
    const [notice] = await mailsWith(person.email, (mail) => linkIn(mail, "freeze") !== undefined);
    expect(`${notice?.subject} ${notice?.text}`).toMatch(/password/i);
    for (const words of [notice?.subject, notice?.text, notice?.html]) expect(words).not.toContain(otherPassword);
    expect(notice?.text).not.toContain("/reset-password#token=");
  });

  it("ends every session, of whoever", async () => {
    const person = await plainPerson();
    const others = [await signedIn(person), await signedIn({ ...person, source: newSource() })];
    await resetByMail(person);
    await expectAllEnded(person.session, ...others);
  });

  it("of twenty at once with different passwords happens once, and that password signs in", async () => {
    const person = await verifiedPerson();
    const token = await resetLink(person);
    const answers = await atOnce(20, (i) => reset(token, otherPasswords[i]));
    const winners = answers.flatMap(({ status }, i) => (status === 200 ? [i] : []));
    expect(winners).toHaveLength(1);
    for (const answer of answers) if (answer.status !== 200) expectDeadLink(answer);
    const won = winners[0] ?? 0;
    expect((await logIn(withPassword(person, otherPasswords[won]))).body.status).toBe("authenticated");
    for (const i of [1, 7, 19]) {
      const loser = withPassword(person, otherPasswords[(won + i) % 20]);
      expectProblem(await logIn({ ...loser, source: newSource() }), 401, "sign_in_failed");
    }
    expectProblem(await logIn(person), 401, "sign_in_failed");
  });

  it("with a weak password says why and leaves the link good", async () => {
    const person = await verifiedPerson();
    const token = await resetLink(person);
    for (const [weak, reason] of [
      ["too short", "too_short"],
      ["x".repeat(129), "too_long"],
      ["123456789012", "too_common"],
      [person.email, "contains_context"],
    ] as const) {
      const answer = await reset(token, weak);
      expectProblem(answer, 422, "weak_password");
      expect(answer.body.reason).toBe(reason);
      expect(answer.text).not.toContain(weak);
    }
    expectProblem(await reset(token, ["an array of", "passwords here"]), 400, "invalid_request");
    expect((await logIn(person)).body.status).toBe("authenticated");
    expectPlain(await reset(token), done);
  });
});

describe.concurrent("a reset link", () => {
  it("dies with a change of password", async () => {
    const person = await plainPerson();
    const token = await resetLink(person);
    expect((await changePassword(person.session.access, person)).status).toBe(200);
    expectDeadLink(await reset(token, otherPasswords[0]));
    expect((await logIn(withPassword(person))).body.status).toBe("authenticated");
  });

  it("dies with a change of email, and with its undo", async () => {
    const person = await plainPerson();
    const toOld = await resetLink(person);
    const { there } = await moved(person, person.session.access);
    const toNew = await resetLink(there);
    expectDeadLink(await reset(toOld));
    expect((await logIn(there)).body.status).toBe("authenticated");
    const [undo] = await linkTokens(person.email, "undo-email");
    expect((await post("/auth/email/undo", { token: undo })).status).toBe(200);
    expectDeadLink(await reset(toNew));
    expectDeadLink(await reset(toOld));
  });

  it("outlives a sign-in and a change of email that was only asked for", async () => {
    const person = await plainPerson();
    const token = await resetLink(person);
    const change = await changeLink(await freshAccess(person), `new-${person.email}`);
    expectPlain(await reset(token), done);
    // And the reset takes the thief's request with it.
    for (const password of [person.password, otherPassword]) expectDeadLink(await verifyEmail(change, password));
    expect((await logIn(withPassword(person))).body.status).toBe("authenticated");
  });
});
