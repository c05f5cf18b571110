import { createExecutionContext, createScheduledController, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import worker from "../../../src/index.ts";
import { call, logIn, newGuardedPerson, newPerson, newSource, type Person } from "../../support/in-worker.ts";
import { guardOf } from "../support/account.ts";
import {
  askEmailChange,
  freeze,
  freshBearer,
  linksTo,
  move,
  NEW_PASSWORD,
  noticeOf,
  reset,
  resetLink,
  subjectsTo,
  undoEmail,
  userOf,
  waitForRecovery,
} from "../support/account-life.ts";
import { askForProof } from "../support/gates.ts";
import { DAY, HOUR, pass, SECOND, useMovedClock } from "../support/moved-clock.ts";
import { runMinute } from "../support/operations.ts";

useMovedClock();

const addressOf = async (person: Person) => (await userOf(person))?.email;

describe("a freeze that is asked for", () => {
  it("where the account has just moved away from takes the address back", async () => {
    const person = await newPerson();
    const notice = await noticeOf(person);
    const { there } = await move(person);
    pass(SECOND);
    expect((await freeze(notice)).body.status).toBe("frozen");
    expect(await addressOf(person)).toBe(person.email);
    for (const one of [person, there]) expect((await logIn(one)).status).toBe(401);
    // The other mailbox hears that it has lost the account, and nothing by which it could take it again.
    expect(subjectsTo(there.email)[0]).toMatch(/has its old address again$/);
    expect((await reset(await resetLink(person))).body.status).toBe("password_reset");
    expect((await logIn({ ...person, password: NEW_PASSWORD })).status).toBe(200);
  });

  it("where a stranger had it for a while gives him nothing, and signs nobody out", async () => {
    const person = await newPerson();
    const { there: stranger, undo } = await move(person);
    const notice = await noticeOf(stranger);
    pass(SECOND);
    await undoEmail(undo);
    await reset(await resetLink(person));
    const owner = { ...person, password: NEW_PASSWORD };
    pass(SECOND);
    const third = { ...owner, email: `third.${person.email}` };
    const asked = await askEmailChange(await freshBearer(owner), third.email);
    expect(asked.status).toBe(202);
    const [link] = linksTo(third.email, "verify-email");
    await call("/auth/email/verify", { token: link, password: NEW_PASSWORD });
    const { body } = await logIn(third);
    expect((await freeze(notice)).body.code).toBe("invalid_link");
    expect(await addressOf(person)).toBe(third.email);
    expect((await call("/auth/me", undefined, { bearer: body.access_token })).status).toBe(200);
  });
});

it("three requests for another address an hour reach both mailboxes, and the next neither", async () => {
  const person = await newPerson();
  const bearer = await freshBearer(person);
  const addresses = ["a", "b", "c", "d"].map((name) => `${name}.${person.email}`);
  for (const address of addresses) expect((await askEmailChange(bearer, address)).status).toBe(202);
  expect(subjectsTo(person.email).filter((subject) => /may get another address/.test(subject))).toHaveLength(3);
  expect(addresses.map((address) => linksTo(address, "verify-email").length)).toEqual([1, 1, 1, 0]);
  pass(HOUR);
  await askEmailChange(await freshBearer(person), `e.${person.email}`);
  expect(linksTo(`e.${person.email}`, "verify-email")).toHaveLength(1);
});

it("whoever has just set the password by mail does not wait for what was tried before", async () => {
  const person = await newPerson();
  const source = newSource();
  for (let count = 0; count < 6; count += 1) await logIn({ ...person, password: "not it at all" }, { source });
  expect((await logIn(person, { source })).status).toBe(429);
  expect((await reset(await resetLink(person), NEW_PASSWORD, { source })).status).toBe(200);
  expect((await logIn({ ...person, password: NEW_PASSWORD }, { source })).status).toBe(200);
});

describe("what is due each minute", () => {
  it("brings the link that finishes a recovery again and again until its mail has left", async () => {
    const person = await newGuardedPerson();
    await waitForRecovery(person);
    pass(3 * DAY);
    const EMAIL = { send: () => Promise.reject(new Error("the provider is down")) };
    await runMinute(Date.now(), { ...env, MAIL_TRANSPORT: "binding", MAIL_FROM: "auth@example.com", EMAIL });
    expect((await guardOf(person)).life.recovery?.isAnnounced).toBeUndefined();
    pass(5 * 60 * SECOND);
    await runMinute();
    expect(linksTo(person.email, "finish-recovery")).toHaveLength(1);
    pass(5 * 60 * SECOND);
    await runMinute();
    expect(linksTo(person.email, "finish-recovery")).toHaveLength(1);
  });

  it("is done although KV takes no copy of the key ring", async () => {
    const person = await newGuardedPerson();
    await waitForRecovery(person);
    pass(3 * DAY);
    const KV = { get: env.KV.get.bind(env.KV), put: () => Promise.reject(new Error("no more writes today")) };
    const context = createExecutionContext();
    const cron = worker.scheduled(createScheduledController(), { ...env, KV } as unknown as Env, context);
    await expect(cron).rejects.toThrow("no more writes today");
    await waitOnExecutionContext(context);
    expect(linksTo(person.email, "finish-recovery")).toHaveLength(1);
  });

  it("reminds once, though two crons come at the same time", async () => {
    const person = await newGuardedPerson();
    await waitForRecovery(person);
    pass(DAY);
    await Promise.all([runMinute(), runMinute(), runMinute()]);
    expect(linksTo(person.email, "cancel-recovery")).toHaveLength(2);
  });
});

it("whoever moves is not kept from it by strangers who have tried the present address", async () => {
  const person = await newPerson();
  const next = `next.${person.email}`;
  expect((await askEmailChange(await freshBearer(person), next)).status).toBe(202);
  await askForProof(person.email);
  const [token] = linksTo(next, "verify-email");
  const confirm = (password: string) => call("/auth/email/verify", { token, password });
  expect((await confirm("not the password")).body.code).toBe("invalid_link");
  expect((await confirm(person.password)).body.status).toBe("verified");
  expect(await addressOf(person)).toBe(next);
});
