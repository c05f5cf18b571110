import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { type Instance, startInstance } from "../../scripts/instance.mjs";
import { cheapConfig } from "./cheap-hashes.ts";
import { type Answer, type Call, get, issuer, type Json, me, post, talkTo, text } from "./client.ts";
import { freshByPasskey } from "./life-client.ts";
import { type PasskeyPerson, passkeyPerson } from "./passkey-client.ts";

const ROOT = join(import.meta.dirname, "../..");

/** What a command printed, and how it ended. */
export interface Ran {
  code: number;
  output: string;
}

/** `npm run <script> -- …` against a private instance. */
export function npmRun({ state, url }: Instance, script: string, ...args: string[]): Promise<Ran> {
  const command = ["run", "--silent", script, "--", ...args, "--state", state, "--url", url];
  return new Promise((resolve) => {
    execFile("npm", command, { cwd: ROOT }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

/** Somebody with a passkey, and the id of the account. */
export type Known = PasskeyPerson & { id: string };

/** The id of an account, by a session of it. */
export const accountId = async (access: string): Promise<string> => text(await me(access), "id");

/** Somebody with a passkey and without any role. */
export async function knownPerson(): Promise<Known> {
  const person = await passkeyPerson();
  return { ...person, id: await accountId(person.session.access) };
}

/** `npm run admin -- grant`: makes somebody an operator, which ends all sessions of the account. */
export async function grant(instance: Instance, { email }: { email: string }): Promise<void> {
  const { code, output } = await npmRun(instance, "admin", "grant", email);
  expect(code, output).toBe(0);
}

/** A private instance that `client.ts` talks to from then on, and its first operator. */
export interface Operated {
  instance: Instance;
  admin: Known;
}

/** Starts an instance and makes its first operator. Whoever calls this ends it, and talks to the shared one again. */
export async function operatedInstance(vars: Record<string, string> = {}): Promise<Operated> {
  const instance = await startInstance({ vars, args: ["--config", cheapConfig()] });
  talkTo(instance.url);
  const admin = await knownPerson();
  await grant(instance, admin);
  return { instance, admin };
}

let common: Promise<Operated> | undefined;

/** The instance with an operator that files share which break nothing for one another; it ends with its place of the pool. */
export async function talkToOperated(): Promise<Operated> {
  common ??= operatedInstance();
  const operated = await common;
  talkTo(operated.instance.url);
  return operated;
}

/** A fresh access token of an operator. */
export const operatorToken = (admin: PasskeyPerson): Promise<string> => freshByPasskey(admin);

/** `GET /admin/api…`. */
export const adminGet = (path: string, bearer: string, call: Call = {}): Promise<Answer> =>
  get(`/admin/api${path}`, { bearer, ...call });

/** `POST /admin/api…`. */
export const adminPost = (path: string, bearer: string, body: unknown = {}, call: Call = {}): Promise<Answer> =>
  post(`/admin/api${path}`, body, { bearer, ...call });

/** Has the minute cron come now. */
export async function minuteCron(): Promise<void> {
  const response = await fetch(`${issuer}/cdn-cgi/local/scheduled?cron=*+*+*+*+*`);
  expect(response.ok, await response.text()).toBe(true);
}

/** Looks until there is something to see; twenty seconds are enough for what travels by alarm. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined>, seconds = 20): Promise<T> {
  for (const end = Date.now() + seconds * 1000; ; await sleep(400)) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > end) throw new Error(`within ${seconds} seconds there was no ${what}`);
  }
}

/** One page of `GET /admin/api/events`, and the cursor of the next one. */
export interface Page {
  events: Json[];
  cursor: string | undefined;
}

/** A list that the contract names. */
export function listed(answer: Answer, member: string): Json[] {
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body[member], answer.text.slice(0, 300)).toBeInstanceOf(Array);
  return answer.body[member] as Json[];
}

/** `GET /admin/api/events`. */
export async function eventsPage(bearer: string, query: Record<string, string> = {}): Promise<Page> {
  const answer = await adminGet(`/events?${new URLSearchParams(query)}`, bearer);
  const next = answer.body.next_cursor;
  return { events: listed(answer, "events"), cursor: next === null ? undefined : text(answer, "next_cursor") };
}

/** All pages of `GET /admin/api/events`. */
export async function allEvents(bearer: string, query: Record<string, string> = {}): Promise<Json[]> {
  const events: Json[] = [];
  let cursor: string | undefined;
  // A page may be short where matches are rare: the end is where no cursor is.
  for (let pages = 0; pages < 500; pages++) {
    const page = await eventsPage(bearer, cursor === undefined ? query : { ...query, cursor });
    events.push(...page.events);
    cursor = page.cursor;
    if (cursor === undefined) return events;
  }
  throw new Error("the pages of events do not end");
}

/** The lines of `GET /admin/api/events/export`. */
export async function exported(bearer: string): Promise<{ answer: Answer; events: Json[] }> {
  const answer = await adminGet("/events/export", bearer);
  expect(answer.status, answer.text).toBe(200);
  const lines = answer.text.split("\n").filter((line) => line !== "");
  return { answer, events: lines.map((line) => JSON.parse(line) as Json) };
}

/** Whether an event says something, in whichever member. */
export const says = (event: Json, word: string): boolean => JSON.stringify(event).includes(word);

/** The first event with all these words in it, once it has arrived. */
export const eventWith = (bearer: string, ...words: string[]): Promise<Json> =>
  eventually(`event of ${words.join(" and ")}`, async () =>
    (await allEvents(bearer)).find((event) => words.every((word) => says(event, word))),
  );
