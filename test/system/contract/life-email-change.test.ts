import { describe, expect, it } from "vitest";
import {
  challenged,
  distinguishable,
  expectProblem,
  issuer,
  logIn,
  mailsTo,
  me,
  newPerson,
  post,
  refreshed,
  signedIn,
  text,
  verifiedPerson,
} from "../../support/client.ts";
import {
  changeEmail,
  changeLink,
  expectAllEnded,
  expectDeadLink,
  expectPlain,
  freeAddress,
  freshAccess,
  linkIn,
  linkTokens,
  mailsHaveLeft,
  mailsWith,
  moved,
  plainPerson,
  verifyEmail,
  withEmail,
} from "../../support/life-client.ts";
import {
  coveredPerson,
  expectInsufficient,
  recover,
  recoverySession,
  spare,
  steppedUpByPassword,
  stepUp,
} from "../../support/recovery-client.ts";

const sent = { status: "verification_sent" };

describe.concurrent("asking for another address", () => {
  it("tells both at once, the old one with a way to stop it, and changes nothing yet", async () => {
    const person = await plainPerson();
    const address = freeAddress();
    const warnings = (await linkTokens(person.email, "freeze", 0)).length;
    expectPlain(await changeEmail(person.session.access, address), sent, 202);
    const [invitation] = await mailsWith(address, (mail) => linkIn(mail, "verify-email") !== undefined);
    expect(invitation?.to).toBe(address);
    const token = linkIn(invitation ?? expect.fail("no link was mailed"), "verify-email");
    expect(invitation?.html).toContain(`${issuer}/verify-email#token=${token}`);
    const [warning] = await mailsWith(person.email, (mail) => linkIn(mail, "freeze") !== undefined, warnings + 1);
    expect(`${warning?.subject} ${warning?.text}`).toMatch(/address|e-?mail/i);
    for (const { text, html } of await mailsTo(person.email)) expect(text + html).not.toContain(String(token));
    expect((await me(person.session.access)).body).toMatchObject({ email: person.email, email_verified: true });
    expect((await refreshed(person.session.refresh)).status).toBe(200);
    expect((await logIn(person)).body.status).toBe("authenticated");
    expectProblem(await logIn(withEmail(person, address)), 401, "sign_in_failed");
  });

  it("that has an account looks the same, and that one is told and nothing happens", async () => {
    const [person, taken] = [await plainPerson(), await verifiedPerson()];
    const other = await plainPerson();
    const before = (await mailsTo(taken.email)).length;
    const known = await changeEmail(person.session.access, taken.email);
    const unknown = await changeEmail(other.session.access, freeAddress());
    expectPlain(known, sent, 202);
    expect(distinguishable(known)).toEqual(distinguishable(unknown));
    const mails = await mailsTo(taken.email, before + 1);
    expect(mails.length).toBeGreaterThan(before);
    // Its own registration was the last link to it.
    expect(await linkTokens(taken.email, "verify-email", 0)).toHaveLength(1);
    expect(mails[0]?.text).not.toContain(person.email);
    expect((await me(person.session.access)).body.email).toBe(person.email);
    for (const one of [person, taken]) expect((await logIn(one)).body.status).toBe("authenticated");
  });

  it("needs fresh proof by a normal factor where there is one, and mails nobody until then", async () => {
    const person = await coveredPerson();
    const recovery = await recoverySession(person);
    const address = freeAddress();
    for (const access of [person.early, recovery.access, await steppedUpByPassword(recovery.access, person)]) {
      expectInsufficient(await changeEmail(access, address));
    }
    for (const access of ["a.b.c", person.session.refresh, await challenged(person)]) {
      expectProblem(await changeEmail(access, address), 401, "invalid_token");
    }
    await mailsHaveLeft();
    expect(await mailsTo(address, 0)).toEqual([]);
  });

  it("takes one plain address and nothing else", async () => {
    const { session } = await plainPerson();
    const [address, evil] = [freeAddress(), freeAddress()];
    for (const body of [
      { new_email: [address, evil] },
      { new_email: { to: address } },
      { new_email: `${address},${evil}` },
      { new_email: `${address}\r\nBcc: ${evil}` },
      { new_email: `${address} ` },
      { new_email: address.replace("mail.example", "\u212Aelvin.example") },
      { new_email: address, id: "00000000-0000-4000-8000-000000000000" },
      { new_email: address, email_verified: true },
      { email: address },
      {},
    ]) {
      expectProblem(await post("/auth/email/change", body, { bearer: session.access }), 400, "invalid_request");
    }
    await mailsHaveLeft();
    for (const one of [address, evil]) expect(await mailsTo(one, 0)).toEqual([]);
  });
});

