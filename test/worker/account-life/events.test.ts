import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { usersOf } from "../../../src/directory/users.ts";
import { accountOf, answer, call, newGuardedPerson, newPerson, type Person } from "../../support/in-worker.ts";
import {
  askEmailChange,
  cancelDeletion,
  cancelRecovery,
  changePassword,
  confirmRecovery,
  deleteMe,
  deletionLink,
  finishRecovery,
  forgot,
  freeze,
  freshBearer,
  linkTo,
  move,
  moveLink,
  newAddressOf,
  nextCode,
  noticeOf,
  recoveryLink,
  reset,
  resetLink,
  signInNow,
  startRecovery,
  undoEmail,
  verifyEmail,
  waitForRecovery,
} from "../support/account-life.ts";
import { brokenAt } from "../support/broken-stores.ts";
import { eventsBy, eventsOf, inShort, type Recording } from "../support/events.ts";
import { accept, invitationOf, newAddress } from "../support/invitations.ts";
import { DAY, MINUTE, pass, useMovedClock } from "../support/moved-clock.ts";
import { ask, importAll, runMinute } from "../support/operations.ts";

useMovedClock();

const someone = async <T>(
  ready: (person: Person) => Promise<T>,
  act: (ready: T, person: Person) => Promise<unknown>,
) => {
  const person = await newPerson();
  const made = await ready(person);
  return { person, act: () => act(made, person) };
};

const PREPARED = "sensitive_update";

const LIFE: Record<string, Recording> = {
  "a reset that is asked for": [
    () =>
      someone(
        async () => {},
        (_, person) => forgot(person),
      ),
    ["authn_token_created reset_link mail_link"],
  ],
  "a reset": [
    () => someone(resetLink, (link) => reset(link)),
    [`${PREPARED} password_reset_prepared mail_link`, "authn_password_change password_reset mail_link"],
  ],
  "a reset with a factor": [
    async () => {
      const person = await newGuardedPerson();
      const link = await resetLink(person);
      const act = async () => {
        const { challenge_token: token } = (await reset(link)).body;
        await answer(token, person.wrongCode());
        await answer(token, nextCode(person));
      };
      return { person, act };
    },
    [
      "authn_token_created reset_challenge mail_link",
      "authn_login_fail wrong_code totp",
      `${PREPARED} password_reset_prepared totp`,
      "authn_password_change password_reset totp",
    ],
  ],
  "a change of password: wrong, right": [
    () =>
      someone(freshBearer, async (bearer, { password }) => {
        await changePassword(bearer, "not the right password");
        await changePassword(bearer, password);
      }),
    [
      "authn_password_change_fail wrong_step_up_password pwd",
      `${PREPARED} password_change_prepared pwd`,
      "authn_password_change password_changed pwd",
    ],
  ],
  "another address that is asked for": [
    () => someone(freshBearer, (bearer, person) => askEmailChange(bearer, newAddressOf(person))),
    ["user_updated email_change_asked"],
  ],
  "another address": [
    () =>
      someone(
        (person) => moveLink(person),
        (link, { password }) => verifyEmail(link, password),
      ),
    [`${PREPARED} email_change_prepared`, "user_updated email_changed"],
  ],
  "an address that is taken back": [
    () =>
      someone(
        (person) => move(person),
        ({ undo }) => undoEmail(undo),
      ),
    [`${PREPARED} email_undo_prepared`, "user_updated email_restored"],
  ],
  "a freeze": [
    () => someone(noticeOf, (link) => freeze(link)),
    [`${PREPARED} freeze_prepared`, "authn_login_lock account_frozen"],
  ],
  "a deletion, and keeping the account": [
    () =>
      someone(freshBearer, async (bearer, { email }) => {
        await deleteMe(bearer);
        await cancelDeletion(linkTo(email, "cancel-deletion"));
      }),
    [
      `${PREPARED} deletion_prepared`,
      "user_archived deletion_scheduled",
      `${PREPARED} deletion_cancel_prepared`,
      "user_updated deletion_cancelled",
    ],
  ],
  "a recovery: asked for, started twice, called off": [
    async () => {
      const person = await newGuardedPerson();
      const act = async () => {
        await confirmRecovery(await recoveryLink(person));
        await confirmRecovery(await recoveryLink(person));
        await cancelRecovery(linkTo(person.email, "cancel-recovery"));
      };
      return { person, act };
    },
    [
      "user_updated recovery_asked pwd",
      "user_updated recovery_started mail_link",
      "user_updated recovery_asked pwd",
      "user_updated recovery_cancelled mail_link",
    ],
  ],
  "a recovery that a factor overtakes": [
    async () => {
      const person = await newGuardedPerson();
      await waitForRecovery(person);
      return { person, act: () => signInNow(person) };
    },
    ["authn_token_created challenge pwd", "user_updated recovery_overtaken", "authn_login_success totp"],
  ],
  "the operators' reset of factors": [
    async () => {
      const person = await newGuardedPerson();
      await ask("reset_factors", { account: person.email });
      return { person, act: () => runMinute() };
    },
    ["authz_admin reset_factors"],
  ],
};

