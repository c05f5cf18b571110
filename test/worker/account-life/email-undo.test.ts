import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { emailKey } from "../../../src/directory/email-key.ts";
import { sealLink } from "../../../src/tokens/one-time-link.ts";
import {
  addAuthenticator,
  answer,
  call,
  challengeOf,
  type GuardedPerson,
  logIn,
  newGuardedPerson,
  newPerson,
  type Person,
  recover,
  ring,
} from "../../support/in-worker.ts";
import { changeGuard, guardOf } from "../support/account.ts";
import {
  askEmailChange,
  deletionLink,
  freshBearer,
  linksTo,
  linkTo,
  move,
  NEW_PASSWORD,
  reset,
  resetLink,
  settledVersion,
  signInNow,
  subjectsTo,
  undoEmail,
  userOf,
  verifyEmail,
} from "../support/account-life.ts";
import { DAY, pass, SECOND, useMovedClock } from "../support/moved-clock.ts";
import { runMinute } from "../support/operations.ts";
import { addPasskey, newArmedPerson, newPasskeyPerson, signInByPasskey, syncedPasskey } from "../support/passkeys.ts";

useMovedClock();

/** Whether somebody who reads the mails to an address can get an account with it. */
async function canRegister(email: string): Promise<boolean> {
  const asked = await call("/auth/register", { email, password: NEW_PASSWORD });
  expect(asked.text).toBe('{"status":"verification_sent"}');
  const [link] = linksTo(email, "verify-email");
  return link !== undefined && (await verifyEmail(link, NEW_PASSWORD)).status === 200;
}

const ownersOf = ({ id }: Person) =>
  env.DB.prepare("SELECT COUNT(*) AS n FROM passkey_owners WHERE user_id = ?").bind(id).first("n");

/** Sets a new password by mail, where no factor is asked for. */
async function afterReset(person: Person): Promise<Person> {
  expect((await reset(await resetLink(person))).body.status).toBe("password_reset");
  return { ...person, password: NEW_PASSWORD };
}

/** Takes a change back and sets a new password. */
async function takeBack(person: Person, undo: string): Promise<Person> {
  expect((await undoEmail(undo)).text).toBe('{"status":"email_restored"}');
  return afterReset(person);
}

describe("while a change of address can be taken back", () => {
  it("nobody else gets the old address, by registering or by moving there", async () => {
    const person = await newPerson();
    const { there } = await move(person);
    pass(3 * DAY - SECOND);
    expect(await canRegister(person.email)).toBe(false);
    const mailed = linksTo(person.email, "verify-email").length;
    const other = await newPerson();
    expect((await askEmailChange(await freshBearer(other), person.email)).status).toBe(202);
    expect(linksTo(person.email, "verify-email")).toHaveLength(mailed);
    expect((await signInNow(there)).status).toBe(200);
  });

  it("a link to it that was mailed before does not take it either", async () => {
    const person = await newPerson();
    const other = await newPerson();
    const id = crypto.randomUUID();
    await changeGuard(other, ({ life }) => {
      life.emailChange = { id, expiresAt: Date.now() + DAY };
    });
    const payload = { accountId: other.id, id, email: person.email };
    const early = await sealLink(await ring(), "change_email", payload, Date.now() + DAY);
    await move(person);
    expect((await verifyEmail(early, other.password)).body.code).toBe("invalid_link");
    // Nor if it was kept a moment after the first look.
    const prepare = (query: string) =>
      env.DB.prepare(query.replace(/^SELECT 1 FROM users.*/, "SELECT 1 WHERE ?1 = ?2"));
    const DB = { prepare, batch: (all: D1PreparedStatement[]) => env.DB.batch(all) };
    const late = await verifyEmail(early, other.password, { bindings: { ...env, DB } });
    expect(late.body.code).toBe("invalid_link");
    expect(await userOf(other)).toMatchObject({ email: other.email });
    expect((await logIn(other)).status).toBe(200);
  });

  it("no second change is possible", async () => {
    const person = await newPerson();
    const { there } = await move(person);
    const refused = await askEmailChange(await freshBearer(there), `further.${person.email}`);
    expect([refused.status, refused.body.code]).toEqual([409, "conflict"]);
    expect(subjectsTo(`further.${person.email}`)).toEqual([]);
  });

  it("the password that counts there does not count here, and the account tells of its new address", async () => {
    const person = await newGuardedPerson();
    const { there } = await move(person);
    expect((await logIn(person)).body.code).toBe("sign_in_failed");
    const { body } = await signInNow(there);
    const me = await call("/auth/me", undefined, { bearer: body.access_token });
    expect(me.body).toMatchObject({ id: person.id, email: there.email, email_verified: true });
  });
});

