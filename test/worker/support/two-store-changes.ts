import { expect } from "vitest";
import {
  type Answer,
  answer,
  type Call,
  logIn,
  newGuardedPerson,
  newPerson,
  type Person,
} from "../../support/in-worker.ts";
import {
  cancelDeletion,
  changePassword,
  deleteMe,
  deletionLink,
  freeze,
  freshBearer,
  linkTo,
  move,
  moveLink,
  NEW_PASSWORD,
  newAddressOf,
  nextCode,
  noticeOf,
  reset,
  resetLink,
  settledVersion,
  signInNow,
  undoEmail,
  userOf,
  verifyEmail,
} from "./account-life.ts";
import { DAY, pass } from "./moved-clock.ts";
import { runMinute } from "./operations.ts";

/** A change that is made in both stores. */
export interface TwoStoreChange {
  /** The call of the account object that makes it ready, and the one that tells of its end. */
  prepare: string;
  commit: string;
  /** Gets everything ready. */
  setUp: () => Promise<Attempt>;
}

/** A change that somebody is about to make. */
export interface Attempt {
  person: Person;
  attempt: (options?: Call) => Promise<Answer>;
  /** The next try: the same link where there is one, a new sign-in where there is not. */
  again: () => Promise<Answer>;
  /** What holds if nothing has happened, and what if all of it has. */
  isBefore: () => Promise<void>;
  isAfter: () => Promise<void>;
  /** Where the one who was there before must have a way back by then. */
  takeBack?: () => Promise<void>;
}

const opens = async (person: Person) => expect((await signInNow(person)).body.status).toBe("authenticated");
const staysShut = async (person: Person) => expect((await logIn(person)).body.code).toBe("sign_in_failed");

/** One of two ways to sign in works, and the other does not. */
const oneOf = (before: Person, after: Person) => ({
  isBefore: async () => {
    await opens(before);
    await staysShut(after);
    await settledVersion(before);
  },
  isAfter: async () => {
    await opens(after);
    await staysShut(before);
    await settledVersion(after);
  },
});

/** No password works, and one that is set by mail does. */
async function waitsForReset(person: Person): Promise<void> {
  await staysShut(person);
  expect((await reset(await resetLink(person))).body.status).toBe("password_reset");
  await opens({ ...person, password: NEW_PASSWORD });
}

const withNew = (person: Person) => ({ ...person, password: NEW_PASSWORD });

/** Every one of them. */
export const TWO_STORE_CHANGES: Record<string, TwoStoreChange> = {
  "a change of password": {
    prepare: "preparePasswordChange",
    commit: "commitPasswordChange",
    setUp: async () => {
      const person = await newPerson();
      const bearer = await freshBearer(person);
      const again = async () => changePassword(await freshBearer(person), person.password);
      const attempt = (options?: Call) => changePassword(bearer, person.password, options);
      return { person, attempt, again, ...oneOf(person, withNew(person)) };
    },
  },
  "a reset": {
    prepare: "openReset",
    commit: "commit",
    setUp: async () => {
      const person = await newPerson();
      const token = await resetLink(person);
      const attempt = (options?: Call) => reset(token, NEW_PASSWORD, options);
      return { person, attempt, again: attempt, ...oneOf(person, withNew(person)) };
    },
  },
  "a reset with a factor": {
    prepare: "answer",
    commit: "commit",
    setUp: async () => {
      const person = await newGuardedPerson();
      const token = await resetLink(person);
      const open = async () => (await reset(token)).body.challenge_token;
      const first = await open();
      const attempt = (options?: Call) => answer(first, nextCode(person), options);
      const again = async () => answer(await open(), nextCode(person));
      return { person, attempt, again, ...oneOf(person, withNew(person)) };
    },
  },
  "a change of address": {
    prepare: "prepareEmailChange",
    commit: "commit",
    setUp: async () => {
      const person = await newPerson();
      const token = await moveLink(person);
      const attempt = (options?: Call) => verifyEmail(token, person.password, options);
      const there = { ...person, email: newAddressOf(person) };
      const takeBack = async () => {
        expect((await undoEmail(linkTo(person.email, "undo-email"))).body.status).toBe("email_restored");
      };
      return { person, attempt, again: attempt, takeBack, ...oneOf(person, there) };
    },
  },
  "an undone change of address": {
    prepare: "prepareEmailUndo",
    commit: "commit",
    setUp: async () => {
      const person = await newPerson();
      const { there, undo } = await move(person);
      const attempt = (options?: Call) => undoEmail(undo, options);
      const isAfter = async () => {
        await staysShut(there);
        await waitsForReset(person);
      };
      return { person: there, attempt, again: attempt, isBefore: oneOf(there, person).isBefore, isAfter };
    },
  },
  "a freeze": {
    prepare: "prepareFreeze",
    commit: "commit",
    setUp: async () => {
      const person = await newPerson();
      const token = await noticeOf(person);
      const attempt = (options?: Call) => freeze(token, options);
      return { person, attempt, again: attempt, isBefore: () => opens(person), isAfter: () => waitsForReset(person) };
    },
  },
  "a deletion": {
    prepare: "prepareDeletion",
    commit: "commit",
    setUp: async () => {
      const person = await newPerson();
      const bearer = await freshBearer(person);
      const attempt = (options?: Call) => deleteMe(bearer, options);
      const again = async () => deleteMe(await freshBearer(person));
      const isAfter = async () => {
        await staysShut(person);
        pass(3 * DAY);
        await runMinute();
        expect(await userOf(person)).toBeUndefined();
      };
      return { person, attempt, again, isBefore: () => opens(person), isAfter };
    },
  },
  "a deletion that is called off": {
    prepare: "prepareDeletionCancel",
    commit: "commit",
    setUp: async () => {
      const person = await newPerson();
      const token = await deletionLink(person);
      const attempt = (options?: Call) => cancelDeletion(token, options);
      const isAfter = async () => {
        await opens(person);
        pass(3 * DAY);
        await runMinute();
        expect((await userOf(person))?.status).toBe("active");
      };
      return { person, attempt, again: attempt, isBefore: () => staysShut(person), isAfter };
    },
  },
};
