import { describe, expect, it } from "vitest";
import { sealLink } from "../../../src/tokens/one-time-link.ts";
import { newGuardedPerson, newPerson, type Person, ring } from "../../support/in-worker.ts";
import { guardOf } from "../support/account.ts";
import {
  cancelRecovery,
  deletionLink,
  finishRecovery,
  forgot,
  freeze,
  linksTo,
  linkTo,
  move,
  moveLink,
  NEW_PASSWORD,
  noticeOf,
  recoveryLink,
  reset,
  resetLink,
  signInNow,
  undoEmail,
  userOf,
  waitForRecovery,
  withNewPassword,
} from "../support/account-life.ts";
import { LINKS, type Link, type Purpose } from "../support/mailed-links.ts";
import { HOUR, MINUTE, pass, SECOND, useMovedClock } from "../support/moved-clock.ts";

useMovedClock();

/** What may happen to an account while a link is in its mailbox. */
const EVENTS = {
  "a newer reset link": async (person: Person) => void (await resetLink(person)),
  "somebody's forgotten password": async (person: Person) => void (await forgot(person)),
  "a change of password": async (person: Person) => void (await withNewPassword(person)),
  "a reset of the password": async (person: Person) => {
    const answered = await reset(await resetLink(person));
    expect(answered.body.status).toBe("password_reset");
  },
  "a newer link to a new address": async (person: Person) => void (await moveLink(person, `newer.${person.email}`)),
  "a change of address": async (person: Person) => void (await move(person)),
  "an undone change of address": async (person: Person) => {
    expect((await undoEmail((await move(person)).undo)).body.status).toBe("email_restored");
  },
  "a freeze": async (person: Person) => {
    expect((await freeze(await noticeOf(person))).body.status).toBe("frozen");
  },
  "a deletion that is called off": async (person: Person) => {
    const kept = await LINKS.deletion_cancel.use(await deletionLink(person));
    expect(kept.body.status).toBe("deletion_cancelled");
  },
  "a newer recovery link": async (person: Person) => void (await recoveryLink(person)),
  "a sign-in with the factor": async (person: Person) => {
    expect((await signInNow(person)).body.status).toBe("authenticated");
  },
  "a recovery that is called off": async (person: Person) => {
    const [token] = linksTo(person.email, "cancel-recovery");
    expect((await cancelRecovery(token ?? (await waitForRecovery(person)))).body.status).toBe("recovery_cancelled");
  },
} satisfies Record<string, (person: never) => Promise<void>>;
type Event = keyof typeof EVENTS;

/** What each kind of link does not survive. */
const OVERTAKEN_BY: Partial<Record<Purpose, Event[]>> = {
  reset_password: [
    "a newer reset link",
    "a change of password",
    "a change of address",
    "a freeze",
    "a deletion that is called off",
  ],
  change_email: [
    "a newer link to a new address",
    "a change of password",
    "a reset of the password",
    "an undone change of address",
    "a freeze",
  ],
  freeze: ["a reset of the password", "a freeze"],
  recovery_confirm: [
    "a newer recovery link",
    "a change of password",
    "a change of address",
    "a sign-in with the factor",
  ],
  recovery_cancel: ["a recovery that is called off", "a sign-in with the factor"],
  recovery_finish: ["a recovery that is called off", "a sign-in with the factor"],
};

/** What it does survive: its owner may need it after that more than before. */
const OUTLIVES: Partial<Record<Purpose, Event[]>> = {
  undo_email: ["a change of password", "a reset of the password", "a freeze", "a deletion that is called off"],
  freeze: [
    "a change of password",
    "a change of address",
    "an undone change of address",
    "a newer reset link",
    "a deletion that is called off",
  ],
  deletion_cancel: ["somebody's forgotten password"],
};

const rows = (table: Partial<Record<Purpose, Event[]>>) =>
  Object.entries(table).flatMap(([purpose, events]) => events.map((event) => [purpose as Purpose, event] as const));

/** A link, an event after it, and what the link comes to. The person is where the link has left the account. */
async function after(purpose: Purpose, event: Event) {
  const { person: newOwner, make, use, status } = LINKS[purpose] as Link;
  const owner = await newOwner();
  const token = await make(owner);
  pass(SECOND);
  const email = (await userOf(owner))?.email ?? owner.email;
  const password = purpose === "freeze" ? NEW_PASSWORD : owner.password;
  const happens: (person: Person) => Promise<void> = EVENTS[event];
  await happens({ ...owner, email, password });
  pass(SECOND);
  return { answer: await use(token), status };
}

describe("a link is dead", () => {
  it.each(rows(OVERTAKEN_BY))("of %s after %s", async (purpose, event) => {
    const { answer } = await after(purpose, event);
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_link" } });
  });

  it("that would keep an account whose deletion a freeze has stopped", async () => {
    const person = await newPerson();
    const notice = await noticeOf(person);
    pass(SECOND);
    const token = await deletionLink(person);
    expect((await freeze(notice)).body.status).toBe("frozen");
    expect((await userOf(person))?.status).toBe("active");
    expect((await LINKS.deletion_cancel.use(token)).body.code).toBe("invalid_link");
  });

  it("that would finish a recovery, before the wait is over", async () => {
    const person = await newGuardedPerson();
    await waitForRecovery(person);
    const { id = "" } = (await guardOf(person)).life.recovery ?? {};
    const token = await sealLink(
      await ring(),
      "recovery_finish",
      { accountId: person.id, id },
      Date.now() + 100 * HOUR,
    );
    pass(72 * HOUR - 1);
    expect((await finishRecovery(token)).body.code).toBe("invalid_link");
    pass(1);
    expect((await finishRecovery(token)).body.status).toBe("factors_removed");
  });
});

describe("a link lives on", () => {
  it.each(rows(OUTLIVES))("of %s after %s", async (purpose, event) => {
    const { answer, status } = await after(purpose, event);
    expect(answer.body.status, answer.text).toBe(status);
  });

  it("in a notice of what overtook those before it", async () => {
    const person = await newPerson();
    const before = await noticeOf(person);
    pass(SECOND);
    expect((await reset(await resetLink(person))).body.status).toBe("password_reset");
    const inNotice = linkTo(person.email, "freeze");
    expect(inNotice).not.toBe(before);
    pass(MINUTE);
    expect((await freeze(before)).body.code).toBe("invalid_link");
    expect((await freeze(inNotice)).body.status).toBe("frozen");
  });
});
