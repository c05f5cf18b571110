import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  expectProblem,
  issuer,
  type Json,
  logIn,
  newSource,
  type Person,
  signedIn,
  talkTo,
  verifiedPerson,
} from "../../support/client.ts";
import { EventStream } from "../../support/event-stream.ts";
import {
  accountId,
  adminGet,
  allEvents,
  eventsPage,
  eventually,
  eventWith,
  exported,
  type Known,
  knownPerson,
  minuteCron,
  operatorToken,
  says,
  talkToOperated,
} from "../../support/operator-client.ts";
import { sharedInstance } from "../../support/shared-instance.ts";

let admin: Known;
let bearer: string;
/** Somebody who has failed some times from one source, and signed in at last. */
let person: Person & { id: string };
const source = newSource();
const failures = 4;
beforeAll(async () => {
  ({ admin } = await talkToOperated());
  const known = await verifiedPerson();
  person = { ...known, id: await accountId((await signedIn(known)).access) };
  for (let i = 0; i < failures; i++) await logIn({ ...person, password: "not the password", source });
  await signedIn({ ...person, source });
  for (let i = 0; i < 3; i++) await signedIn(await verifiedPerson());
  bearer = await operatorToken(admin);
  await eventually("event of each failure", async () => {
    const found = (await allEvents(bearer, { account: person.id })).filter(
      (event) => event.kind === "authn_login_fail",
    );
    return found.length >= failures ? found : undefined;
  });
  // What is under way from other files' actions has arrived, so that lists stand still.
  await minuteCron();
}, 120_000);
afterAll(() => talkTo(sharedInstance()));

const idOf = (event: Json): string => {
  expect(event.id, JSON.stringify(event)).toMatch(/^[\w-]{16,}$/);
  return String(event.id);
};
const timeOf = (event: Json): number => {
  expect(event.at, JSON.stringify(event)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  return Date.parse(String(event.at));
};
const ids = (events: Json[]): string[] => events.map(idOf);

describe("the list of events", () => {
  it("has for each its name, time, account, source group and request, and the source is no whole address", async () => {
    const events = await allEvents(bearer, { account: person.id });
    const event = events.find((one) => one.kind === "authn_login_fail");
    expect(event).toMatchObject({ id: expect.any(String), account: person.id });
    expect(Math.abs(timeOf(event as Json) - Date.now())).toBeLessThan(600_000);
    expect(JSON.stringify(event)).not.toContain(source);
    expect(JSON.stringify(event)).toMatch(/"request(_id)?":"[^"]+"/);
    expect(JSON.stringify(event)).toMatch(/"source":"[^"]+"/);
  });

  it("is filtered by kind, account, source and time, alone and together", async () => {
    const all = await allEvents(bearer);
    const mine = all.filter((event) => event.account === person.id);
    expect(mine.length).toBeGreaterThan(failures);
    expect(ids(await allEvents(bearer, { account: person.id })).sort()).toEqual(ids(mine).sort());
    const fails = all.filter((event) => event.kind === "authn_login_fail");
    expect(ids(await allEvents(bearer, { kind: "authn_login_fail" })).sort()).toEqual(ids(fails).sort());
    const group = String(mine.find((event) => event.kind === "authn_login_fail")?.source);
    const there = all.filter((event) => event.source === group && event.kind === "authn_login_fail");
    expect(there.length).toBe(failures);
    const bySource = await allEvents(bearer, { source: group });
    expect(new Set(bySource.map((event) => event.source))).toEqual(new Set([group]));
    expect(ids(bySource)).toEqual(expect.arrayContaining(ids(there)));
    const named = await allEvents(bearer, { source: group, kind: "authn_login_fail" });
    expect(ids(named).sort()).toEqual(ids(there).sort());
    const both = await allEvents(bearer, { account: person.id, kind: "authn_login_fail" });
    expect(ids(both).sort()).toEqual(ids(mine.filter((event) => event.kind === "authn_login_fail")).sort());
    const times = mine.map(timeOf).sort((a, b) => a - b);
    const [first = 0, last = 0] = [times[0], times.at(-1)];
    const within = await allEvents(bearer, {
      account: person.id,
      from: new Date(first + 1).toISOString(),
      to: new Date(last).toISOString(),
    });
    const expected = mine.filter((event) => timeOf(event) > first && timeOf(event) < last);
    for (const id of ids(expected)) expect(ids(within)).toContain(id);
    for (const event of within) {
      expect(timeOf(event)).toBeGreaterThan(first);
      expect(timeOf(event)).toBeLessThanOrEqual(last);
    }
    expect(await allEvents(bearer, { account: "00000000-0000-4000-8000-000000000000" })).toEqual([]);
  });

  it("is walked page by page without a gap and without a repetition, while more arrives", async () => {
    const whole = ids(await allEvents(bearer));
    const walked: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await eventsPage(bearer, { limit: "3", ...(cursor === undefined ? {} : { cursor }) });
      expect(page.events.length).toBeLessThanOrEqual(3);
      walked.push(...ids(page.events));
      if (pages === 1) await signedIn(person);
      cursor = page.cursor;
      pages += 1;
    } while (cursor !== undefined);
    expect(pages).toBeGreaterThan(2);
    expect(new Set(walked).size).toBe(walked.length);
    expect(walked.filter((id) => whole.includes(id))).toEqual(whole);
  });

  it("refuses a filter that it does not know, and a cursor that it has not given", async () => {
    for (const query of [
      "colour=red",
      "from=yesterday",
      "cursor=%27%20OR%201=1",
      "limit=0",
      "limit=-1",
      "limit=1e9",
      "kind=a&kind=b",
    ]) {
      const answer = await adminGet(`/events?${query}`, bearer);
      expect({ query, status: answer.status }).toEqual({ query, status: 400 });
      expectProblem(answer, 400, "invalid_request");
    }
  });
});

