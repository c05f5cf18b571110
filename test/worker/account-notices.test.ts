import { expect, it } from "vitest";
import { call, logIn, newGuardedPerson, newPerson, PASSWORD, type Person } from "../support/in-worker.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";
import { expectNotice, mailsBy, mailsOf } from "./support/notices.ts";

useMovedClock();

const HOME = { source: "203.0.113.7" };
const NEXT = "another ordinary long password";

async function signedIn(person: Person): Promise<unknown> {
  return (await logIn(person, HOME)).body.access_token;
}

/** The token of the newest mail with this link. */
async function linkTo(person: Pick<Person, "email">, page: string): Promise<string> {
  const link = new RegExp(`^http://localhost/${page}#token=([A-Za-z0-9._~-]+)$`, "m");
  const [token] = (await mailsOf(person)).flatMap(({ text }) => link.exec(text)?.[1] ?? []);
  if (token === undefined) throw new Error(`no mail to ${person.email} leads to ${page}`);
  return token;
}

it("a changed password is told", async () => {
  const person = await newPerson();
  const bearer = await signedIn(person);
  const body = { current_password: PASSWORD, new_password: NEXT };
  await expectNotice(person, /^The password of .+ was changed$/, async () => {
    expect((await call("/auth/password/change", body, { ...HOME, bearer })).status).toBe(200);
  });
});

it("a reset password is told, and a frozen account", async () => {
  const person = await newPerson();
  await call("/auth/password/forgot", { email: person.email });
  const token = await linkTo(person, "reset-password");
  await expectNotice(person, /^The password of .+ was reset$/, async () => {
    expect((await call("/auth/password/reset", { token, new_password: NEXT })).status).toBe(200);
  });
  pass(SECOND);
  const next = { ...person, password: NEXT };
  await logIn(next, HOME);
  await logIn(next);
  const freeze = await linkTo(person, "freeze");
  await expectNotice(person, /^Everything of .+ was closed$/, async () => {
    expect((await call("/auth/freeze", { token: freeze })).status).toBe(200);
  });
});

it("a changed address is told to both, and one that came back", async () => {
  const person = await newPerson();
  const bearer = await signedIn(person);
  const moved = { ...person, email: `moved.${crypto.randomUUID().slice(0, 8)}@example.net` };
  const [asked, ...others] = await mailsBy(person, () =>
    call("/auth/email/change", { new_email: moved.email }, { ...HOME, bearer }),
  );
  expect(others).toEqual([]);
  expect(asked?.subject).toMatch(/may get another address$/);
  expect(asked?.text).toContain(`“${moved.email}”`);
  const token = await linkTo(moved, "verify-email");
  const toOld = await mailsBy(person, () =>
    expectNotice(moved, /^This is now the address of /, async () => {
      expect((await call("/auth/email/verify", { token, password: PASSWORD })).status).toBe(200);
    }),
  );
  expect(toOld.map(({ subject }) => subject)).toEqual([expect.stringMatching(/has another address$/)]);
  const undo = await linkTo(person, "undo-email");
  await expectNotice(person, /^This is the address of .+ again$/, async () => {
    expect((await call("/auth/email/undo", { token: undo })).status).toBe(200);
  });
});

it("a deletion is told, and that it was called off", async () => {
  const person = await newPerson();
  const bearer = await signedIn(person);
  const mails = await mailsBy(person, () => call("/auth/me", undefined, { ...HOME, bearer, method: "DELETE" }));
  expect(mails.map(({ subject }) => subject)).toEqual([expect.stringMatching(/will be deleted$/)]);
  const token = await linkTo(person, "cancel-deletion");
  await expectNotice(person, /^The deletion of .+ was called off$/, async () => {
    expect((await call("/auth/deletion/cancel", { token })).status).toBe(200);
  });
});

it("a recovery is told, and that it was called off", async () => {
  const person = await newGuardedPerson(HOME);
  const { email, password } = person;
  const asked = await mailsBy(person, () => call("/auth/recovery/start", { email, password }));
  expect(asked.map(({ subject }) => subject)).toEqual([expect.stringMatching(/^Recover your account at /)]);
  const token = await linkTo(person, "confirm-recovery");
  const running = await mailsBy(person, () => call("/auth/recovery/confirm", { token }));
  expect(running.map(({ subject }) => subject)).toEqual([expect.stringMatching(/is being recovered$/)]);
  const cancel = await linkTo(person, "cancel-recovery");
  await expectNotice(person, /^The recovery of .+ was called off$/, async () => {
    expect((await call("/auth/recovery/cancel", { token: cancel })).status).toBe(200);
  });
});
