import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { emailKey } from "../../src/directory/email-key.ts";
import { REACTION_MS } from "../../src/event-policy.ts";
import type { Finding } from "../../src/events/detectors/detector.ts";
import { eventStoreOf } from "../../src/events/event-store.ts";
import { carryOut } from "../../src/flows/carry-out.ts";
import { emailDigest } from "../../src/keys/keyed-digest.ts";
import { SOURCE_FAILURES } from "../../src/policy.ts";
import { logIn, newPerson, newSource, ring } from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { cronService, cronVisit } from "./support/cron.ts";
import { alerts, collector, forgetAll, look, MINUTE } from "./support/detection.ts";
import { ask, resultOf, runMinute } from "./support/operations.ts";

beforeEach(forgetAll);

const reacting = (REACTIONS: string) => ({ ...env, REACTIONS });
const groupOf = (source: string) => source.replace(/\.\d+$/, ".0/24");

/** A minute in which something is found, and what comes of it. */
async function minute(
  finding: Partial<Finding> & Pick<Finding, "pattern" | "subject">,
  bindings: object,
  now = Date.now(),
) {
  await look([collector(finding.pattern, () => [{ lastAt: now, ...finding }])], now, bindings);
  await carryOut(cronService(bindings), cronVisit(now));
}

/** What reactions have left behind. */
async function reactions(): Promise<Record<string, unknown>[]> {
  const { results } = await env.EVENTS.prepare(
    "SELECT kind, account, source, detail FROM events WHERE kind = 'authn_login_lock' ORDER BY seq",
  ).all<{ detail: string }>();
  return results
    .map(({ detail, ...row }) => ({ ...row, ...(JSON.parse(detail) as object) }))
    .filter((event) => "actor" in event && event.actor === "reactions");
}

const waiting = () => env.EVENTS.prepare("SELECT count(*) AS n FROM deliveries").first<number>("n");

describe("throttle_source", () => {
  it("refuses a group of sources that sprays, but no browser that is recognised, and says so once", async () => {
    const [person, source, browser] = [await newPerson(), newSource(), new Browser()];
    const subject = `source:${groupOf(source)}`;
    expect((await logIn(person, { source, browser })).status).toBe(200);
    const bindings = reacting("throttle_source");
    await minute({ pattern: "password_spraying", subject }, bindings);
    await minute({ pattern: "password_spraying", subject, severity: "high" }, bindings);
    const refused = await logIn(person, { source: source.replace(/1$/, "77") });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan((REACTION_MS - MINUTE) / 1000);
    expect((await logIn(person, { source, browser })).status).toBe(200);
    expect((await logIn(person)).status).toBe(200);
    const [alert] = await alerts();
    expect(await reactions()).toMatchObject([
      { reason: "throttle_source", source: groupOf(source), about: { alert: alert?.id, pattern: "password_spraying" } },
    ]);
    expect(await waiting()).toBe(0);
  });

  it.each([
    ["as events write it", (group: string) => group],
    ["in another spelling", (group: string) => `::ffff:${group.replace("0/24", "9/24")}`],
  ])("is lifted by an operator who names the group %s, and that is an event", async (_, spelled) => {
    const [person, source] = [await newPerson(), newSource()];
    const subject = `source:${groupOf(source)}`;
    await minute({ pattern: "password_spraying", subject }, reacting("throttle_source"));
    expect((await logIn(person, { source })).status).toBe(429);
    const operation = await ask("unlock_source", { source: spelled(groupOf(source)) }, { by: "ada" });
    await runMinute();
    expect(await resultOf(operation)).toEqual({ kind: "unlocked" });
    expect((await logIn(person, { source })).status).toBe(200);
    const acts = (await eventStoreOf(env.EVENTS).after(0, 10_000)).filter(
      ({ about }) => about?.operation === operation,
    );
    expect(acts).toMatchObject([
      { kind: "authz_admin", actor: "ada", reason: "unlock_source", source: groupOf(source) },
    ]);
  });

  it("is lifted from a client of the group that has failed too often itself, and from no client beside it", async () => {
    const [person, source, beside] = [await newPerson(), newSource(), newSource()];
    const fail = (from: string) => logIn({ ...person, email: `${crypto.randomUUID()}@example.com` }, { source: from });
    for (let tries = 0; tries < SOURCE_FAILURES; tries += 1) await Promise.all([source, beside].map(fail));
    expect((await logIn(person, { source })).status).toBe(429);
    await ask("unlock_source", { source: groupOf(source) }, { by: "ada" });
    await runMinute();
    expect((await logIn(person, { source })).status).toBe(200);
    expect((await logIn(person, { source: beside })).status).toBe(429);
  });

  it.each(["203.0.113.0/16", "203.0.113.7/32", "2001:db8::/32", "office/24", "/24", "203.0.113.0/24/x"])(
    "is not lifted by what is no group of sources: %s",
    async (group) => {
      const operation = await ask("unlock_source", { source: group }, { by: "ada" });
      await runMinute();
      expect(await resultOf(operation)).toEqual({ failed: expect.stringContaining("203.0.113.0/24") });
    },
  );

  it("lasts for as long as the group goes on without a pause", async () => {
    const [person, source, begun] = [await newPerson(), newSource(), Date.now()];
    const finding = { pattern: "password_spraying" as const, subject: `source:${groupOf(source)}` };
    for (let hours = 0; hours <= 7; hours += 1)
      await minute(finding, reacting("throttle_source"), begun + hours * 60 * MINUTE);
    expect(await alerts()).toHaveLength(1);
    const refused = await logIn(person, { source: source.replace(/1$/, "77") });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan((REACTION_MS + 300 * MINUTE) / 1000);
  });

  it.each([
    ["it is not named", "password_spraying", "ask_proof"],
    ["nothing is named", "password_spraying", "none"],
    ["it is another pattern", "reset_flooding", "throttle_source, ask_proof"],
  ] as const)("does nothing where %s", async (_, pattern, named) => {
    const [person, source] = [await newPerson(), newSource()];
    const before = (await reactions()).length;
    await minute({ pattern, subject: `source:${groupOf(source)}` }, reacting(named));
    expect((await logIn(person, { source })).status).toBe(200);
    expect(await reactions()).toHaveLength(before);
    expect(await alerts()).toHaveLength(1);
  });
});