it.each(Object.entries(LIFE))("%s", async (_, [scene, events]) => {
  const { person, act } = await scene();
  expect((await eventsBy(person, act)).map(inShort)).toEqual(events);
});

it("the end of a recovery", async () => {
  const person = await newGuardedPerson();
  await waitForRecovery(person);
  const act = async () => {
    pass(3 * DAY + MINUTE);
    await runMinute();
    await finishRecovery(linkTo(person.email, "finish-recovery"));
  };
  expect((await eventsBy(person, act)).map(inShort)).toEqual(["user_updated recovery_finished mail_link"]);
});

it("a deletion is told although the account forgets everything else", async () => {
  const person = await newPerson();
  await deletionLink(person);
  const act = async () => {
    pass(3 * DAY + MINUTE);
    await runMinute();
    await runMinute();
  };
  expect((await eventsBy(person, act)).map(inShort)).toEqual(["user_deleted deletion_due"]);
  const left = await runInDurableObject(accountOf(person), (_, { storage }) =>
    storage.sql.exec("SELECT * FROM guard").one(),
  );
  expect(JSON.parse(String(left.state))).toMatchObject({ life: { isBuried: true }, account: person.id });
});

it("a change that the directory does not take is told, too", async () => {
  const person = await newPerson();
  const bearer = await freshBearer(person);
  const { bindings } = brokenAt({ at: "batch", when: "before", dies: true });
  const act = async () => {
    await changePassword(bearer, person.password, { bindings });
    pass(2 * MINUTE);
    await signInNow(person);
  };
  expect((await eventsBy(person, act)).map(inShort)).toEqual([
    "sensitive_update password_change_prepared pwd",
    "sensitive_update password_change_abandoned pwd",
    "authn_login_success pwd",
  ]);
});

it("accounts that come into being are told by whoever has made them", async () => {
  const email = newAddress();
  await accept(await invitationOf(email));
  const imported = `${crypto.randomUUID()}@example.com`;
  await importAll([{ email: imported, email_verified: true }]);
  const registered = `${crypto.randomUUID()}@example.com`;
  await call("/auth/register", { email: registered, password: "correct horse battery 9" });
  await verifyEmail(linkTo(registered, "verify-email"), "correct horse battery 9");
  const reasons = [];
  for (const address of [email, imported, registered]) {
    const user = await usersOf(env.DB).findByEmailKey(address.toLowerCase());
    reasons.push((await eventsOf({ id: user?.id ?? "" })).map(inShort));
  }
  expect(reasons).toEqual([["user_created invited"], ["user_created imported"], ["user_created registered"]]);
});

it("a recovery of somebody who has no factor is no event", async () => {
  const person = await newPerson();
  expect(await eventsBy(person, () => startRecovery(person))).toEqual([]);
});
