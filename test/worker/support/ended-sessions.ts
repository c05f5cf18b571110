import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { type Answer, type Call, call } from "../../support/in-worker.ts";

/** The list of ended sessions, as a service asks for it. */
export const readFeed = (options: Call = {}): Promise<Answer> =>
  call("/.well-known/revoked-sessions", undefined, options);

/** What it says, by the published keys; its dates are for the test to judge. */
export async function feedClaims(feed: Answer) {
  const keys = (await call("/.well-known/jwks.json")).body as unknown as JSONWebKeySet;
  const { payload, protectedHeader } = await jwtVerify(feed.text, createLocalJWKSet(keys), {
    currentDate: new Date(),
  });
  return { payload, protectedHeader };
}

/** The ended sessions that the directory knows, and until when each is listed. */
export async function listedSessions(): Promise<Map<string, number>> {
  const { results } = await env.DB.prepare("SELECT sid, until FROM ended_sessions").all<{
    sid: string;
    until: number;
  }>();
  return new Map(results.map(({ sid, until }) => [sid, until]));
}

/** Waits until these are listed: what ends by the way is told right behind the answer. */
export async function untilListed(sids: unknown[]): Promise<void> {
  await until(async () => {
    const listed = await listedSessions();
    return sids.every((sid) => listed.has(String(sid)));
  }, `${sids} listed`);
}

/** Not `vi.waitFor`, which moves a clock that stands still. */
async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await isSo()) return;
    await scheduler.wait(20);
  }
  throw new Error(`not ${what}`);
}

/** Waits until no account of this file has anything left to tell. */
export async function allIsTold(): Promise<void> {
  const marks = "SELECT COUNT(*) AS n FROM sessions WHERE state NOT LIKE '{%'";
  const left = (id: DurableObjectId) =>
    runInDurableObject(env.ACCOUNTS.get(id), (_, { storage }) => storage.sql.exec(marks).one().n);
  for (const id of await listDurableObjectIds(env.ACCOUNTS))
    await until(async () => (await left(id)) === 0, "all told");
}

/** Takes the table away for as long as `work` lasts: whatever is told meanwhile is not heard. */
export async function withoutTheList<T>(work: () => Promise<T>): Promise<T> {
  await env.DB.prepare("ALTER TABLE ended_sessions RENAME TO ended_sessions_away").run();
  try {
    return await work();
  } finally {
    await env.DB.prepare("ALTER TABLE ended_sessions_away RENAME TO ended_sessions").run();
  }
}
