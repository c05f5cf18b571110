import { describe, expect, it } from "vitest";
import {
  answerChallenge,
  challenged,
  distinguishable,
  expectProblem,
  logIn,
  me,
  newPerson,
  sessionOf,
  signedIn,
  text,
} from "../../support/client.ts";
import {
  cancelDeletion,
  cancelRecovery,
  changeLink,
  changePassword,
  deletionLink,
  expectAllEnded,
  expectDeadLink,
  expectPlain,
  forgot,
  freeze,
  freshAccess,
  freshByPasskey,
  linkTokens,
  moved,
  otherPasswords,
  plainPerson,
  reset,
  resetByMail,
  resetChallenge,
  resetLink,
  undoEmail,
  waitingForRecovery,
  withPassword,
} from "../../support/life-client.ts";
import { type PasskeyOwner, passkeyOwner } from "../../support/owner.ts";
import {
  addPasskey,
  answerByPasskey,
  factorsOf,
  signedInWithPasskey,
  signInByPasskey,
  syncedPasskey,
} from "../../support/passkey-client.ts";
import {
  type AddedFactor,
  addFactor,
  codesOf,
  coveredPerson,
  recover,
  regenerate,
  removeFactor,
  spare,
  turnOff,
} from "../../support/recovery-client.ts";
import type { SoftwareAuthenticator } from "../../support/software-authenticator.ts";

const restored = { status: "email_restored" };
const done = { status: "password_reset" };

/** What a thief leaves who had everything for five minutes: another address, factors of his own, none of the owner's. */
interface Theft {
  owner: PasskeyOwner;
  undo: string;
  app: AddedFactor;
  passkey: SoftwareAuthenticator;
  codes: string[];
}

async function stolen(): Promise<Theft> {
  const owner = await passkeyOwner();
  const { undo } = await moved(owner, owner.session.access);
  const access = await freshByPasskey(owner);
  const [app, passkey] = [await addFactor(access), syncedPasskey()];
  expect((await addPasskey(access, passkey)).status).toBe(201);
  for (const id of [owner.factorId, owner.passkeyId]) expect((await removeFactor(access, id)).status).toBe(204);
  return { owner, undo, app, passkey, codes: codesOf(await regenerate(access)) };
}

