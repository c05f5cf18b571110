import { listDurableObjectIds, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { eventStoreOf, type StoredEvent } from "../../../src/events/event-store.ts";
import {
  accountOf,
  type GuardedPerson,
  logIn,
  newGuardedPerson,
  newPerson,
  type Person,
} from "../../support/in-worker.ts";

/** Has every account and every gate of this file ship what it has recorded, and waits for it. */
export async function shipAll(): Promise<void> {
  for (const id of await listDurableObjectIds(env.ACCOUNTS)) await runDurableObjectAlarm(env.ACCOUNTS.get(id));
  // Not left to the clock: where it is moved, an alarm is set to a time that the real one may not reach.
  for (const id of await listDurableObjectIds(env.GATES)) await runDurableObjectAlarm(env.GATES.get(id));
}

/** The events of an account, the oldest first, those of a moment ago among them. */
export async function eventsOf(person: Pick<Person, "id">): Promise<StoredEvent[]> {
  await runDurableObjectAlarm(accountOf(person as Person));
  return (await eventStoreOf(env.EVENTS).ofAccount(person.id, 1_000)).sort((a, b) => a.seq - b.seq);
}

/** Those that `act` leaves. */
export async function eventsBy(person: Pick<Person, "id">, act: () => Promise<unknown>): Promise<StoredEvent[]> {
  const before = new Set((await eventsOf(person)).map(({ id }) => id));
  await act();
  return (await eventsOf(person)).filter(({ id }) => !before.has(id));
}

/** What an event is, in one line: kind, reason, factor. */
export function inShort({ kind, reason, factor }: StoredEvent): string {
  return [kind, reason, factor].filter((part) => part !== undefined).join(" ");
}

/** Rows that D1 writes through prepared statements while `work` runs, wherever in this isolate. */
export async function d1RowsWritten(work: () => Promise<unknown>): Promise<number> {
  const prototype = Object.getPrototypeOf(env.EVENTS.prepare("SELECT 1")) as D1PreparedStatement;
  const original = prototype.run;
  let rows = 0;
  prototype.run = async function run(this: D1PreparedStatement) {
    const result = (await Reflect.apply(original, this, [])) as D1Result<never>;
    rows += result.meta.rows_written;
    return result;
  };
  try {
    await work();
  } finally {
    prototype.run = original;
  }
  return rows;
}

/** Gets somebody ready, and says what is then to be done. */
export type Scene = () => Promise<{ person: Person; act: () => Promise<unknown> }>;

/** A scene, and the events that it leaves, in short. */
export type Recording = [scene: Scene, events: string[]];

/** A scene of somebody who has an authenticator. */
export async function guarded(act: (person: GuardedPerson) => Promise<unknown>) {
  const person = await newGuardedPerson();
  return { person, act: () => act(person) };
}

/** A scene of somebody who is signed in by a password. */
export async function signedIn(act: (bearer: unknown, person: Person, token: unknown) => Promise<unknown>) {
  const person = await newPerson();
  const { body } = await logIn(person);
  return { person, act: () => act(body.access_token, person, body.refresh_token) };
}
