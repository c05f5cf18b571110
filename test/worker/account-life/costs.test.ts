import { expect, it } from "vitest";
import { type Answer, answer, type Call, newGuardedPerson, newPerson, newSource } from "../../support/in-worker.ts";
import {
  askEmailChange,
  cancelDeletion,
  cancelRecovery,
  changePassword,
  confirmRecovery,
  deleteMe,
  deletionLink,
  forgot,
  freeze,
  freshBearer,
  move,
  moveLink,
  NEW_PASSWORD,
  newAddressOf,
  nextCode,
  noticeOf,
  recoveryLink,
  reset,
  resetLink,
  startRecovery,
  undoEmail,
  verifyEmail,
  waitForRecovery,
} from "../support/account-life.ts";
import { costOf, numbers } from "../support/costs.ts";
import { useMovedClock } from "../support/moved-clock.ts";

useMovedClock();

type Request = (options: Call) => Promise<Answer>;

/** What a request costs: round trips one after another, and rows in objects and in D1. */
interface Expected {
  status: number;
  sequential: number;
  objects: number;
  d1: number;
  calls: string[];
}

/** Three steps in two stores, and the read that every mail of a notice begins with, which no answer waits for. */
const MADE = ["account.commit", "d1.batch", "d1.first"];

/**
 * What gets a request ready, and what it costs. The people of a table have been here before. Where one session ends by
 * it, a row of the object and one of D1 are its mark and its place on the list.
 */
const COSTS: Record<string, [ready: () => Promise<Request>, cost: Expected]> = {
  "a reset without a factor": [
    async () => {
      const token = await resetLink(await newPerson());
      return (options) => reset(token, NEW_PASSWORD, options);
    },
    {
      status: 200,
      sequential: 5,
      objects: 2,
      d1: 1,
      calls: [...MADE, "account.openReset", "d1.first", "gate.forgive"],
    },
  ],
  "a reset link that was used": [
    async () => {
      const token = await resetLink(await newPerson());
      await reset(token);
      return (options) => reset(token, NEW_PASSWORD, options);
    },
    // Nothing of the account; the event of a refusal, in the gate of its client, whose table is made by it.
    { status: 400, sequential: 1, objects: 3, d1: 0, calls: ["d1.first"] },
  ],
  "a reset that opens a challenge": [
    async () => {
      const token = await resetLink(await newGuardedPerson());
      return (options) => reset(token, NEW_PASSWORD, options);
    },
    { status: 200, sequential: 2, objects: 1, d1: 0, calls: ["account.openReset", "d1.first"] },
  ],
  "the answer to it": [
    async () => {
      const person = await newGuardedPerson();
      const { body } = await reset(await resetLink(person));
      const code = nextCode(person);
      return (options) => answer(body.challenge_token, code, options);
    },
    { status: 200, sequential: 5, objects: 6, d1: 2, calls: [...MADE, "account.answer", "d1.first", "gate.forgive"] },
  ],
  "a change of password": [
    async () => {
      const person = await newPerson();
      const bearer = await freshBearer(person);
      return (options) => changePassword(bearer, person.password, options);
    },
    {
      status: 200,
      sequential: 5,
      objects: 6,
      d1: 2,
      calls: [
        "account.commitPasswordChange",
        "account.preparePasswordChange",
        "account.reservePasswordChange",
        "d1.batch",
        "d1.first",
        "d1.first",
      ],
    },
  ],
  "the confirmation of another address": [
    async () => {
      const person = await newPerson();
      const token = await moveLink(person);
      return (options) => verifyEmail(token, person.password, options);
    },
    {
      status: 200,
      sequential: 6,
      objects: 4,
      d1: 6,
      calls: [
        ...[...MADE, "account.prepareEmailChange", "d1.first", "d1.first"],
        ...["gate.reserve", "gate.reserve", "gate.settle", "gate.settle"],
      ],
    },
  ],
  "taking that back": [
    async () => {
      const { undo } = await move(await newPerson());
      return (options) => undoEmail(undo, options);
    },
    { status: 200, sequential: 5, objects: 2, d1: 4, calls: [...MADE, "account.prepareEmailUndo", "d1.first"] },
  ],
  "a freeze": [
    async () => {
      const person = await newPerson();
      await freshBearer(person);
      const token = await noticeOf(person);
      return (options) => freeze(token, options);
    },
    { status: 200, sequential: 5, objects: 4, d1: 2, calls: [...MADE, "account.prepareFreeze", "d1.first"] },
  ],
  "a deletion": [
    async () => {
      const bearer = await freshBearer(await newPerson());
      return (options) => deleteMe(bearer, options);
    },
    { status: 202, sequential: 4, objects: 4, d1: 4, calls: [...MADE, "account.prepareDeletion"] },
  ],
  "calling that off": [
    async () => {
      const token = await deletionLink(await newPerson());
      return (options) => cancelDeletion(token, options);
    },
    { status: 200, sequential: 5, objects: 2, d1: 2, calls: [...MADE, "account.prepareDeletionCancel", "d1.first"] },
  ],
  "the beginning of a recovery's wait": [
    async () => {
      const token = await recoveryLink(await newGuardedPerson());
      return (options) => confirmRecovery(token, options);
    },
    { status: 200, sequential: 3, objects: 1, d1: 2, calls: ["account.startRecovery", "d1.first", "d1.run"] },
  ],
  "calling a recovery off": [
    async () => {
      const token = await waitForRecovery(await newGuardedPerson());
      return (options) => cancelRecovery(token, options);
    },
    { status: 200, sequential: 3, objects: 1, d1: 0, calls: ["account.cancelRecovery", "d1.first", "d1.first"] },
  ],
};

