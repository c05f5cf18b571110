import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { AccountStore } from "../../../src/account/account-store.ts";
import { startSession } from "../../../src/account/sessions.ts";
import {
  accountOf,
  answer,
  type GuardedPerson,
  ISSUER,
  logIn,
  newGuardedPerson,
  type Person,
} from "../../support/in-worker.ts";
import { sessionIdsOf } from "../support/account.ts";
import {
  confirmRecovery,
  freeze,
  nextCode,
  noticeOf,
  recoveryLink,
  reset,
  resetLink,
  settledVersion,
  signInNow,
  userOf,
} from "../support/account-life.ts";
import { type Break, brokenAt } from "../support/broken-stores.ts";
import { DAY, MINUTE, pass, SECOND, useMovedClock } from "../support/moved-clock.ts";
import { TWO_STORE_CHANGES, type TwoStoreChange } from "../support/two-store-changes.ts";

useMovedClock();

const CHANGES = Object.keys(TWO_STORE_CHANGES);

/** What the owner chooses in the end. */
const LAST = "the last of all passwords";

/** Each point of a change at which its request can be cut off, and what is left of the change then. */
const POINTS = [
  { at: "prepare", when: "after", left: "everybody signed out" },
  { at: "batch", when: "after", left: "all of it" },
  { at: "commit", when: "after", left: "all of it" },
] as const;

/** Before the first of them nothing has happened, even where something has been asked or taken on the way. */
const AT_FIRST = { at: "prepare", when: "before", left: "nothing" } as const;

const TABLE = [
  ...CHANGES.flatMap((change) => POINTS.map((point) => ({ change, ...point }))),
  { change: "a change of password", ...AT_FIRST },
  { change: "a reset with a factor", ...AT_FIRST },
];

/** Has somebody signed in, as far as the account object knows. */
async function openSession(person: Person): Promise<string> {
  const id = crypto.randomUUID();
  await runInDurableObject(accountOf(person), (_, { storage }) => {
    const store = new AccountStore(storage.sql);
    const passwordVersion = store.guard().passwordVersion;
    const lives = { audience: ISSUER, roles: [], userAgent: "", idleMs: DAY, absoluteMs: DAY, emailDigest: "" };
    const terms = { ...lives, secondFactor: "optional" } as const;
    const floor = { passwordVersion, epoch: store.guard().epoch };
    store.saveSession(startSession(id, new Uint8Array(16), { pwd: 0 }, floor, terms, Date.now()));
  });
  return id;
}

/** Sets a change up and lets its request meet a fault. */
async function cutOff(change: string, { at, ...how }: { at: string; when: Break["when"]; dies?: boolean }) {
  const { setUp, ...names } = TWO_STORE_CHANGES[change] as TwoStoreChange;
  const attempt = await setUp();
  const session = await openSession(attempt.person);
  const isOver = async () => !(await sessionIdsOf(attempt.person)).includes(session);
  const point = at === "batch" ? at : names[at as "prepare" | "commit"];
  const { bindings, isMet } = brokenAt({ at: point, dies: true, ...how });
  const answer = await attempt.attempt({ bindings });
  expect(isMet()).toBe(true);
  return { ...attempt, answer, isOver };
}

describe("a request that is cut off", () => {
  it.each(TABLE)("$when $at of $change leaves $left", async ({ change, left, ...point }) => {
    const { answer, isOver, isBefore, isAfter } = await cutOff(change, point);
    expect(answer.text).not.toMatch(/_token"|rt_/);
    expect(await isOver()).toBe(left !== "nothing");
    pass(MINUTE);
    return left === "all of it" ? isAfter() : isBefore();
  });
});

describe("a request that never hears from a store", () => {
  it.each(CHANGES)(
    "what the directory did makes %s all the same, and nobody is left without a way back",
    async (change) => {
      const { answer, isOver, isAfter, takeBack } = await cutOff(change, { at: "batch", when: "after", dies: false });
      expect(answer.status).toBeLessThan(300);
      expect(await isOver()).toBe(true);
      await isAfter();
      await takeBack?.();
    },
  );

  it.each(["before", "after"] as const)("%s the end of a change of address: the same", async (when) => {
    const { answer, isAfter, takeBack } = await cutOff("a change of address", { at: "commit", when, dies: false });
    expect(answer.status).toBe(200);
    await isAfter();
    await takeBack?.();
  });
});

describe("a request that is cut off when everybody has been signed out", () => {
  const DURING = { at: "prepare", when: "after" } as const;
  const BY_LINK = CHANGES.filter((change) => !["a change of password", "a deletion"].includes(change));

  it.each(CHANGES)("lets nobody in for a minute, and then leaves %s to be tried again", async (change) => {
    const { person, isOver, again, isBefore, isAfter } = await cutOff(change, DURING);
    pass(MINUTE - SECOND);
    expect((await logIn(person)).body.code).toBe("sign_in_failed");
    pass(SECOND);
    await isBefore();
    expect(await isOver()).toBe(true);
    expect((await again()).status).toBeLessThan(300);
    await isAfter();
  });

  it.each(BY_LINK.filter((change) => change !== "a reset with a factor"))(
    "is followed at once by one with the same link: %s",
    async (change) => {
      const { again, isAfter, takeBack } = await cutOff(change, DURING);
      expect((await again()).status).toBe(200);
      await isAfter();
      await takeBack?.();
    },
  );

  it("keeps every other change waiting, says how long, and uses up no link", async () => {
    const person = await newGuardedPerson();
    const links = { recovery: await recoveryLink(person), reset: await resetLink(person) };
    pass(SECOND);
    await freeze(await noticeOf(person), brokenAt({ at: "prepareFreeze", when: "after" }));
    pass(10 * SECOND);
    const waiting = [await confirmRecovery(links.recovery), await reset(links.reset)];
    for (const { status, body, headers } of waiting) {
      expect([status, body.code, headers.get("Retry-After")]).toEqual([503, "unavailable", "50"]);
    }
    pass(50 * SECOND);
    expect((await confirmRecovery(links.recovery)).status).toBe(200);
    expect((await reset(links.reset)).body.status).toBe("challenge");
  });
});

describe("whatever was left half way", () => {
  const LEFT = CHANGES.flatMap((change) => [
    { change, at: "prepare", when: "after" } as const,
    { change, at: "batch", when: "after" } as const,
  ]);

  it.each(LEFT)("$when $at of $change: the owner freezes the account, resets the password and is in", async (point) => {
    const { person } = await cutOff(point.change, point);
    pass(SECOND);
    const notice = await noticeOf({ ...person, email: (await userOf(person))?.email ?? "" });
    const first = await freeze(notice);
    if (first.status === 503) pass(Number(first.headers.get("Retry-After")) * SECOND);
    expect((first.status === 503 ? await freeze(notice) : first).text).toBe('{"status":"frozen"}');
    const email = (await userOf(person))?.email ?? "";
    const answered = await reset(await resetLink({ ...person, email }), LAST);
    const { challenge_token: challenge } = answered.body;
    const done = challenge ? await answer(challenge, nextCode(person as GuardedPerson)) : answered;
    expect(done.body.status).toBe("password_reset");
    expect((await signInNow({ ...person, email, password: LAST })).body.status).toBe("authenticated");
    await settledVersion(person);
  });
});
