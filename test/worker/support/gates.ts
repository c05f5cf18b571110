import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { emailKey } from "../../../src/directory/email-key.ts";
import { eventStoreOf, type StoredEvent } from "../../../src/events/event-store.ts";
import type { Attempt, FailedAttempt } from "../../../src/gate/attempt.ts";
import type { Outcome } from "../../../src/gate/gate-object.ts";
import { clientNetwork } from "../../../src/gate/network.ts";
import { emailGate, type GateRequest } from "../../../src/gate/subjects.ts";
import { ADDRESS_FAILURES, ADDRESS_FAILURES_MAX } from "../../../src/policy.ts";
import { ring as keyRing, newSource } from "../../support/in-worker.ts";

/** An address that no other test has. */
export const newAddress = () => `${crypto.randomUUID()}@example.com`;

/** A client that no other test has. */
export const newNetwork = () => clientNetwork(newSource());

/** The shard of a request. */
export const gateOf = ({ shard }: GateRequest) => env.GATES.getByName(shard);

export const reserve = (gate: GateRequest, attempt?: Attempt) => gateOf(gate).reserve(gate.subjects, attempt);

export const settle = (gate: GateRequest, reservation: string, outcome: Outcome, failed?: FailedAttempt) =>
  gateOf(gate).settle(reservation, gate.subjects, outcome, failed);

/** Reserves a try that must be let through. */
export async function admitted(gate: GateRequest): Promise<string> {
  const answer = await reserve(gate);
  if ("refused" in answer) throw new Error(`refused: ${answer.refused}`);
  return answer.reservation;
}

/** A try that is let through and wrong. */
export async function fail(gate: GateRequest, failed?: FailedAttempt): Promise<void> {
  await settle(gate, await admitted(gate), "wrong", failed);
}

export async function failTimes(count: number, gate: GateRequest): Promise<void> {
  for (let i = 0; i < count; i += 1) await fail(gate);
}

/** Why a gate refuses a try, if it does. One that it lets through is released. */
export async function refusalOf(gate: GateRequest): Promise<string | undefined> {
  const answer = await reserve(gate);
  if ("refused" in answer) return answer.refused;
  await settle(gate, answer.reservation, "released");
  return undefined;
}

/** Has the alarm of a gate ring now. False when none was set. */
export const ring = (gate: GateRequest) => runDurableObjectAlarm(gateOf(gate));

/** When the alarm of a gate is to ring, epoch milliseconds. */
export const ringsAt = (gate: GateRequest) => runInDurableObject(gateOf(gate), (_, { storage }) => storage.getAlarm());

/** How many rows a gate has in this table. */
export const rowsOf = (gate: GateRequest, table = "windows", where = "1") =>
  runInDurableObject(gateOf(gate), (_, { storage }) => {
    if (storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = ?", table).toArray().length === 0) return 0;
    return storage.sql.exec<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table} WHERE ${where}`).one().n;
  });

/** The events that have arrived from this group of sources, the oldest first. */
export async function eventsFrom(source: string): Promise<StoredEvent[]> {
  const all = await eventStoreOf(env.EVENTS).after(0, 1_000_000);
  return all.filter((event) => event.source === source);
}

/** Has an address ask for a proof: twenty failures, each from a client of its own. */
export async function askForProof(email: string): Promise<void> {
  const key = emailKey(email) ?? "";
  for (let i = 0; i < ADDRESS_FAILURES; i += 1) await fail(await emailGate(await keyRing(), key, newNetwork()));
}

/** Brings an address, at which nothing has failed, to its cap, or so many failures short of it. */
export async function closeAddress(email: string, short = 0): Promise<void> {
  const key = emailKey(email) ?? "";
  await askForProof(email);
  for (let i = ADDRESS_FAILURES; i < ADDRESS_FAILURES_MAX - short; i += 1) {
    await fail(await emailGate(await keyRing(), key, newNetwork(), { proofId: crypto.randomUUID() }));
  }
}
