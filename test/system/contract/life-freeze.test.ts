import { describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  distinguishable,
  expectProblem,
  logIn,
  newPerson,
  sessionOf,
  signedIn,
  text,
} from "../../support/client.ts";
import {
  cancelDeletion,
  changeEmail,
  changeLink,
  changePassword,
  deletionLink,
  expectAllEnded,
  expectDeadLink,
  expectPlain,
  freeAddress,
  freeze,
  freezeLink,
  freshAccess,
  linkCausedBy,
  linkTokens,
  mailsHaveLeft,
  otherPasswords,
  plainPerson,
  reset,
  resetByMail,
  resetChallenge,
  resetLink,
  startRecovery,
  verifyEmail,
  withEmail,
  withPassword,
} from "../../support/life-client.ts";
import { passkeyOwner } from "../../support/owner.ts";
import {
  addPasskey,
  answerByPasskey,
  signedInWithPasskey,
  signInByPasskey,
  syncedPasskey,
} from "../../support/passkey-client.ts";
import {
  addFactor,
  coveredPerson,
  recover,
  recoverySession,
  regenerate,
  removeFactor,
  spare,
  stepUp,
} from "../../support/recovery-client.ts";

const frozen = { status: "frozen" };

describe.concurrent("every notice carries a way to say that it was somebody else", () => {
  it("of factors, codes and the password", async () => {
    const owner = await passkeyOwner();
    const { access } = owner.session;
    const added = await linkTokens(owner.email, "freeze", 2);
    expect(added.length).toBeGreaterThanOrEqual(2);
    let app = "";
    for (const act of [
      async () => {
        app = (await addFactor(access)).id;
      },
      async () => expect((await addPasskey(access, syncedPasskey())).status).toBe(201),
      async () => expect((await removeFactor(access, app)).status).toBe(204),
      () => recoverySession(owner),
      async () => expect((await regenerate(access)).status).toBe(200),
      async () => expect((await changePassword(access, owner)).status).toBe(200),
    ]) {
      const before = await linkTokens(owner.email, "freeze", 0);
      await act();
      const after = await linkTokens(owner.email, "freeze", before.length + 1);
      expect(after.length, String(act)).toBeGreaterThan(before.length);
    }
    const all = await linkTokens(owner.email, "freeze", 0);
    expect(new Set(all).size).toBe(all.length);
  });

  it("of a change of email, at the old address and at the new", async () => {
    const person = await plainPerson();
    const there = withEmail(person, freeAddress());
    const early = await linkCausedBy(person.email, "freeze", () => changeEmail(person.session.access, there.email));
    const [token] = await linkTokens(there.email, "verify-email");
    expectPlain(await verifyEmail(token, person.password), { status: "verified" });
    expect(await linkTokens(there.email, "freeze", 1)).not.toEqual([]);
    expect(early).toMatch(/\S/);
  });
});

