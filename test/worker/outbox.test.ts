import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import type { AccountObject } from "../../src/account/account-object.ts";
import type { AccountStore } from "../../src/account/account-store.ts";
import { eventStoreOf } from "../../src/events/event-store.ts";
import { securityEvent } from "../../src/events/security-event.ts";
import { rowsWritten } from "../support/rows-written.ts";

const storeOf = (object: AccountObject) => (object as unknown as { store: AccountStore }).store;

it("an event is one row with the guard, one with the alarm, and arrives once", async () => {
  const account = crypto.randomUUID();
  const stub = env.ACCOUNTS.getByName(account);
  const record = () =>
    runInDurableObject(stub, async (object) => {
      storeOf(object).record(securityEvent({ kind: "authn_login_fail", account }, undefined, Date.now()));
    });
  await record();
  expect(await rowsWritten(record)).toBe(1);
  expect(await runDurableObjectAlarm(stub)).toBe(true);
  expect(await eventStoreOf(env.EVENTS).ofAccount(account, 10)).toHaveLength(2);
  expect(await runDurableObjectAlarm(stub)).toBe(false);
});
