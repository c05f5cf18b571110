import { createExecutionContext, runDurableObjectAlarm, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { app } from "../../../src/app.ts";
import { eventReaderOf } from "../../../src/events/event-reader.ts";
import type { StoredEvent } from "../../../src/events/event-store.ts";
import { signAccessToken } from "../../../src/tokens/access-token.ts";
import type { Proof } from "../../../src/tokens/proof.ts";
import {
  accountOf,
  call,
  claimsOf,
  type GuardedPerson,
  ISSUER,
  newGuardedPerson,
  newSource,
  type Person,
  ring,
} from "../../support/in-worker.ts";
import { freshBearer } from "./account-life.ts";
import { seconds } from "./moved-clock.ts";

/** Somebody who administers others, and an access token with a factor of a moment ago. */
export interface Admin extends GuardedPerson {
  bearer: string;
}

/** Gives or takes roles behind the back of the service. */
export async function setRoles({ id }: Person, roles: string[]): Promise<void> {
  await env.DB.prepare("UPDATE users SET roles = ? WHERE id = ?").bind(JSON.stringify(roles), id).run();
}

/** Somebody with a factor and the role. The clock must be moved. */
export async function newAdmin(): Promise<Admin> {
  const person = await newGuardedPerson();
  await setRoles(person, ["admin"]);
  return { ...person, bearer: await freshBearer(person) };
}

/** A token of the same living session that says something else of what was proven. */
export async function tokenWith(bearer: string, factors: Proof): Promise<string> {
  const { sub, sid, roles } = claimsOf(bearer) as { sub: string; sid: string; roles: string[] };
  const subject = { accountId: sub, sessionId: sid, audience: ISSUER, roles, factors };
  return signAccessToken(await ring(), ISSUER, subject, Date.now(), 300);
}

/** What the API answers, without waiting for the end of a stream or an export. */
export interface AdminAnswer {
  status: number;
  headers: Headers;
  code: unknown;
}

/** Asks for something of the API, and lets go of what does not end soon. */
export async function askAdmin(path: string, { method = "GET", body, bearer, headers, bindings = env }: AdminCall) {
  const context = createExecutionContext();
  const authorization = bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` };
  const init = {
    method,
    headers: { "Content-Type": "application/json", "CF-Connecting-IP": newSource(), ...authorization, ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  };
  const response = await app.fetch(new Request(`${ISSUER}/admin/api${path}`, init), bindings, context);
  const isJson = /json$/.test(response.headers.get("Content-Type") ?? "");
  const isLines = response.headers.get("Content-Type") === "application/x-ndjson";
  const read = isJson && !isLines ? ((await response.json()) as { code?: unknown }) : {};
  if (!response.bodyUsed) await response.body?.cancel();
  await waitOnExecutionContext(context);
  return { status: response.status, headers: response.headers, code: read.code } satisfies AdminAnswer;
}

/** How a request differs from the usual one. */
export interface AdminCall {
  method?: string;
  body?: unknown;
  bearer?: string;
  headers?: Record<string, string>;
  bindings?: object;
}

/** When something was proven, so many seconds ago. */
export const ago = (age: number) => seconds() - age;

/** Every event that has arrived, after the objects of these people have shipped theirs. */
export async function eventsOf(...people: Person[]): Promise<StoredEvent[]> {
  for (const person of people) await runDurableObjectAlarm(accountOf(person));
  const reader = eventReaderOf(env.EVENTS);
  const bounds = await reader.bounds();
  return bounds ? reader.stretch({}, bounds.first, bounds.last) : [];
}

/** What operators have done to somebody, as it was recorded. */
export async function actsOn(person: Person): Promise<StoredEvent[]> {
  const events = await eventsOf(person);
  return events.filter(({ kind, account }) => kind === "authz_admin" && account === person.id);
}

/** What an admin does to an account. */
export const actOn = (
  { bearer }: Pick<Admin, "bearer">,
  { id }: { id: string },
  what: string,
  body: unknown = {},
  bindings: object = env,
) => call(`/admin/api/users/${id}/${what}`, body, { bearer, bindings });

/** The lines of an export. */
export async function exportLines(query: string, bearer: string): Promise<{ type: string | null; lines: string[] }> {
  const context = createExecutionContext();
  const headers = { Authorization: `Bearer ${bearer}` };
  const response = await app.fetch(
    new Request(`${ISSUER}/admin/api/events/export?${query}`, { headers }),
    env,
    context,
  );
  const text = await response.text();
  await waitOnExecutionContext(context);
  if (response.status !== 200) throw new Error(text);
  return { type: response.headers.get("Content-Type"), lines: text === "" ? [] : text.trimEnd().split("\n") };
}
