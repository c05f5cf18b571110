import { describe, expect, it } from "vitest";
import {
  challenged,
  distinguishable,
  enrol,
  expectProblem,
  get,
  logIn,
  me,
  newPerson,
  post,
  send,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  cancelDeletion,
  changeLink,
  deleteAccount,
  deletionLink,
  expectAllEnded,
  expectDeadLink,
  expectPlain,
  freeAddress,
  freshAccess,
  linkTokens,
  mailsHaveLeft,
  plainPerson,
  reset,
  resetLink,
  verifyEmail,
} from "../../support/life-client.ts";
import { passkeyOwner } from "../../support/owner.ts";
import { atOnce, factorsOf, signInByPasskey } from "../../support/passkey-client.ts";
import {
  coveredPerson,
  expectInsufficient,
  recover,
  recoverySession,
  spare,
  steppedUpByPassword,
} from "../../support/recovery-client.ts";

const HOUR = 3_600_000;

describe.concurrent("deleting an account", () => {
  it("ends its sessions at once and names the end, three days from now", async () => {
    const person = await plainPerson();
    const other = await signedIn(person);
    const answer = await deleteAccount(person.session.access);
    const at = text(answer, "deletes_at");
    expectPlain(answer, { status: "deletion_scheduled", deletes_at: at }, 202);
    expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    expect(Math.abs(Date.parse(at) - Date.now() - 72 * HOUR)).toBeLessThan(HOUR);
    await expectAllEnded(person.session, other);
    expect(await linkTokens(person.email, "cancel-deletion", 1)).toHaveLength(1);
  });

  it("closes every door, and each looks as if nobody lived there", async () => {
    const owner = await passkeyOwner();
    const open = await challenged(owner);
    await deletionLink(owner, owner.session.access);
    expect(distinguishable(await logIn(owner))).toEqual(distinguishable(await logIn(newPerson())));
    expectProblem(await recover(open, spare(owner)), 401, "invalid_challenge");
    expect((await signInByPasskey(owner.passkey)).status).toBe(401);
  });

  it("needs fresh proof by a normal factor where there is one", async () => {
    const person = await coveredPerson();
    const recovery = await recoverySession(person);
    for (const access of [person.early, recovery.access, await steppedUpByPassword(recovery.access, person)]) {
      expectInsufficient(await deleteAccount(access));
    }
    expectProblem(await deleteAccount("a.b.c"), 401, "invalid_token");
    expect((await me(person.session.access)).status).toBe(200);
    expect((await logIn(person)).body.status).toBe("challenge");
  });

  it("kills links that would bring it to life another way", async () => {
    const person = await plainPerson();
    const toReset = await resetLink(person);
    const change = await changeLink(person.session.access, freeAddress());
    await deletionLink(person, person.session.access);
    expectDeadLink(await reset(toReset));
    expectDeadLink(await verifyEmail(change, person.password));
    expectProblem(await logIn(person), 401, "sign_in_failed");
  });

  it("keeps the address until then, and tells nobody who registers with it", async () => {
    const person = await plainPerson();
    await deletionLink(person, person.session.access);
    const [squatter, fresh] = [newPerson({ email: person.email }), newPerson()];
    const answers = [];
    for (const { email, password } of [squatter, fresh])
      answers.push(await post("/auth/register", { email, password }));
    const [answer, usual] = answers.map(distinguishable);
    expect(answer).toEqual(usual);
    await mailsHaveLeft();
    for (const token of await linkTokens(person.email, "verify-email", 0)) {
      expectDeadLink(await verifyEmail(token, squatter.password));
    }
    expectProblem(await logIn(squatter), 401, "sign_in_failed");
  });

  it("happens once, though a page asks twenty times", async () => {
    const person = await plainPerson();
    const answers = await atOnce(20, () => deleteAccount(person.session.access));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    for (const answer of answers) if (answer.status !== 202) expectProblem(answer, 401, "invalid_token");
    await mailsHaveLeft();
    expect(await linkTokens(person.email, "cancel-deletion")).toHaveLength(1);
  });
});

describe.concurrent("taking a deletion back", () => {
  it("gives the account back as it was, and nothing else: whoever clicks signs in anew", async () => {
    const person = await coveredPerson();
    const { id } = (await me(person.session.access)).body;
    const token = await deletionLink(person, person.session.access);
    expectPlain(await cancelDeletion(token), { status: "deletion_cancelled" });
    await expectAllEnded(person.session);
    const answer = await recover(await challenged(person), spare(person));
    const access = text(answer, "access_token");
    expect((await me(access)).body).toMatchObject({ id, email: person.email });
    expect((await factorsOf(access)).map((factor) => factor.id)).toEqual([person.factorId]);
  });

  it("takes back the one deletion it was mailed for", async () => {
    const person = await plainPerson();
    const older = await deletionLink(person, person.session.access);
    expectPlain(await cancelDeletion(older), { status: "deletion_cancelled" });
    const newer = await deletionLink(person, await freshAccess(person));
    expectDeadLink(await cancelDeletion(older));
    expectProblem(await logIn(person), 401, "sign_in_failed");
    expectPlain(await cancelDeletion(newer), { status: "deletion_cancelled" });
    expect((await logIn(person)).body.status).toBe("authenticated");
  });
});

describe.concurrent("an export", () => {
  const exported = (bearer: string) => get("/auth/export", { bearer });

  it("holds what is stored about the account, and no secret", async () => {
    const owner = await passkeyOwner();
    const { access, id: sid } = owner.session;
    const enrolment = await enrol(access);
    const answer = await exported(access);
    expect(answer.status, answer.text).toBe(200);
    const { id } = (await me(access)).body;
    expect(answer.body).toMatchObject({
      account: { id, email: owner.email, email_verified: true, status: "active", roles: [] },
      factors: await factorsOf(access),
      recovery_codes_remaining: 10,
      browsers: expect.any(Array),
    });
    const { created_at } = answer.body.account as { created_at: string };
    expect(Math.abs(Date.parse(created_at) - Date.now())).toBeLessThan(600_000);
    expect(answer.body.sessions).toEqual([expect.objectContaining({ id: sid })]);
    expect(answer.headers.get("cache-control")).toMatch(/no-store/);
    for (const secret of [
      owner.password,
      access,
      owner.session.refresh,
      text(enrolment, "secret"),
      ...owner.codes,
      ...owner.codes.map((code) => code.replaceAll("-", "")),
    ]) {
      expect(answer.text).not.toContain(secret);
    }
    expect(answer.text).not.toMatch(/argon2|"rt_|otpauth|password_hash|public_key|sealed|digest|pepper/i);
  });

  it("needs fresh proof by a normal factor where there is one", async () => {
    const person = await coveredPerson();
    const recovery = await recoverySession(person);
    for (const access of [person.early, recovery.access]) expectInsufficient(await exported(access));
    for (const access of ["a.b.c", person.session.refresh]) {
      expectProblem(await exported(access), 401, "invalid_token");
    }
    expectProblem(await send("GET", "/auth/export"), 401, "invalid_token");
    expect((await exported(await freshAccess(await verifiedPerson()))).status).toBe(200);
  });
});