describe.concurrent("freezing an account", () => {
  it("ends all sessions and closes the password, which looks like no account at all", async () => {
    const person = await plainPerson();
    const token = await freezeLink(person, person.session.access);
    const after = withPassword(person);
    const thief = await signedIn(after);
    expectPlain(await freeze(token), frozen);
    await expectAllEnded(person.session, thief);
    const unknown = distinguishable(await logIn(newPerson()));
    for (const one of [person, after]) expect(distinguishable(await logIn(one))).toEqual(unknown);
    // A reset opens it again, and the thief's password is gone for good.
    expectPlain(await reset(await resetLink(person), otherPasswords[3]), { status: "password_reset" });
    expect((await logIn(withPassword(person, otherPasswords[3]))).body.status).toBe("authenticated");
    expectProblem(await logIn(after), 401, "sign_in_failed");
  });

  it("is undone by a reset with the factor, where there is one; open challenges are dead", async () => {
    const person = await coveredPerson();
    const token = await freezeLink(person, person.session.access);
    const after = withPassword(person);
    const other = sessionOf(await recover(await challenged(after), spare(person)));
    const door = await challenged(after);
    const raise = text(await stepUp(other.access), "challenge_token");
    const early = text(await reset(await resetLink(person)), "challenge_token");
    expectPlain(await freeze(token), frozen);
    await expectAllEnded(other);
    const code = await person.authenticator.next();
    for (const challenge of [door, raise, early]) {
      expectProblem(await answerChallenge(challenge, code), 401, "invalid_challenge");
    }
    const challenge = text(await reset(await resetLink(person), otherPasswords[4]), "challenge_token");
    expectProblem(await logIn(withPassword(person, otherPasswords[4])), 401, "sign_in_failed");
    expectPlain(await answerChallenge(challenge, code), { status: "password_reset" });
    expect((await logIn(withPassword(person, otherPasswords[4]))).body.status).toBe("challenge");
  });

  it("kills the links of before: freeze links, and what a thief asked for", async () => {
    const owner = await passkeyOwner();
    const [older] = await linkTokens(owner.email, "freeze", 1);
    const change = await changeLink(owner.session.access, freeAddress());
    const token = await linkCausedBy(owner.email, "freeze", () => changePassword(owner.session.access, owner));
    const toReset = await resetLink(owner);
    expectPlain(await freeze(token), frozen);
    expectDeadLink(await freeze(token));
    expectDeadLink(await freeze(older));
    expectDeadLink(await reset(toReset));
    const challenge = text(await reset(await resetLink(owner)), "challenge_token");
    expectPlain(await answerByPasskey(challenge, owner.passkey), { status: "password_reset" });
    expectDeadLink(await verifyEmail(change, withPassword(owner).password));
  });

  it("lets no passkey of those days sign in alone until it was used beside the new password", async () => {
    const owner = await passkeyOwner();
    const token = await freezeLink(owner, owner.session.access);
    const thiefs = syncedPasskey();
    const { access } = await signedInWithPasskey(withPassword(owner));
    expect((await addPasskey(access, thiefs)).status).toBe(201);
    expectPlain(await freeze(token), frozen);
    for (const passkey of [thiefs, owner.passkey]) expect((await signInByPasskey(passkey)).status).toBe(401);
    const code = await owner.authenticator.next();
    expectPlain(await answerChallenge(await resetChallenge(owner), code), { status: "password_reset" });
    for (const passkey of [thiefs, owner.passkey]) expect((await signInByPasskey(passkey)).status).toBe(401);
    expect((await signedInWithPasskey(withPassword(owner))).id).toMatch(/\S/);
    expect((await signInByPasskey(owner.passkey)).body.status).toBe("authenticated");
    expect((await signInByPasskey(thiefs)).status).toBe(401);
  });

  it("is not possible any more with a link from before a reset", async () => {
    const person = await plainPerson();
    const token = await freezeLink(person, person.session.access);
    const after = await resetByMail(withPassword(person));
    expectDeadLink(await freeze(token));
    expect((await logIn(after)).body.status).toBe("authenticated");
  });

  it("leaves the slow way back open to who knew the password, and reads the mailbox", async () => {
    const person = await coveredPerson();
    expectPlain(await freeze(await freezeLink(person, person.session.access)), frozen);
    expectPlain(await startRecovery(person), { status: "recovery_sent" }, 202);
    await mailsHaveLeft();
    expect(await linkTokens(person.email, "confirm-recovery", 0)).toEqual([]);
    expectPlain(await startRecovery(withPassword(person)), { status: "recovery_sent" }, 202);
    await mailsHaveLeft();
    expect(await linkTokens(person.email, "confirm-recovery", 1)).toHaveLength(1);
  });

  it("takes back the deletion that a thief asked for", async () => {
    const person = await plainPerson();
    const token = await freezeLink(person, person.session.access);
    const thief = withPassword(person);
    const cancel = await deletionLink(person, await freshAccess(thief));
    expectPlain(await freeze(token), frozen);
    expectDeadLink(await cancelDeletion(cancel));
    expectProblem(await logIn(thief), 401, "sign_in_failed");
    expectPlain(await reset(await resetLink(person), otherPasswords[5]), { status: "password_reset" });
    expect((await logIn(withPassword(person, otherPasswords[5]))).body.status).toBe("authenticated");
  });
});
