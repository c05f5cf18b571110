import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Answer, answer, call, logIn, newGuardedPerson, newPerson, PASSWORD } from "../support/in-worker.ts";
import { slowCrypto } from "../support/slow-crypto.ts";
import { guardOf, sessionIdsOf } from "../worker/support/account.ts";
import {
  changePassword,
  freeze,
  freshBearer,
  linksTo,
  linkTo,
  moveLink,
  nextCode,
  noticeOf,
  reset,
  resetLink,
  settledVersion,
  signInNow,
  undoEmail,
  userOf,
  verifyEmail,
} from "../worker/support/account-life.ts";
import { mailed, PURPOSES } from "../worker/support/mailed-links.ts";
import { pass, SECOND, useMovedClock } from "../worker/support/moved-clock.ts";

useMovedClock();

const AT_ONCE = 20;

function twenty(work: (index: number) => Promise<Answer>): Promise<Answer[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, (_, index) => work(index)));
}

/** Passwords of which each can be told from the others. */
const choice = (index: number) => `a long password of number ${index}`;

// Each race runs twice, for the reasons that `races.test.ts` gives.
describe.each([
  { crypto: "as the local runtime runs it", slow: false },
  { crypto: "giving up its turn", slow: true },
])("twenty at once, with crypto $crypto", ({ slow }) => {
  let restore = () => {};
  beforeEach(() => {
    restore = slow ? slowCrypto() : () => {};
  });
  afterEach(() => restore());

  it.each(PURPOSES)("a link of %s works once", async (purpose) => {
    const { person, token, use, status } = await mailed(purpose);
    const before = (await userOf(person))?.passwordVersion ?? 0;
    const answers = await twenty(() => use(token));
    expect(answers.filter(({ body }) => body.status === status)).toHaveLength(1);
    // Eight found a place for a hash, where one is needed, and five tries of one address may be open.
    const others = answers.filter(({ body }) => body.status !== status).map(({ body }) => body.code);
    const needsHash = purpose === "reset_password" || purpose === "change_email";
    if (!needsHash) expect(others).toEqual(Array(AT_ONCE - 1).fill("invalid_link"));
    else expect(others.filter((code) => code !== "unavailable" && code !== "too_many_attempts")).not.toEqual([]);
    const isInDirectory = !purpose.startsWith("recovery");
    expect(await settledVersion(person)).toBe(before + (isInDirectory ? 1 : 0));
    expect((await use(token)).body.code).toBe("invalid_link");
    if (purpose !== "change_email") return;
    // The one way back that was mailed is that of the request that won.
    const [undo, ...more] = linksTo(person.email, "undo-email");
    expect(more).toEqual([]);
    expect((await undoEmail(undo)).body.status).toBe("email_restored");
  });

  it("one reset link sets one of the passwords that are brought with it", async () => {
    const person = await newPerson();
    const token = await resetLink(person);
    const answers = await twenty((index) => reset(token, choice(index)));
    const [winner, ...others] = answers.flatMap(({ status }, index) => (status === 200 ? [index] : []));
    expect(others).toEqual([]);
    expect((await logIn({ ...person, password: choice(winner ?? -1) })).status).toBe(200);
  });

  it("one reset with a factor takes effect, however often its link and its code are sent", async () => {
    const person = await newGuardedPerson();
    const token = await resetLink(person);
    const opened = await twenty((index) => reset(token, choice(index)));
    const challenges = opened.flatMap(({ body }) => (body.status === "challenge" ? [body.challenge_token] : []));
    expect(challenges.length).toBeGreaterThan(0);
    expect((await guardOf(person)).challenges).toHaveLength(1);
    const code = nextCode(person);
    const answers = await twenty((index) => answer(challenges[index % challenges.length], code));
    expect(answers.filter(({ body }) => body.status === "password_reset")).toHaveLength(1);
    expect(answers.filter(({ body }) => body.access_token !== undefined)).toEqual([]);
    expect(await settledVersion(person)).toBe(2);
    expect(await sessionIdsOf(person)).toEqual([]);
    expect((await reset(token)).body.code).toBe("invalid_link");
  });

  it("one of several changes of password of one session is made, and that session goes on", async () => {
    const person = await newPerson();
    const bearer = await freshBearer(person);
    // As many as the pot of a session holds less one: who guesses that often at once has none any more.
    const answers = await Promise.all([1, 2, 3, 4].map(() => changePassword(bearer, person.password)));
    const made = answers.filter(({ status }) => status === 200);
    expect(made).toHaveLength(1);
    expect(await settledVersion(person)).toBe(2);
    expect(await sessionIdsOf(person)).toEqual([made[0]?.body.session_id]);
  });

  it("of all the ways to change one account at once, both stores have taken the same", async () => {
    const person = await newPerson();
    const bearers = [await freshBearer(person), await freshBearer(person)];
    const moving = await moveLink(person);
    const resetting = await resetLink(person);
    pass(SECOND);
    const notice = await noticeOf(person);
    const ways: [() => Promise<Answer>, ...(() => Promise<Answer>)[]] = [
      () => verifyEmail(moving, person.password),
      () => reset(resetting),
      () => freeze(notice),
      () => changePassword(bearers[0], person.password),
      () => changePassword(bearers[1], person.password),
    ];
    const answers = await twenty((index) => (ways[index % ways.length] ?? ways[0])());
    const made = answers.filter(({ status }) => status === 200);
    expect(await settledVersion(person)).toBe(1 + made.length);
    expect(made.length).toBeGreaterThan(0);
    // A session that was opened in between has ended: only one that goes on after its own change may live.
    expect((await sessionIdsOf(person)).length).toBeLessThanOrEqual(1);
  });

  it("a new address goes to one of all who want it, and the others stay who they were", async () => {
    const email = `wanted.${crypto.randomUUID().slice(0, 8)}@example.com`;
    const movers = await Promise.all([newPerson(), newPerson(), newPerson()]);
    const links = await Promise.all(movers.map((mover) => moveLink(mover, email)));
    await call("/auth/register", { email, password: choice(0) });
    const registration = linkTo(email, "verify-email");
    const answers = await Promise.all([
      ...links.map((link) => verifyEmail(link, PASSWORD)),
      verifyEmail(registration, choice(0)),
    ]);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const reserved = env.DB.prepare("SELECT COUNT(*) AS n FROM reserved_emails WHERE user_id = ?");
    for (const [index, mover] of movers.entries()) {
      const hasMoved = answers[index]?.status === 200;
      expect((await logIn(hasMoved ? { ...mover, email } : mover)).body.status).toBe("authenticated");
      expect(await reserved.bind(mover.id).first("n")).toBe(hasMoved ? 1 : 0);
      await settledVersion(mover);
    }
  });

  it("whoever signs in while the account changes is signed out by it, or comes with what counts after it", async () => {
    const person = await newPerson();
    const notice = await noticeOf(person);
    const answers = await twenty((index) => (index === 3 ? freeze(notice) : signInNow(person)));
    expect(answers[3]?.body.status).toBe("frozen");
    expect(await sessionIdsOf(person)).toEqual([]);
  });
});
