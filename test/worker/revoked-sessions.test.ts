import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { endedSessionsOf } from "../../src/directory/ended-sessions.ts";
import { REFRESH_GRACE_MS } from "../../src/policy.ts";
import { REVOKED_SESSION_LISTED_MS, REVOKED_SESSIONS_MAX } from "../../src/token-policy.ts";
import { countingBindings } from "../support/counting.ts";
import { accountOf, call, claimsOf, ISSUER, logIn, newPerson, type Person, refresh } from "../support/in-worker.ts";
import { changeGuard } from "./support/account.ts";
import {
  allIsTold,
  feedClaims,
  listedSessions,
  readFeed,
  untilListed,
  withoutTheList,
} from "./support/ended-sessions.ts";
import { DAY, pass, SECOND, seconds, useMovedClock } from "./support/moved-clock.ts";
import { runMinute } from "./support/operations.ts";

useMovedClock();

/** Somebody with one session. */
async function signedIn() {
  const person = await newPerson();
  const { body } = await logIn(person);
  return { person, bearer: body.access_token, token: body.refresh_token, sid: String(body.session_id) };
}

const logOut = (refreshToken: unknown) => call("/auth/logout", { refresh_token: refreshToken });

/** The rows of the account's table of sessions, marks included. */
const rowsOf = (person: Person) =>
  runInDurableObject(
    accountOf(person),
    (_, { storage }) => storage.sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM sessions").one().n,
  );

const feedSids = async () => (await feedClaims(await readFeed())).payload.sids as string[];

describe("the list of ended sessions", () => {
  it("is a JWS of its own type that anybody may read and keep for ten seconds", async () => {
    const { token, sid } = await signedIn();
    await logOut(token);
    const feed = await readFeed({ headers: { Origin: "https://anywhere.example" } });
    expect([feed.status, feed.headers.get("Content-Type")]).toEqual([200, "application/jwt"]);
    expect(feed.headers.get("Cache-Control")).toBe("public, max-age=10");
    expect(feed.headers.get("Access-Control-Allow-Origin")).toBe("*");
    expect(feed.headers.get("Access-Control-Allow-Credentials")).toBeNull();
    const { payload, protectedHeader } = await feedClaims(feed);
    expect(protectedHeader).toEqual({ alg: "ES256", typ: "revoked+jwt", kid: expect.any(String) });
    const iat = seconds();
    expect(payload).toEqual({ iss: ISSUER, iat, exp: iat + 120, not_before: 0, sids: expect.any(Array) });
    expect(payload.sids).toContain(sid);
    expect(payload.sids).toEqual((payload.sids as string[]).toSorted());
  });

  it("names so many and no more: what does not fit in is over by its time", async () => {
    const { bearer } = await signedIn();
    const { iat } = claimsOf(bearer) as { iat: number };
    // As many as fit in, all of which ended after the one that was told first.
    const until = Date.now() + REVOKED_SESSION_LISTED_MS;
    const names = JSON.stringify(Array.from({ length: REVOKED_SESSIONS_MAX }, (_, index) => `s${index}`));
    const insert = "INSERT INTO ended_sessions SELECT value, ? FROM json_each(?)";
    await env.DB.prepare("INSERT INTO ended_sessions VALUES ('first', ?)").bind(until).run();
    pass(SECOND);
    await env.DB.prepare(insert)
      .bind(until + SECOND, names)
      .run();
    const { payload } = await feedClaims(await readFeed());
    expect(payload.sids).toHaveLength(REVOKED_SESSIONS_MAX);
    expect(payload.sids).not.toContain("first");
    expect(payload.not_before).toBe(seconds());
    expect(iat).toBeLessThan(payload.not_before as number);
    await env.DB.prepare("DELETE FROM ended_sessions").run();
    pass(2 * SECOND);
    expect((await feedClaims(await readFeed())).payload.not_before).toBe(0);
  });

  it("is no access token, and an access token is no list", async () => {
    const { bearer } = await signedIn();
    const feed = await readFeed();
    expect((await call("/auth/me", undefined, { bearer: feed.text })).body.code).toBe("invalid_token");
    expect((await call("/auth/me", undefined, { bearer })).status).toBe(200);
  });

  it("holds an entry for as long as a token could be taken, and not a moment longer", async () => {
    const { token, sid } = await signedIn();
    await logOut(token);
    pass(REVOKED_SESSION_LISTED_MS - 1);
    expect(await feedSids()).toContain(sid);
    pass(SECOND);
    expect(await feedSids()).not.toContain(sid);
  });

  it("is read once a second at most, however many ask, and at once after something has ended", async () => {
    pass(10 * SECOND);
    const counted = countingBindings();
    const ask = () => readFeed({ bindings: counted.bindings });
    const reads = () => counted.names().filter((name) => name.startsWith("d1.")).length;
    await ask();
    await Promise.all(Array.from({ length: 30 }, ask));
    pass(SECOND - 1);
    await ask();
    expect(reads()).toBe(1);
    pass(1);
    await ask();
    expect(reads()).toBe(2);
    const { token, sid } = await signedIn();
    await logOut(token);
    expect((await feedClaims(await ask())).payload.sids).toContain(sid);
    expect(reads()).toBe(3);
  });

  it("is read by whoever asks while another's read is on its way: nobody waits for what may have been dropped", async () => {
    pass(10 * SECOND);
    const never = { prepare: () => ({ bind: () => ({ all: () => new Promise(() => {}) }) }) };
    const dropped = endedSessionsOf(never as unknown as D1Database).list(Date.now());
    expect((await readFeed()).status).toBe(200);
    await expect(Promise.race([dropped, scheduler.wait(1)])).resolves.toBeUndefined();
  });

  it("does not remember a read that began before a session ended here", async () => {
    pass(25 * SECOND);
    let go = () => {};
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const all = () => held.then(() => ({ results: [] }));
    const slow = { prepare: () => ({ bind: () => ({ all }) }) } as unknown as D1Database;
    const slowRead = endedSessionsOf(slow).list(Date.now());
    const { token, sid } = await signedIn();
    await logOut(token);
    go();
    await slowRead;
    expect(await feedSids()).toContain(sid);
  });

  it("is as old as what was read, however late it is signed", async () => {
    pass(15 * SECOND - (Date.now() % SECOND) + 900);
    const [first] = [await feedClaims(await readFeed()), pass(200)];
    const again = await feedClaims(await readFeed());
    expect(again.payload.iat).toBe(first.payload.iat);
  });

  it("is not answered while D1 does not answer, and is read anew after that", async () => {
    pass(10 * SECOND);
    const failed = await withoutTheList(() => readFeed());
    expect([failed.status, failed.body.code]).toEqual([503, "unavailable"]);
    expect((await readFeed()).status).toBe(200);
  });
});