describe.concurrent("confirming another address", () => {
  it("moves the account, ends its sessions, gives nothing, and tells both addresses", async () => {
    const person = await plainPerson();
    const other = await signedIn(person);
    const { id } = (await me(person.session.access)).body;
    const there = withEmail(person, freeAddress());
    const token = await changeLink(person.session.access, there.email);
    const before = (await mailsTo(there.email)).length;
    expectPlain(await verifyEmail(token, person.password), { status: "verified" });
    await expectAllEnded(person.session, other);
    expectProblem(await logIn(person), 401, "sign_in_failed");
    const access = await freshAccess(there);
    expect((await me(access)).body).toMatchObject({ id, email: there.email, email_verified: true });
    expect(await linkTokens(person.email, "undo-email", 1)).toHaveLength(1);
    expect((await mailsTo(there.email, before + 1)).length).toBeGreaterThan(before);
    // Whoever has taken the new address over must not be able to take the change back.
    expect(await linkTokens(there.email, "undo-email", 0)).toEqual([]);
  });

  it("needs the account's password: a wrong one is an invalid link that stays good", async () => {
    const person = await plainPerson();
    const there = withEmail(person, freeAddress());
    const token = await changeLink(person.session.access, there.email);
    for (const password of ["not the password", ""]) {
      const answer = await verifyEmail(token, password);
      expect(answer.status, answer.text).toBe(400);
    }
    expect((await me(person.session.access)).body.email).toBe(person.email);
    expectPlain(await verifyEmail(token, person.password), { status: "verified" });
    expect((await logIn(there)).body.status).toBe("authenticated");
  });

  it("works with the newest request alone", async () => {
    const person = await plainPerson();
    const [first, second] = [withEmail(person, freeAddress()), withEmail(person, freeAddress())];
    const older = await changeLink(person.session.access, first.email);
    const newer = await changeLink(person.session.access, second.email);
    expectDeadLink(await verifyEmail(older, person.password));
    expectPlain(await verifyEmail(newer, person.password), { status: "verified" });
    expectDeadLink(await verifyEmail(older, person.password));
    expect((await logIn(second)).body.status).toBe("authenticated");
    expectProblem(await logIn(first), 401, "sign_in_failed");
  });

  it("comes too late when somebody has registered the address meanwhile", async () => {
    const person = await plainPerson();
    const owner = newPerson();
    const token = await changeLink(person.session.access, owner.email);
    await post("/auth/register", { email: owner.email, password: owner.password });
    const [link] = await linkTokens(owner.email, "verify-email", 2);
    expectPlain(await verifyEmail(link, owner.password), { status: "verified" });
    expectDeadLink(await verifyEmail(token, person.password));
    for (const one of [person, owner]) expect((await logIn(one)).body.status).toBe("authenticated");
  });

  it("gives an address that two accounts ask for to the one that confirms first", async () => {
    const [ada, eve] = [await plainPerson(), await plainPerson()];
    const address = freeAddress();
    const links = [
      await changeLink(ada.session.access, address),
      await changeLink(eve.session.access, address),
    ] as const;
    const answers = await Promise.all([verifyEmail(links[0], ada.password), verifyEmail(links[1], eve.password)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
    const [winner, loser] = answers[0].status === 200 ? [ada, eve] : [eve, ada];
    expect((await me((await signedIn(withEmail(winner, address))).access)).body.email).toBe(address);
    // Whoever loses in the same moment may have been signed out, and signs in as before.
    expect((await me((await signedIn(loser)).access)).body.email).toBe(loser.email);
  });

  it("never gets round the factor, and kills the challenges that were open", async () => {
    const person = await coveredPerson();
    const other = await recoverySession(person);
    const open = [await challenged(person), text(await stepUp(person.session.access), "challenge_token")];
    const there = withEmail(person, freeAddress());
    const token = await changeLink(person.session.access, there.email);
    expectPlain(await verifyEmail(token, person.password), { status: "verified" });
    await expectAllEnded(person.session, other);
    for (const challenge of open) expectProblem(await recover(challenge, spare(person)), 401, "invalid_challenge");
    expect((await logIn(there)).body.status).toBe("challenge");
  });

  it("keeps the old address from everybody else while the change can be undone, and says so to nobody", async () => {
    const person = await plainPerson();
    const { there, undo } = await moved(person, person.session.access);
    const squatter = newPerson({ email: person.email });
    const other = await plainPerson();
    const answer = await post("/auth/register", { email: squatter.email, password: squatter.password });
    const fresh = newPerson();
    const usual = await post("/auth/register", { email: fresh.email, password: fresh.password });
    expect(distinguishable(answer)).toEqual(distinguishable(usual));
    expectPlain(await changeEmail(other.session.access, person.email), sent, 202);
    await mailsHaveLeft();
    for (const token of await linkTokens(person.email, "verify-email", 0)) {
      for (const { password } of [squatter, other]) expectDeadLink(await verifyEmail(token, password));
    }
    expectProblem(await logIn(squatter), 401, "sign_in_failed");
    // Nor is a second change possible meanwhile, not even back.
    const access = await freshAccess(there);
    for (const address of [freeAddress(), person.email]) {
      expectProblem(await changeEmail(access, address), 409, "conflict");
    }
    expectPlain(await post("/auth/email/undo", { token: undo }), { status: "email_restored" });
  });
});