describe("what else tells of events", () => {
  it("the export is the same events, one a line", async () => {
    const { answer, events } = await exported(bearer);
    expect(answer.headers.get("content-type")).toMatch(/^application\/(x-)?(nd-?json|jsonl)\b/);
    expect(answer.text.endsWith("\n")).toBe(true);
    const listed = await allEvents(bearer);
    const known = new Set(ids(listed));
    const given = ids(events);
    expect(new Set(given).size).toBe(given.length);
    expect(given.filter((id) => known.has(id)).length).toBeGreaterThanOrEqual(Math.min(given.length, known.size) - 2);
    const times = events.map(timeOf);
    expect(times.length).toBeGreaterThan(failures);
  });

  it("the statistics count them by kind", async () => {
    const answer = await adminGet("/stats", bearer);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.text).toContain("authn_login_fail");
    expect(answer.text).not.toContain(person.email);
  });

  it("the list of alerts is a list, and empty on an ordinary day", async () => {
    const answer = await adminGet("/alerts", bearer);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.alerts).toBeInstanceOf(Array);
  });
});

describe("the live stream", { timeout: 90_000 }, () => {
  it("brings what happens, and after a break what was missed, each once", async () => {
    const stream = await EventStream.open(`${issuer}/admin/api/events/stream`, bearer);
    expect(stream.contentType).toMatch(/^text\/event-stream\b/);
    const one = await knownPerson();
    const first = await stream.until((data) => says(data, one.id));
    const seen = stream.ids();
    await stream.close();
    expect(first.id).not.toBe("");

    const two = await knownPerson();
    await eventWith(bearer, two.id);
    const listed = ids(await allEvents(bearer, { account: two.id }));
    expect(listed.length).toBeGreaterThan(0);
    const three = await knownPerson();
    const again = await EventStream.open(`${issuer}/admin/api/events/stream`, bearer, first.id);
    await again.until((data) => says(data, three.id));
    const later = again.messages();
    await again.close();
    expect(later.some(({ data }) => says(data, two.id))).toBe(true);
    expect(later.map(({ id }) => id)).not.toContain(first.id);
    expect(new Set(again.ids()).size).toBe(again.ids().length);
    expect(again.ids().filter((id) => seen.includes(id) && seen.indexOf(id) <= seen.indexOf(first.id))).toEqual([]);
    const missed = later.filter(({ data }) => says(data, two.id)).map(({ data }) => idOf(data));
    for (const id of listed) expect(missed).toContain(id);
  });

  it("holds nothing that the list does not, and is for GET by operators alone", async () => {
    const stream = await EventStream.open(`${issuer}/admin/api/events/stream`, bearer);
    const one = await knownPerson();
    const { data } = await stream.until((event) => says(event, one.id));
    await stream.close();
    const event = await eventWith(bearer, idOf(data));
    expect(data).toEqual(event);
    expect(JSON.stringify(stream.messages())).not.toContain(one.email);
  });
});