it.each(Object.entries(COSTS))("%s", async (_, [ready, { calls, ...expected }]) => {
  const cost = await costOf(await ready());
  expect(cost.calls).toEqual(calls.toSorted());
  expect(numbers(cost)).toEqual(expected);
});

/** What a request leaves to be done after its answer, where that is all there is. */
const LATER = { after: ["d1.first", "gate.spend"] };

it("a forgotten password: the answer waits for nothing, and for nobody in particular", async () => {
  const [person, source] = [await newPerson(), newSource()];
  await freshBearer(person);
  const nobody = { ...person, email: "nobody.here@example.com" };
  for (const who of [person, nobody]) await forgot(who, { source });
  const [known, unknown] = [
    await costOf((options) => forgot(person, { ...options, source }), LATER),
    await costOf((options) => forgot(nobody, { ...options, source }), LATER),
  ];
  for (const cost of [known, unknown]) expect([cost.calls, cost.sequential]).toEqual([[], 0]);
  // The client and its network; the address, and the newest link of the account.
  expect(unknown.rows).toEqual({ objects: 2, d1: 0 });
  expect(known.rows).toEqual({ objects: 4, d1: 0 });
});

it("asking for another address: the account object, and all the rest after the answer", async () => {
  const [person, source] = [await newPerson(), newSource()];
  const bearer = await freshBearer(person);
  const ask = (options: Call) => askEmailChange(bearer, newAddressOf(person), { ...options, source });
  await ask({});
  const cost = await costOf(ask, LATER);
  expect(cost.calls).toEqual(["account.awaitEmailChange"]);
  // The newest link of the account, the client and its network, and both addresses.
  expect(numbers(cost)).toEqual({ status: 202, sequential: 1, objects: 5, d1: 0 });
});

it("asking for a recovery: as a wrong password and a right one, whatever it leads to", async () => {
  const source = newSource();
  const [owner, other] = [await newGuardedPerson(), await newPerson()];
  const costs = [];
  for (const person of [owner, other]) {
    await startRecovery(person, { source });
    const after = { after: ["gate.settle", "gate.spend"] };
    costs.push(await costOf((options) => startRecovery(person, { ...options, source }), after));
  }
  for (const { calls, sequential } of costs) {
    expect([calls, sequential]).toEqual([["d1.first", "gate.reserve", "gate.reserve"], 1]);
  }
});