describe("what is past", () => {
  it("leaves the table with the minute, and what is listed stays", async () => {
    const past = await signedIn();
    await logOut(past.token);
    pass(REVOKED_SESSION_LISTED_MS - SECOND);
    const current = await signedIn();
    await logOut(current.token);
    pass(SECOND);
    await runMinute();
    const listed = await listedSessions();
    expect([listed.has(past.sid), listed.has(current.sid)]).toEqual([false, true]);
  });

  it("leaves it however much it is", async () => {
    const many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)";
    await env.DB.prepare(`INSERT INTO ended_sessions ${many} SELECT 'past' || i, ? FROM n`).bind(Date.now()).run();
    await runMinute();
    expect([...(await listedSessions()).keys()].filter((sid) => sid.startsWith("past"))).toEqual([]);
  });
});

describe("a session that ends while D1 does not answer", () => {
  it("is over all the same, and listed with the account's next call", async () => {
    const { person, bearer, token, sid } = await signedIn();
    expect((await withoutTheList(() => logOut(token))).status).toBe(204);
    expect((await call("/auth/me", undefined, { bearer })).body.code).toBe("invalid_token");
    await untilListed([sid]);
    await allIsTold();
    expect(await rowsOf(person)).toBe(0);
  });

  it("is listed when its logout is tried again", async () => {
    const { token, sid } = await signedIn();
    await withoutTheList(() => logOut(token));
    expect((await logOut(token)).status).toBe(204);
    expect((await listedSessions()).has(sid)).toBe(true);
  });

  it("is listed by an alarm if nobody comes back, as one that ended when it did", async () => {
    const { person, token, sid } = await signedIn();
    const endedAt = Date.now();
    await withoutTheList(() => logOut(token));
    pass(60 * SECOND);
    expect(await runDurableObjectAlarm(accountOf(person))).toBe(true);
    expect((await listedSessions()).get(sid)).toBe(endedAt + REVOKED_SESSION_LISTED_MS);
    expect(await runDurableObjectAlarm(accountOf(person))).toBe(false);
  });

  it("is not listed any more when no token of it can be alive", async () => {
    const { person, bearer, token, sid } = await signedIn();
    await withoutTheList(() => logOut(token));
    pass(REVOKED_SESSION_LISTED_MS);
    await call("/auth/me", undefined, { bearer });
    await logOut(token);
    expect([await rowsOf(person), (await listedSessions()).has(sid)]).toEqual([0, false]);
  });
});

describe("an object that is gone the moment it has ended a session", () => {
  it("finds it when it is back", async () => {
    const { person, token, sid } = await signedIn();
    await withoutTheList(async () => {
      await refresh(token);
      pass(REFRESH_GRACE_MS);
      expect((await refresh(token)).status).toBe(401);
      await evictDurableObject(accountOf(person));
    });
    expect((await listedSessions()).has(sid)).toBe(false);
    await logIn(person);
    await untilListed([sid]);
  });

  it("loses nothing while it tells", async () => {
    const { person, token, sid } = await signedIn();
    await refresh(token);
    pass(REFRESH_GRACE_MS);
    await refresh(token);
    await evictDurableObject(accountOf(person));
    await logIn(person);
    await untilListed([sid]);
  });
});

describe("a session that costs nothing to forget", () => {
  it("is one that ran out so long ago that no token of it is left", async () => {
    const { person, token, sid } = await signedIn();
    pass(40 * DAY);
    expect((await refresh(token)).status).toBe(401);
    expect([await rowsOf(person), (await listedSessions()).has(sid)]).toEqual([0, false]);
  });

  it("is one of before an emergency drop: the keys of its tokens are gone", async () => {
    const { person, sid } = await signedIn();
    await changeGuard(person, (guard) => {
      guard.epoch -= 1;
    });
    await runInDurableObject(accountOf(person), (_, { storage }) => {
      storage.sql.exec("UPDATE sessions SET state = json_set(state, '$.epoch', 0)");
    });
    await logIn(person);
    expect([await rowsOf(person), (await listedSessions()).has(sid)]).toEqual([1, false]);
  });
});