describe.concurrent("taking a change of email back", () => {
  it("gives the old address back, ends all sessions, gives nothing, and no password opens until a reset", async () => {
    const person = await plainPerson();
    const { id } = (await me(person.session.access)).body;
    const { there, undo } = await moved(person, person.session.access);
    const thief = await signedIn(there);
    expectPlain(await undoEmail(undo), restored);
    await expectAllEnded(thief);
    const unknown = distinguishable(await logIn(newPerson()));
    for (const one of [person, there]) expect(distinguishable(await logIn(one))).toEqual(unknown);
    await forgot(there.email);
    const after = await resetByMail(person);
    const { access } = await signedIn(after);
    expect((await me(access)).body).toMatchObject({ id, email: person.email, email_verified: true });
    expect(await linkTokens(there.email, "reset-password", 0)).toEqual([]);
    // The way is free for another change.
    expect(await changeLink(access, there.email)).toMatch(/\S/);
  });

  it("kills the challenges that were open, and needs the factor for the reset", async () => {
    const owner = await passkeyOwner();
    const { there, undo } = await moved(owner, owner.session.access);
    const open = await challenged(there);
    expectPlain(await undoEmail(undo), restored);
    expectProblem(await answerChallenge(open, await owner.authenticator.next()), 401, "invalid_challenge");
    const challenge = text(await reset(await resetLink(owner)), "challenge_token");
    expectPlain(await answerByPasskey(challenge, owner.passkey), done);
    expect((await logIn(withPassword(owner))).body.status).toBe("challenge");
  });

  it("takes the thief's factors out of play and brings the owner's back", async () => {
    const { owner, undo, app, passkey, codes } = await stolen();
    expectPlain(await undoEmail(undo), restored);
    expect((await signInByPasskey(passkey)).status).toBe(401);
    const door = await reset(await resetLink(owner));
    expect(door.body.methods).toEqual(expect.arrayContaining(["passkey", "totp"]));
    const challenge = text(door, "challenge_token");
    expectProblem(await answerChallenge(challenge, await app.authenticator.next()), 401, "invalid_code");
    const foreign = { credential: passkey.credentials[0] as SoftwareAuthenticator["credentials"][number] };
    expectProblem(await answerByPasskey(challenge, owner.passkey, foreign), 401, "invalid_code");
    expectProblem(await recover(challenge, codes[0]), 401, "invalid_code");
    expectPlain(await answerByPasskey(challenge, owner.passkey), done);
    const code = await owner.authenticator.next();
    const { access } = sessionOf(await answerChallenge(await challenged(withPassword(owner)), code));
    // The codes of before are back too, and the thief's are no codes any more.
    expectProblem(await recover(await challenged(withPassword(owner)), codes[1]), 401, "invalid_code");
    expect((await recover(await challenged(withPassword(owner)), spare(owner))).body.status).toBe("authenticated");
    const listed = (await factorsOf(access)).map(({ id }) => id);
    expect(listed).toEqual(expect.arrayContaining([owner.factorId, owner.passkeyId]));
  });

  it("lets factors added since count again once an older one has been proven", async () => {
    const { owner, undo, app } = await stolen();
    expectPlain(await undoEmail(undo), restored);
    const challenge = text(await reset(await resetLink(owner)), "challenge_token");
    expectPlain(await answerByPasskey(challenge, owner.passkey), done);
    const after = withPassword(owner);
    expect((await answerByPasskey(await challenged(after), owner.passkey)).body.status).toBe("authenticated");
    const answer = await answerChallenge(await challenged(after), await app.authenticator.next());
    expect(answer.body.status, answer.text).toBe("authenticated");
  });

  it("brings the factors back that were turned off", async () => {
    const owner = await passkeyOwner();
    const { undo } = await moved(owner, owner.session.access);
    expect((await turnOff(await freshByPasskey(owner))).status).toBe(204);
    expectPlain(await undoEmail(undo), restored);
    const challenge = text(await reset(await resetLink(owner)), "challenge_token");
    expectPlain(await answerByPasskey(challenge, owner.passkey), done);
    const after = withPassword(owner);
    const answer = await answerChallenge(await challenged(after), await owner.authenticator.next());
    expect(answer.body.status, answer.text).toBe("authenticated");
  });

  it("removes the factors of an account that had none before", async () => {
    const person = await plainPerson();
    const { there, undo } = await moved(person, person.session.access);
    const passkey = syncedPasskey();
    expect((await addPasskey(await freshAccess(there), passkey)).status).toBe(201);
    expectPlain(await undoEmail(undo), restored);
    const after = await resetByMail(person);
    expect(await factorsOf((await signedIn(after)).access)).toEqual([]);
    expect((await signInByPasskey(passkey)).status).toBe(401);
  });

  it("cancels the deletion or the recovery that the thief asked for", async () => {
    const person = await plainPerson();
    const { there, undo } = await moved(person, person.session.access);
    const cancel = await deletionLink(there, await freshAccess(there));
    expectPlain(await undoEmail(undo), restored);
    expectDeadLink(await cancelDeletion(cancel));
    expect((await signedIn(await resetByMail(person))).id).toMatch(/\S/);
    const covered = await coveredPerson();
    const change = await moved(covered, covered.session.access);
    const recovery = await waitingForRecovery(change.there);
    expectPlain(await undoEmail(change.undo), restored);
    expectDeadLink(await cancelRecovery(recovery.cancel));
    expect((await reset(await resetLink(covered))).body.status).toBe("challenge");
  });

  it("is possible whatever is done at the new address meanwhile", async () => {
    const owner = await passkeyOwner();
    const { there, undo } = await moved(owner, owner.session.access);
    const [notice] = await linkTokens(there.email, "freeze", 1);
    expectPlain(await freeze(notice), { status: "frozen" });
    expectPlain(await answerByPasskey(await resetChallenge(there), owner.passkey), done);
    const thief = withPassword(there);
    const change = await changePassword((await signedInWithPasskey(thief)).access, thief, otherPasswords[5]);
    expect((await turnOff(text(change, "access_token"))).status).toBe(204);
    await deletionLink(there, await freshAccess(withPassword(there, otherPasswords[5])));
    expectPlain(await undoEmail(undo), restored);
    const challenge = text(await reset(await resetLink(owner), otherPasswords[6]), "challenge_token");
    expectPlain(await answerByPasskey(challenge, owner.passkey), done);
    expect((await logIn(withPassword(owner, otherPasswords[6]))).body.status).toBe("challenge");
  });
});
