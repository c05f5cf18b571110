import {
  createExecutionContext,
  createScheduledController,
  runInDurableObject,
  waitOnExecutionContext,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import worker from "../../../src/index.ts";
import { APPOINTMENT_RETRY_MS } from "../../../src/policy.ts";
import { signAccessToken } from "../../../src/tokens/access-token.ts";
import { sealLink } from "../../../src/tokens/one-time-link.ts";
import {
  type Answer,
  accountOf,
  call,
  ISSUER,
  logIn,
  newPerson,
  type Person,
  refresh,
  ring,
} from "../../support/in-worker.ts";
import { guardOf } from "../support/account.ts";
import {
  cancelDeletion,
  deleteMe,
  deletionLink,
  forgot,
  freeze,
  linksTo,
  linkTo,
  move,
  NEW_PASSWORD,
  noticeOf,
  reset,
  startRecovery,
  undoEmail,
  userOf,
  verifyEmail,
} from "../support/account-life.ts";
import { brokenAt } from "../support/broken-stores.ts";
import { Browser } from "../support/browser.ts";
import { DAY, pass, useMovedClock } from "../support/moved-clock.ts";
import { runMinute } from "../support/operations.ts";
import { newPasskeyPerson, type PasskeyPerson, signInByPasskey } from "../support/passkeys.ts";

useMovedClock();

/** Everything that is stored of an account, in both stores. */
async function tracesOf(person: Person) {
  const count = (place: string) =>
    env.DB.prepare(`SELECT COUNT(*) AS n FROM ${place} = ?`).bind(person.id).first<number>("n");
  const places = [
    "users WHERE id",
    "passkey_owners WHERE user_id",
    "reserved_emails WHERE user_id",
    "appointments WHERE user_id",
  ];
  const rows = await Promise.all(places.map(count));
  const inside = await runInDurableObject(accountOf(person), (_, { storage }) =>
    ["guard", "sessions", "factors"].map((table) => storage.sql.exec(`SELECT * FROM ${table}`).toArray().length),
  );
  return { rows, inside, life: (await guardOf(person)).life };
}

/** What is left of an account that is no more. */
const TOMBSTONE = { rows: [0, 0, 0, 0], inside: [1, 0, 0], life: { isBuried: true } };

/** Somebody who has left all the traces there can be, and the link that keeps the account. */
async function leavingPerson(): Promise<{
  person: PasskeyPerson;
  access: unknown;
  refreshToken: unknown;
  keep: string;
}> {
  const person = await newPasskeyPerson();
  await move(
    person,
    signInByPasskey(person.key).then(({ body }) => body.access_token),
  );
  const browser = new Browser();
  const { body } = await signInByPasskey(person.key);
  await signInByPasskey(person.key, { browser });
  const closed = await deleteMe(body.access_token);
  const deletes_at = new Date(Date.now() + 3 * DAY).toISOString();
  expect(closed.text).toBe(JSON.stringify({ status: "deletion_scheduled", deletes_at }));
  const there = { ...person, email: `moved.${person.email}` };
  const { access_token: access, refresh_token: refreshToken } = body;
  return { person: there, access, refreshToken, keep: linkTo(there.email, "cancel-deletion") };
}

describe("an account that is deleted", () => {
  it("is closed at once, and can be kept to the last millisecond", async () => {
    const { person, access, refreshToken, keep } = await leavingPerson();
    expect((await logIn(person)).body.code).toBe("sign_in_failed");
    expect((await signInByPasskey(person.key)).status).toBe(401);
    expect((await refresh(refreshToken)).status).toBe(401);
    expect((await call("/auth/me", undefined, { bearer: access })).status).toBe(401);
    await forgot(person);
    expect(linksTo(person.email, "reset-password")).toEqual([]);
    pass(3 * DAY - 1);
    await runMinute();
    expect((await cancelDeletion(keep)).status).toBe(200);
    pass(1);
    await runMinute();
    expect((await userOf(person))?.status).toBe("active");
    expect((await signInByPasskey(person.key)).status).toBe(200);
  });

  it("is gone after three days: all of it, in both stores", async () => {
    const { person, access, refreshToken, keep } = await leavingPerson();
    expect((await tracesOf(person)).rows).toEqual([1, 1, 1, 2]);
    pass(3 * DAY);
    // Here as the platform does it.
    const context = createExecutionContext();
    await worker.scheduled(createScheduledController(), env, context);
    await waitOnExecutionContext(context);
    expect(await tracesOf(person)).toEqual(TOMBSTONE);
    for (const answer of [await cancelDeletion(keep), await freeze(await noticeOf(person))]) {
      expect(answer.body.code).toBe("invalid_link");
    }
    expect((await refresh(refreshToken)).body.code).toBe("invalid_refresh_token");
    expect((await signInByPasskey(person.key)).body.code).toBe("invalid_code");
    expect((await call("/auth/me", undefined, { bearer: access })).status).toBe(401);
    await runMinute(Date.now() + DAY);
    expect(await tracesOf(person)).toEqual(TOMBSTONE);
  });

  it("leaves its address to the next, who is somebody else, and whom no old token names", async () => {
    const person = await newPerson();
    const { body: old } = await logIn(person);
    await deletionLink(person);
    await call("/auth/register", { email: person.email, password: NEW_PASSWORD });
    expect(linksTo(person.email, "verify-email")).toEqual([]);
    pass(3 * DAY);
    await runMinute();
    await call("/auth/register", { email: person.email, password: NEW_PASSWORD });
    expect((await verifyEmail(linkTo(person.email, "verify-email"), NEW_PASSWORD)).status).toBe(200);
    const next = await logIn({ ...person, password: NEW_PASSWORD });
    const me = await call("/auth/me", undefined, { bearer: next.body.access_token });
    expect(me.body.id).not.toBe(person.id);
    const subject = { accountId: person.id, sessionId: String(old.session_id), audience: ISSUER, roles: [] };
    const factors = { pwd: Math.floor(Date.now() / 1000) };
    const forged = await signAccessToken(await ring(), ISSUER, { ...subject, factors }, Date.now(), 300);
    expect((await call("/auth/me", undefined, { bearer: forged })).body.code).toBe("invalid_token");
    expect((await call("/auth/export", undefined, { bearer: forged })).body.code).toBe("invalid_token");
  });

  it("is not deleted when a freeze or an undo has stopped that", async () => {
    const frozen = await newPerson();
    await deletionLink(frozen);
    expect((await freeze(await noticeOf(frozen))).status).toBe(200);
    const moved = await newPerson();
    const { there, undo } = await move(moved);
    await deletionLink(there);
    expect((await undoEmail(undo)).status).toBe(200);
    pass(3 * DAY);
    await runMinute();
    for (const person of [frozen, moved]) {
      expect(await userOf(person)).toMatchObject({ email: person.email, status: "active" });
      expect((await tracesOf(person)).rows).toEqual([1, 0, 0, 0]);
    }
  });
});

describe("a deletion that breaks off", () => {
  it.each([
    ["before", "bury"],
    ["after", "bury"],
    ["before", "batch"],
    ["after", "batch"],
    ["before", "leaveTombstone"],
    ["after", "leaveTombstone"],
  ] as const)("%s %s is finished at the next try, and nobody comes in meanwhile", async (when, at) => {
    const { person } = await leavingPerson();
    pass(3 * DAY);
    const { bindings, isMet } = brokenAt({ at, when });
    await runMinute(Date.now(), bindings);
    expect(isMet()).toBe(true);
    expect((await logIn(person)).status).toBe(401);
    expect((await signInByPasskey(person.key)).status).toBe(401);
    pass(APPOINTMENT_RETRY_MS);
    await runMinute();
    expect(await tracesOf(person)).toEqual(TOMBSTONE);
  });
});

describe("a request that was on its way while the account was deleted", () => {
  /** A directory that still tells of somebody what it told before. */
  async function staleDirectory({ id }: Person): Promise<object> {
    const row = await env.DB.prepare("SELECT * FROM users WHERE id = ?").bind(id).first();
    const stale = { first: async () => ({ ...row, status: "active" }) };
    const prepare = (query: string) =>
      /^SELECT .* FROM users WHERE (id|email_key) = \?$/.test(query) ? { bind: () => stale } : env.DB.prepare(query);
    const DB = { prepare, batch: (all: D1PreparedStatement[]) => env.DB.batch(all) };
    return { bindings: { ...env, DB } };
  }

  const link = async <P extends Parameters<typeof sealLink>[1]>(
    purpose: P,
    payload: Parameters<typeof sealLink<P>>[2],
  ) => sealLink(await ring(), purpose, payload, Date.now() + DAY);

  const WAYS: Record<string, (person: PasskeyPerson, options: object) => Promise<Answer>> = {
    "signs nobody in": (person, options) => logIn(person, options),
    "signs nobody in by passkey": ({ key }, options) => signInByPasskey(key, options),
    "resets nothing": async ({ id: accountId }, options) => {
      const { passwordVersion = 0 } = (await guardOf({ id: accountId } as Person)) ?? {};
      return reset(await link("reset_password", { accountId, id: "x", passwordVersion }), NEW_PASSWORD, options);
    },
    "freezes nothing": async (person, options) => freeze(await noticeOf(person), options),
    "gives no address back": async ({ id: accountId, email }, options) =>
      undoEmail(await link("undo_email", { accountId, id: "x", email }), options),
    "moves nobody": async ({ id: accountId, password }, options) =>
      verifyEmail(await link("change_email", { accountId, id: "x", email: "else@example.com" }), password, options),
  };

  it.each(Object.entries(WAYS))("%s", async (_, request) => {
    const { person } = await leavingPerson();
    const stale = await staleDirectory(person);
    pass(3 * DAY);
    await runMinute();
    const refused = await request(person, stale);
    expect([400, 401]).toContain(refused.status);
    expect(refused.text).not.toMatch(/_token"|rt_/);
    expect(await tracesOf(person)).toEqual(TOMBSTONE);
  });

  it("mails no link that opens anything", async () => {
    const { person } = await leavingPerson();
    const stale = await staleDirectory(person);
    pass(3 * DAY);
    await runMinute();
    await forgot(person, stale);
    await startRecovery(person, stale);
    expect(linksTo(person.email, "reset-password")).toEqual([]);
    expect(linksTo(person.email, "confirm-recovery")).toEqual([]);
    expect(await tracesOf(person)).toEqual(TOMBSTONE);
  });
});
