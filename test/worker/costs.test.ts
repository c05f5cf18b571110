import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { endedSessionsOf } from "../../src/directory/ended-sessions.ts";
import { countingBindings } from "../support/counting.ts";
import {
  answer,
  type Call,
  call,
  type GuardedPerson,
  logIn,
  newGuardedPerson,
  newPerson,
  newSource,
  type Person,
  signIn,
} from "../support/in-worker.ts";
import { alarmsSet, rowsWritten } from "../support/rows-written.ts";
import { costOf } from "./support/costs.ts";
import { d1RowsWritten, eventsBy, shipAll } from "./support/events.ts";

/** Where the people of this file sign in from; from anywhere else they would be told. */
const HOME = { source: newSource() };

describe("what a request costs with a warm key ring", () => {
  let person: Person;
  let guarded: GuardedPerson;

  beforeAll(async () => {
    person = await newPerson();
    guarded = await newGuardedPerson(HOME);
  });

  it("login: user and both gates at once, then the account object", async () => {
    const { sequential, calls } = await costOf((options) => logIn(guarded, options));
    expect(calls.filter((name) => !name.endsWith(".settle"))).toEqual([
      "account.openFirstDoor",
      "d1.first",
      "gate.reserve",
      "gate.reserve",
    ]);
    expect(sequential).toBe(2);
  });

  it("login with a wrong password: user and both gates at once, then both gates", async () => {
    const wrong = { ...person, password: "not the right password" };
    const { sequential, calls } = await costOf((options) => logIn(wrong, options));
    expect(calls).toEqual(["d1.first", "gate.reserve", "gate.reserve", "gate.settle", "gate.settle"]);
    expect(sequential).toBe(2);
  });

  it("the second door: the account object alone, and a word to the gate of the address after the answer", async () => {
    const token = (await logIn(guarded)).body.challenge_token as string;
    const { sequential, calls } = await costOf((options) => answer(token, guarded.code(0), { ...options, ...HOME }), {
      after: ["gate.sessionOpened"],
    });
    expect(calls).toEqual(["account.answer"]);
    expect(sequential).toBe(1);
  });

  it("refresh: the account object alone", async () => {
    const { body } = await logIn(person);
    const refresh = { refresh_token: body.refresh_token };
    const { calls } = await costOf((options) => call("/auth/refresh", refresh, options));
    expect(calls).toEqual(["account.refresh"]);
  });

  it("logout: the account object, which answers when D1 lists the session", async () => {
    const { body } = await logIn(person);
    const { calls, rows } = await costOf((options) =>
      call("/auth/logout", { refresh_token: body.refresh_token }, options),
    );
    expect(calls).toEqual(["account.endByRefreshToken"]);
    // The mark of the session and its going, the event; the entry.
    expect(rows).toEqual({ objects: 3, d1: 1 });
  });

  it("the list of ended sessions: one read of D1", async () => {
    const { calls, rows } = await costOf((options) => call("/.well-known/revoked-sessions", undefined, options));
    expect(calls).toEqual(["d1.all"]);
    expect(rows).toEqual({ objects: 0, d1: 0 });
  });

  it("the key set: nothing", async () => {
    const { calls } = await costOf((options) => call("/.well-known/jwks.json", undefined, options));
    expect(calls).toEqual([]);
  });

  it("me: user and account object at once", async () => {
    const bearer = (await logIn(person)).body.access_token as string;
    const { sequential, calls } = await costOf((options) => call("/auth/me", undefined, { ...options, bearer }));
    expect(calls).toEqual(["account.checkSession", "d1.first"]);
    expect(sequential).toBe(1);
  });

  it("a forged challenge, refresh or access token: nothing, and no object wakes", async () => {
    const forged = [
      (options: Call) => answer(`${"e30"}.${"e30"}.${"A".repeat(43)}`, "123456", options),
      (options: Call) => call("/auth/refresh", { refresh_token: `rt_${"A".repeat(120)}` }, options),
      (options: Call) => call("/auth/me", undefined, { ...options, bearer: `e30.e30.${"A".repeat(86)}` }),
    ];
    for (const request of forged) {
      const { calls } = await costOf(request);
      expect(calls).toEqual([]);
    }
  });

  it("registration reads the directory and keeps nothing of it", async () => {
    const body = { email: "nobody.yet@example.com", password: "correct horse battery" };
    const { calls } = await costOf((options) => call("/auth/register", body, options));
    expect(calls.filter((name) => name !== "gate.spend")).toEqual(["d1.first"]);
    expect(await env.DB.prepare("SELECT COUNT(*) AS n FROM users WHERE email = ?").bind(body.email).first("n")).toBe(0);
  });
});

