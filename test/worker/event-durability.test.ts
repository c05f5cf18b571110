import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import type { AccountObject } from "../../src/account/account-object.ts";
import { AccountStore } from "../../src/account/account-store.ts";
import { EVENTS_IN_GUARD } from "../../src/event-policy.ts";
import { eventStoreOf } from "../../src/events/event-store.ts";
import { accountOf, answer, call, challengeOf, logIn, newGuardedPerson, newPerson } from "../support/in-worker.ts";
import { signInNow } from "./support/account-life.ts";
import { listedSessions, untilListed, withoutTheList } from "./support/ended-sessions.ts";
import { eventsBy, eventsOf, inShort, shipAll } from "./support/events.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

const storeOf = (object: AccountObject) => (object as unknown as { store: AccountStore }).store;

/** Takes the table away for as long as `work` lasts: nothing arrives meanwhile. */
async function withoutEvents<T>(work: () => Promise<T>): Promise<T> {
  await env.EVENTS.prepare("ALTER TABLE events RENAME TO events_away").run();
  try {
    return await work();
  } finally {
    await env.EVENTS.prepare("ALTER TABLE events_away RENAME TO events").run();
  }
}

it("an object that was evicted before it could ship does so when its alarm comes", async () => {
  const person = await newGuardedPerson();
  const events = await eventsBy(person, async () => {
    const token = await challengeOf(person);
    await evictDurableObject(accountOf(person));
    await answer(token, person.wrongCode());
    await evictDurableObject(accountOf(person));
  });
  expect(events.map(inShort)).toEqual(["authn_token_created challenge pwd", "authn_login_fail wrong_code totp"]);
  expect(await runDurableObjectAlarm(accountOf(person))).toBe(false);
});

it("an object that was evicted is not called later because somebody comes in between", async () => {
  const person = await newPerson();
  const ringsAt = () => runInDurableObject(accountOf(person), (_, { storage }) => storage.getAlarm());
  await logIn(person);
  const at = await ringsAt();
  for (let i = 0; i < 2; i += 1) {
    await evictDurableObject(accountOf(person));
    pass(10 * SECOND);
    await logIn(person);
    expect(await ringsAt()).toBe(at);
  }
});

it("what an object records that is not told its name still names its account", async () => {
  const person = await newPerson();
  await logIn(person);
  // As an alarm wakes it in some runtimes: a store without the name that the object has.
  const event = await runInDurableObject(accountOf(person), (_, { storage }) => {
    const store = new AccountStore(storage.sql);
    store.note({ kind: "session_renewed" }, undefined);
    return store.shipment()?.events.at(-1);
  });
  expect(event).toMatchObject({ kind: "session_renewed", account: person.id });
});

it("while nothing arrives the account works, keeps every event beyond what fits, and ships them in order", async () => {
  const person = await newPerson();
  const count = 3 * EVENTS_IN_GUARD + 3;
  const bearers: unknown[] = [];
  const events = await eventsBy(person, () =>
    withoutEvents(async () => {
      const { body } = await logIn(person);
      bearers.push(body.access_token);
      for (let i = 1; i < count; i += 1) {
        pass(1);
        const { status } = await call("/auth/export", undefined, { bearer: body.access_token });
        expect(status).toBe(200);
        if (i % 20 === 0) await runDurableObjectAlarm(accountOf(person));
        if (i % 30 === 0) await evictDurableObject(accountOf(person));
      }
      await runDurableObjectAlarm(accountOf(person));
    }),
  );
  expect(events).toHaveLength(count);
  expect(events.map(({ at }) => at)).toEqual(events.map(({ at }) => at).sort((a, b) => a - b));
  expect(await runDurableObjectAlarm(accountOf(person))).toBe(false);
});

it("a shipment whose answer is lost is repeated, and nothing arrives twice", async () => {
  const person = await newPerson();
  await logIn(person);
  await runInDurableObject(accountOf(person), async (object) => {
    const shipment = storeOf(object).shipment();
    await eventStoreOf(env.EVENTS).add(shipment?.events ?? []);
  });
  await evictDurableObject(accountOf(person));
  expect((await eventsOf(person)).map(inShort)).toEqual(["authn_login_success pwd"]);
});

it("one alarm ships events and tells of ended sessions, whichever of the two has failed", async () => {
  const person = await newPerson();
  const { body: one } = await logIn(person);
  const events = await eventsBy(person, async () => {
    await withoutTheList(async () => {
      await call("/auth/logout", { refresh_token: one.refresh_token });
      await runDurableObjectAlarm(accountOf(person));
    });
    expect((await listedSessions()).has(String(one.session_id))).toBe(false);
  });
  expect(events.map(inShort)).toEqual(["authn_token_revoked logged_out"]);
  await untilListed([one.session_id]);
  const { body: other } = await logIn(person);
  const later = await eventsBy(person, () =>
    withoutEvents(async () => {
      await call("/auth/logout", { refresh_token: other.refresh_token });
      await runDurableObjectAlarm(accountOf(person));
      await untilListed([other.session_id]);
    }),
  );
  expect(later.map(inShort)).toContain("authn_token_revoked logged_out");
});

it("a decision that could not be written leaves no event", async () => {
  const person = await newPerson();
  await logIn(person);
  await shipAll();
  const inStorage = (query: string) =>
    runInDurableObject(accountOf(person), (_, { storage }) => {
      storage.sql.exec(query);
    });
  for (const table of ["sessions", "guard"]) {
    const events = await eventsBy(person, async () => {
      await inStorage(`CREATE TRIGGER broken BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'broken'); END`);
      expect((await logIn(person)).status).toBe(503);
      await inStorage("DROP TRIGGER broken");
      pass(SECOND);
      expect((await signInNow(person)).status).toBe(200);
    });
    expect(events.map(inShort)).toEqual(["authn_login_success pwd"]);
  }
});