it("a reaction that the settings do not name any more is not done", async () => {
  const [person, source] = [await newPerson(), newSource()];
  const finding = { subject: `source:${groupOf(source)}`, lastAt: Date.now() };
  await look([collector("password_spraying", () => [finding])], Date.now(), reacting("throttle_source"));
  expect(await waiting()).toBe(1);
  await carryOut(cronService(reacting("none")), cronVisit(Date.now()));
  expect(await waiting()).toBe(0);
  expect((await logIn(person, { source })).status).toBe(200);
});

describe("ask_proof", () => {
  it.each(["brute_force", "distributed_brute_force"] as const)(
    "asks whoever names an account that is guessed at (%s) for a proof, known by its id or its address",
    async (pattern) => {
      const [known, named, other, browser] = [await newPerson(), await newPerson(), await newPerson(), new Browser()];
      expect((await logIn(known, { browser })).status).toBe(200);
      const digest = await emailDigest(await ring(), emailKey(named.email) ?? "");
      const before = (await reactions()).length;
      for (const subject of [`account:${known.id}`, `address:${digest}`])
        await minute({ pattern, subject }, reacting("ask_proof"));
      for (const person of [known, named]) {
        expect(await logIn(person)).toMatchObject({ status: 403, body: { code: "proof_required" } });
      }
      expect((await logIn(known, { browser })).status).toBe(200);
      expect((await logIn(other)).status).toBe(200);
      expect((await reactions()).slice(before)).toMatchObject([
        { reason: "ask_proof", account: known.id },
        { reason: "ask_proof", address: digest },
      ]);
    },
  );

  it("does nothing where it is not named, and nothing about an account that is gone", async () => {
    const person = await newPerson();
    const before = (await reactions()).length;
    await minute({ pattern: "brute_force", subject: `account:${person.id}` }, reacting("throttle_source"));
    await minute({ pattern: "brute_force", subject: `account:${crypto.randomUUID()}` }, reacting("ask_proof"));
    expect((await logIn(person)).status).toBe(200);
    expect(await reactions()).toHaveLength(before);
    expect(await waiting()).toBe(0);
  });
});

it("a reaction that breaks off is taken up again, and is one event", async () => {
  const [person, source] = [await newPerson(), newSource()];
  const bindings = reacting("throttle_source");
  const now = Date.now();
  const prepare = (query: string) => {
    if (query.startsWith("DELETE")) throw new Error("cut off");
    return env.EVENTS.prepare(query);
  };
  const broken = { ...bindings, EVENTS: { prepare, batch: env.EVENTS.batch.bind(env.EVENTS) } };
  const before = (await reactions()).length;
  await minute({ pattern: "credential_stuffing", subject: `source:${groupOf(source)}` }, broken, now);
  expect(await waiting()).toBe(1);
  await carryOut(cronService(bindings), cronVisit(now + MINUTE));
  expect(await waiting()).toBe(0);
  expect(await reactions()).toHaveLength(before + 1);
  expect((await logIn(person, { source })).status).toBe(429);
});