describe("once it cannot be taken back any more", () => {
  it("the old address is free, and the next change is possible", async () => {
    const person = await newPerson();
    const { there, undo } = await move(person);
    pass(3 * DAY);
    expect((await undoEmail(undo)).body.code).toBe("invalid_link");
    expect(await canRegister(person.email)).toBe(true);
    await runMinute();
    const next = await askEmailChange(await freshBearer(there), `further.${person.email}`);
    expect(next.status).toBe(202);
  });

  it("what was kept for the old owner is gone", async () => {
    const person = await newArmedPerson();
    const { there } = await move(person);
    const { body } = await signInNow(there);
    const list = await call("/auth/2fa", undefined, { bearer: body.access_token });
    const passkey = (list.body.factors as { id: string; kind: string }[]).find(({ kind }) => kind === "passkey");
    const path = `/auth/2fa/factors/${passkey?.id}`;
    expect((await call(path, undefined, { method: "DELETE", bearer: body.access_token })).status).toBe(204);
    expect((await guardOf(person)).life.undo?.removed).toHaveLength(1);
    expect(await ownersOf(person)).toBe(1);
    pass(3 * DAY);
    await runMinute();
    expect((await guardOf(person)).life).toEqual({});
    expect(await ownersOf(person)).toBe(0);
    // Another account may have it now.
    const other = await newPerson();
    await addPasskey(await freshBearer(other), person.key);
    expect(await ownersOf(other)).toBe(1);
    const left = await env.DB.prepare("SELECT COUNT(*) AS n FROM appointments WHERE user_id = ?")
      .bind(person.id)
      .first("n");
    expect(left).toBe(0);
  });
});

describe("a change of address that is taken back", () => {
  it("gives the address back, has no password until a reset, and frees the new address", async () => {
    const person = await newPerson();
    const { there, undo } = await move(person);
    expect((await undoEmail(undo)).status).toBe(200);
    for (const who of [person, there]) expect((await logIn(who)).body.code).toBe("sign_in_failed");
    expect((await logIn(await afterReset(person))).status).toBe(200);
    expect(await canRegister(there.email)).toBe(true);
    expect(await settledVersion(person)).toBe(4);
    const reserved = env.DB.prepare("SELECT COUNT(*) AS n FROM reserved_emails WHERE email_key = ?");
    expect(await reserved.bind(emailKey(person.email)).first("n")).toBe(0);
  });

  it("stops a deletion that was asked for since", async () => {
    const person = await newPerson();
    const { there, undo } = await move(person);
    const keep = await deletionLink(there);
    await takeBack(person, undo);
    pass(3 * DAY - SECOND);
    expect((await call("/auth/deletion/cancel", { token: keep })).body.code).toBe("invalid_link");
    pass(SECOND);
    await runMinute();
    expect((await logIn({ ...person, password: NEW_PASSWORD })).status).toBe(200);
  });

  it("brings back the factors that were removed since, with what they had spent", async () => {
    const person = await newGuardedPerson();
    const { there, undo } = await move(person);
    const [used, unused] = person.recoveryCodes;
    expect((await recover(await challengeOf(there), used)).body.status).toBe("authenticated");
    const { body } = await signInNow(there);
    const spent = person.codeNow();
    expect((await call("/auth/2fa/turn-off", {}, { bearer: body.access_token })).status).toBe(204);
    expect((await logIn(there)).body.status).toBe("authenticated");

    expect((await undoEmail(undo)).status).toBe(200);
    const challenge = async () => (await reset(await resetLink(person))).body.challenge_token;
    const asked = await challenge();
    expect((await answer(asked, spent)).body.code).toBe("invalid_code");
    expect((await recover(asked, used)).body.code).toBe("invalid_code");
    expect((await recover(asked, unused)).body.status).toBe("password_reset");
    const back = await signInNow({ ...person, password: NEW_PASSWORD } as GuardedPerson);
    expect(back.body.status).toBe("authenticated");
  });

  it("lets nobody in by a factor that was added since", async () => {
    const person = await newGuardedPerson();
    pass(SECOND);
    const { there, undo } = await move(person);
    const { body } = await signInNow(there);
    const thief = syncedPasskey();
    await addPasskey(body.access_token, thief);
    expect((await signInByPasskey(thief)).status).toBe(200);
    expect((await undoEmail(undo)).status).toBe(200);
    expect((await signInByPasskey(thief)).status).toBe(401);
    const asked = await reset(await resetLink(person));
    expect(asked.body.methods).toEqual(["totp", "recovery_code"]);
  });

  it("takes factors away that were added to an account without any, so that its owner gets in", async () => {
    const person = await newPerson();
    const { there, undo } = await move(person);
    const session = (await logIn(there)).body;
    await addPasskey(session.access_token, syncedPasskey());
    expect(await ownersOf(person)).toBe(1);
    const back = await takeBack(person, undo);
    expect((await logIn(back)).body.status).toBe("authenticated");
    expect(await ownersOf(person)).toBe(0);
  });

  it("brings no codes of a thief's set", async () => {
    const person = await newPerson();
    const { there, undo } = await move(person);
    const { recoveryCodes } = await addAuthenticator((await logIn(there)).body.access_token);
    const back = await takeBack(person, undo);
    expect((await logIn(back)).body.status).toBe("authenticated");
    expect((await guardOf(person)).recoveryCodes.digests).toEqual([]);
    expect(recoveryCodes).toHaveLength(10);
  });

  it("keeps closed what a freeze has closed", async () => {
    const person = await newPasskeyPerson();
    pass(DAY);
    const thief = syncedPasskey();
    const { body } = await signInByPasskey(person.key);
    await addPasskey(body.access_token, thief);
    const notice = linkTo(person.email, "freeze");
    pass(SECOND);
    const { undo } = await move(
      person,
      signInByPasskey(thief).then((signedIn) => signedIn.body.access_token),
    );
    expect((await call("/auth/freeze", { token: notice })).status).toBe(200);
    expect((await signInByPasskey(thief)).status).toBe(401);
    // The account had moved on from the mailbox that was asked for help: the freeze has taken the address back as well.
    expect((await userOf(person))?.email).toBe(person.email);
    expect((await undoEmail(undo)).status).toBe(400);
  });
});