describe("rows written", () => {
  // Nothing of before is shipped in between.
  beforeEach(shipAll);

  it("a full two-factor sign-in writes four: one for the challenge, three for the answer", async () => {
    const person = await newGuardedPerson();
    await signIn(person, 0, HOME);
    let token = "";
    const first = await rowsWritten(async () => {
      token = (await logIn(person, HOME)).body.challenge_token as string;
    });
    const second = await rowsWritten(() => answer(token, person.code(1), HOME));
    expect({ first, second }).toEqual({ first: 1, second: 3 });
  });

  it("its two events cost six more: an alarm, their going, and two each where they are kept", async () => {
    const person = await newGuardedPerson();
    await signIn(person, 0, HOME);
    await shipAll();
    const signInNow = async () => answer((await logIn(person, HOME)).body.challenge_token, person.code(1), HOME);
    const cost = { rows: 0, alarms: 0, events: 0 };
    const shipped = await eventsBy(person, async () => {
      cost.alarms = await alarmsSet(async () => {
        cost.rows = await rowsWritten(signInNow);
      });
      cost.events = await d1RowsWritten(async () => {
        cost.rows += await rowsWritten(shipAll);
      });
    });
    expect(shipped).toHaveLength(2);
    expect(cost).toEqual({ rows: 5, alarms: 1, events: 4 });
  });

  it("a sign-in without a factor writes two, the event among them, a refresh one and no event", async () => {
    const person = await newPerson();
    await logIn(person, HOME);
    let refreshToken = "";
    const signIn = await rowsWritten(async () => {
      refreshToken = (await logIn(person, HOME)).body.refresh_token as string;
    });
    const refresh = await rowsWritten(() => call("/auth/refresh", { refresh_token: refreshToken }));
    expect({ signIn, refresh }).toEqual({ signIn: 2, refresh: 1 });
  });

  it("ending others: three for each of them, its mark, the going of that, and its entry; one for the event", async () => {
    const person = await newPerson();
    const bearer = (await logIn(person, HOME)).body.access_token as string;
    for (let i = 0; i < 3; i += 1) await logIn(person, HOME);
    const endOthers = (options: Call) => call("/auth/sessions", undefined, { ...options, method: "DELETE", bearer });
    expect((await costOf(endOthers)).rows).toEqual({ objects: 7, d1: 3 });
  });

  it("of the list: one an entry, and one when it goes", async () => {
    const { bindings, d1Rows } = countingBindings();
    const ended = endedSessionsOf((bindings as Env).DB);
    const entries = ["a", "b", "c"].map((sid) => ({ sid, until: 1 }));
    await ended.add(entries);
    expect(d1Rows()).toBe(3);
    await ended.add(entries);
    expect(d1Rows()).toBe(3);
    expect(await ended.forget(1, 2)).toBe(2);
    expect(await ended.forget(1, 2)).toBe(1);
    expect(d1Rows()).toBe(6);
  });

  it("a wrong password writes five: the client, its network, the address from that client and over all, the event", async () => {
    const person = { ...(await newPerson()), password: "not the right password" };
    // The first failure of a shard makes its table as well.
    const source = newSource();
    await logIn(person, { source });
    expect(await rowsWritten(() => logIn(person, { source }))).toBe(5);
  });

  it("an unknown address the same, but for the event: after the first of a minute those are counted in memory", async () => {
    const nobody = { id: "", email: `${crypto.randomUUID()}@example.com`, password: "not the right password" };
    const source = newSource();
    await logIn(nobody, { source });
    expect(await rowsWritten(() => logIn(nobody, { source }))).toBe(4);
  });

  it("counts what it says it counts", async () => {
    const person = await newGuardedPerson();
    expect(await rowsWritten(() => signIn(person, 0))).toBeGreaterThan(0);
  });
});
