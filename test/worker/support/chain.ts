import { env } from "cloudflare:workers";
import { GENESIS, pageOf, type StoredRow } from "../../../src/events/chain.ts";
import { eventStoreOf } from "../../../src/events/event-store.ts";
import type { SecurityEvent } from "../../../src/events/security-event.ts";
import { linkEvents, setCheckpoint } from "../../../src/flows/link-events.ts";
import { type Verification, verifyEvents } from "../../../src/flows/verify-events.ts";
import type { Visit } from "../../../src/service.ts";
import { openService, type Service } from "../../../src/service.ts";

/** The service over these bindings. */
export function serviceOf(bindings: object = env): Service {
  const service = openService(bindings as Env, () => {}, {});
  if ("problems" in service) throw new Error(service.problems.join());
  return service;
}

/** The minute cron's moment; nothing of the chain asks for more than its time. */
export function visitAt(now: number): Visit {
  return { now } as Visit;
}

/** Events that nobody has seen before. */
export function newEvents(count: number, at = Date.now()): SecurityEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    id: crypto.randomUUID(),
    at: at + index,
    kind: "authn_login_fail",
    account: "a1",
    reason: "wrong_password",
    source: "192.0.2.0/24",
  }));
}

/** Has events arrive. */
export async function arrive(count: number, at?: number): Promise<void> {
  await eventStoreOf(env.EVENTS).add(newEvents(count, at));
}

/** Has events arrive and be linked, each number a page. */
export async function linkedPages(...counts: number[]): Promise<void> {
  for (const count of counts) {
    await arrive(count);
    await linkEvents(serviceOf(), visitAt(Date.now()));
  }
}

/** Signs how far the chain has come. */
export async function checkpointAt(now: number): Promise<void> {
  await setCheckpoint(serviceOf(), visitAt(now));
}

/** Checks the whole chain, in as many operations as it takes. */
export async function verified(): Promise<Exclude<Verification, { kind: "chain_goes_on" }>> {
  for (let outcome = await verifyEvents(serviceOf(), visitAt(Date.now()), undefined); ; ) {
    if (outcome.kind !== "chain_goes_on") return outcome;
    outcome = await verifyEvents(serviceOf(), visitAt(Date.now()), outcome.from);
  }
}

/** What is broken. */
export async function broken(): Promise<object> {
  const outcome = await verified();
  return outcome.kind === "chain_broken" ? outcome.broken : {};
}

/** A statement over the second database. */
export async function sql<T = Record<string, unknown>>(query: string, ...values: unknown[]): Promise<T[]> {
  return (
    await env.EVENTS.prepare(query)
      .bind(...values)
      .all<T>()
  ).results;
}

/** What a statement over the second database is refused with; empty when it is not. */
export async function refusalOf(query: string): Promise<string> {
  const done = env.EVENTS.prepare(query).run();
  return done.then(
    () => "",
    (error) => String(error),
  );
}

/** Does what triggers refuse, as somebody would who may write to the database: takes them away first. */
export async function tampered(...queries: string[]): Promise<void> {
  const triggers = await sql<{ name: string; sql: string }>(
    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
  );
  const drops = triggers.map(({ name }) => `DROP TRIGGER ${name}`);
  const all = [...drops, ...queries, ...triggers.map((trigger) => trigger.sql)];
  await env.EVENTS.batch(all.map((query) => env.EVENTS.prepare(query)));
}

/** Leaves nothing: a chain of its own for the next test. */
export async function forgetAll(): Promise<void> {
  await tampered(...["events", "event_chain", "event_checkpoints", "event_stubs"].map((name) => `DELETE FROM ${name}`));
}

/** A chain anew over what the database holds now, as somebody would forge it who knows how it is made. */
export async function relinked(): Promise<string[]> {
  const stored = await sql<{ number: number; first_seq: number; last_seq: number; made_at: number }>(
    "SELECT * FROM event_chain ORDER BY number",
  );
  let head = GENESIS;
  const queries: string[] = [];
  for (const { number, first_seq, last_seq, made_at } of stored) {
    const rows = await sql<StoredRow>(
      "SELECT * FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq",
      first_seq,
      last_seq,
    );
    const { hash, prefixes } = pageOf(head, rows, made_at);
    queries.push(`UPDATE event_chain SET hash = '${hash}', prefixes = '${prefixes}' WHERE number = ${number}`);
    head = { page: number, seq: last_seq, hash };
  }
  return queries;
}
