import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { ACTIVITY_EVENTS_MAX } from "../../src/event-policy.ts";
import { eventStoreOf } from "../../src/events/event-store.ts";
import { securityEvent } from "../../src/events/security-event.ts";
import { answer, call, challengeOf, logIn, newGuardedPerson, newPerson, type Person } from "../support/in-worker.ts";
import { signInNow } from "./support/account-life.ts";
import { shipAll } from "./support/events.ts";
import { pass, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

type Activity = Record<string, unknown>;

const ask = (bearer: unknown, options: object = {}) => call("/auth/activity", undefined, { bearer, ...options });

async function activityOf(bearer: unknown): Promise<Activity[]> {
  const { status, body, text } = await ask(bearer);
  expect(status, text).toBe(200);
  return body.events as Activity[];
}

/** Puts events of an account where they arrive. */
const arrive = ({ id: account }: Person, count: number, more: object = {}) =>
  eventStoreOf(env.EVENTS).add(
    Array.from({ length: count }, (_, index) =>
      securityEvent({ kind: "user_updated", account, ...more }, undefined, Date.now() - index),
    ),
  );

it("shows what has happened a moment ago, the newest first, and which of it is this session's", async () => {
  const person = await newGuardedPerson();
  const source = "198.51.100.77";
  pass(1);
  const token = await challengeOf(person, { source });
  pass(1);
  await answer(token, person.wrongCode(), { source });
  pass(1);
  const { body } = await signInNow(person, { source });
  const [success, opened, wrong] = await activityOf(body.access_token);
  expect(success).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    at: new Date().toISOString(),
    kind: "authn_login_successafterfail",
    factor: "totp",
    network: "198.51.100.0/24",
    session_id: body.session_id,
    current: true,
  });
  expect(opened).toMatchObject({ kind: "authn_token_created", reason: "challenge", factor: "pwd" });
  expect(wrong).toMatchObject({ kind: "authn_login_fail", reason: "wrong_code" });
  expect(wrong).not.toHaveProperty("current");
});

it("shows neither digests nor anything else that is for detectors, and so many at a time", async () => {
  const person = await newPerson();
  const { access_token: bearer } = (await logIn(person)).body;
  await arrive(person, ACTIVITY_EVENTS_MAX + 5, { address: "a".repeat(32), about: { opened: 1 }, count: 3 });
  const events = await activityOf(bearer);
  expect(events).toHaveLength(ACTIVITY_EVENTS_MAX);
  const members = new Set(events.flatMap((event) => Object.keys(event)));
  const allowed = ["id", "at", "kind", "factor", "reason", "country", "network", "session_id", "current"];
  expect([...members].filter((name) => !allowed.includes(name))).toEqual([]);
});

it("says of an operator neither who nor where", async () => {
  const person = await newPerson();
  const { access_token: bearer } = (await logIn(person)).body;
  const from = { source: "203.0.113.0/24", country: "AT" };
  const act = { kind: "authz_admin", account: person.id, actor: "ada", reason: "unlock" } as const;
  await eventStoreOf(env.EVENTS).add([securityEvent(act, from, Date.now() + 1)]);
  const [event] = await activityOf(bearer);
  expect(event).toEqual({ id: expect.any(String), at: expect.any(String), kind: "authz_admin", reason: "unlock" });
});

it("is of one account alone, for a living session of it", async () => {
  const [one, other] = [await newPerson(), await newPerson()];
  await arrive(other, 3);
  const { access_token: bearer, refresh_token } = (await logIn(one)).body;
  expect((await activityOf(bearer)).map(({ kind }) => kind)).toEqual(["authn_login_success"]);
  await call("/auth/logout", { refresh_token });
  expect((await ask(bearer)).status).toBe(401);
  expect((await call("/auth/activity")).status).toBe(401);
});

it("is 503 while events cannot be read, and complete afterwards", async () => {
  const person = await newPerson();
  const { access_token: bearer } = (await logIn(person)).body;
  await env.EVENTS.prepare("ALTER TABLE events RENAME TO events_away").run();
  try {
    expect((await ask(bearer)).status).toBe(503);
  } finally {
    await env.EVENTS.prepare("ALTER TABLE events_away RENAME TO events").run();
  }
  expect((await activityOf(bearer)).map(({ kind }) => kind)).toEqual(["authn_login_success"]);
  await shipAll();
  expect(await activityOf(bearer)).toHaveLength(1);
});
