import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { EXPORT_STRETCH_ROWS } from "../../src/event-policy.ts";
import { eventReaderOf } from "../../src/events/event-reader.ts";
import { eventStoreOf } from "../../src/events/event-store.ts";
import { type EventKind, securityEvent } from "../../src/events/security-event.ts";
import { call, newPerson, ring } from "../support/in-worker.ts";
import { storedRing } from "../support/stored-ring.ts";
import { eventsOf, exportLines, newAdmin, setRoles } from "./support/admin.ts";
import { pass, useMovedClock } from "./support/moved-clock.ts";
import { runMinute } from "./support/operations.ts";

useMovedClock();

/** Events of one kind, account and source each, a millisecond apart. */
async function happened(count: number, kind: EventKind, account: string, source = "192.0.2.0/24"): Promise<void> {
  const now = Date.now();
  const events = Array.from({ length: count }, (_, at) => securityEvent({ kind, account }, { source }, now + at));
  pass(count);
  for (let at = 0; at < count; at += 500) await eventStoreOf(env.EVENTS).add(events.slice(at, at + 500));
}

const get = (path: string, bearer: string) => call(`/admin/api${path}`, undefined, { bearer });

interface Shown {
  seq: number;
  id: string;
  at: string;
  kind: string;
  account?: string;
}

describe("the list of events", () => {
  it("is filtered and turned page by page", async () => {
    const [{ bearer }, { id }] = [await newAdmin(), await newPerson()];
    await happened(7, "authn_login_fail", id);
    await happened(2, "malicious_cors", id, "2001:db8::/48");
    const walk = async (query: string) => {
      const seen: Shown[] = [];
      let cursor = "";
      do {
        const { body } = await get(`/events?limit=3&${query}${cursor && `&cursor=${cursor}`}`, bearer);
        seen.push(...(body.events as Shown[]));
        cursor = (body.next_cursor as string | null) ?? "";
      } while (cursor !== "");
      return seen;
    };
    const all = await walk(`account=${id}`);
    expect(all.map(({ kind }) => kind)).toEqual([
      ...Array(2).fill("malicious_cors"),
      ...Array(7).fill("authn_login_fail"),
    ]);
    expect(new Set(all.map((event) => event.id)).size).toBe(9);
    expect(all[0]?.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(await walk(`account=${id}&kind=malicious_cors`)).toEqual(all.slice(0, 2));
    expect(await walk(`source=${encodeURIComponent("2001:db8::/48")}&account=${id}`)).toEqual(all.slice(0, 2));
    const from = encodeURIComponent(all[4]?.at ?? "");
    expect(await walk(`account=${id}&kind=authn_login_fail&from=${from}`)).toEqual(all.slice(2, 5));
    expect(await walk(`account=${id}&kind=authn_login_fail&to=${from}`)).toEqual(all.slice(5));
  });

  it.each([
    ["kind=nothing", "kind"],
    ["kind=authn_login_fail%27%20OR%201=1--", "kind"],
    ["account=%25", "account"],
    ["account=' OR ''='", "account"],
    ["source=%25", "source"],
    ["source=192.0.2.0/24'", "source"],
    ["from=yesterday", "from"],
    ["from=1", "from"],
    ["to=2026-13-41T00:00:00Z", "to"],
    ["cursor=99999999999999999999", "cursor"],
    ["cursor=-1", "cursor"],
    ["cursor=0x10", "cursor"],
    ["cursor=00000000-0000-7000-8000-000000000000", "cursor"],
    ["limit=0", "limit"],
    ["limit=501", "limit"],
    ["limit=1e2", "limit"],
    ["limit=", "limit"],
    ["kind=malicious_cors&kind=malicious_cors", "kind"],
    ["order=asc", "order"],
    ["__proto__=1", "__proto__"],
  ])("refuses %s", async (query, path) => {
    const { bearer } = await newAdmin();
    const { status, body } = await get(`/events?${query}`, bearer);
    expect([status, body.errors]).toEqual([400, [expect.objectContaining({ path })]]);
  });
});

describe("the export", () => {
  it("brings every event in the order of arrival, and is itself the last", async () => {
    const admin = await newAdmin();
    const { id } = await newPerson();
    await happened(EXPORT_STRETCH_ROWS * 2 + 7, "authn_login_fail", id);
    const { type, lines } = await exportLines("", admin.bearer);
    expect(type).toBe("application/x-ndjson");
    const events = lines.map((line) => JSON.parse(line) as Shown & { actor?: string; reason?: string });
    const stored = await eventReaderOf(env.EVENTS).bounds();
    expect(events.map(({ seq }) => seq)).toEqual(
      Array.from({ length: (stored?.last ?? 0) - (stored?.first ?? 0) + 1 }, (_, at) => (stored?.first ?? 0) + at),
    );
    expect(events.at(-1)).toMatchObject({ kind: "sensitive_read", reason: "events_exported", actor: admin.id });
  });

  it("takes filters, says in its event which, and ends with nothing where nothing is wanted", async () => {
    const admin = await newAdmin();
    const { id } = await newPerson();
    await happened(3, "authn_login_fail", id);
    await happened(2, "malicious_cors", id);
    const lines = async (query: string) => (await exportLines(query, admin.bearer)).lines;
    expect(await lines(`account=${id}&kind=malicious_cors`)).toHaveLength(2);
    expect((await eventsOf()).at(-1)?.about).toEqual({ account: id, kind: "malicious_cors" });
    expect(await lines(`account=${id}&source=${encodeURIComponent("198.51.100.0/24")}`)).toEqual([]);
    expect(await lines(`account=${id}&from=2999-01-01T00:00:00Z`)).toEqual([]);
    expect(await lines(`account=${id}&to=2999-01-01T00:00:00Z`)).toHaveLength(5);
    expect((await get("/events/export?limit=3", admin.bearer)).body.code).toBe("invalid_request");
  });

  it("reads a stretch at a time and only when somebody takes it, and breaks off when its reader is no admin any more", async () => {
    const admin = await newAdmin();
    await happened(EXPORT_STRETCH_ROWS * 4, "authn_login_fail", admin.id);
    const { app } = await import("../../src/app.ts");
    const { createExecutionContext } = await import("cloudflare:test");
    let reads = 0;
    const prepare = (query: string) => {
      if (query.includes("BETWEEN")) reads += 1;
      return env.EVENTS.prepare(query);
    };
    const EVENTS = { prepare } as unknown as D1Database;
    const headers = { Authorization: `Bearer ${admin.bearer}` };
    const request = new Request("http://localhost/admin/api/events/export", { headers });
    const response = await app.fetch(request, { ...env, EVENTS }, createExecutionContext());
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await scheduler.wait(50);
    expect(reads).toBe(1);
    await setRoles(admin, []);
    pass(20_000);
    await expect(reader.read()).rejects.toThrow("no admin");
    expect(reads).toBe(1);
  });

  it("is not begun where it could not be recorded", async () => {
    const admin = await newAdmin();
    const broken = {
      ...env,
      EVENTS: {
        prepare: () => {
          throw new Error("down");
        },
      },
    };
    const { status, text } = await call("/admin/api/events/export", undefined, {
      bearer: admin.bearer,
      bindings: broken,
    });
    expect(status).toBe(503);
    expect(text).not.toContain("authn_");
  });
});

describe("stats", () => {
  it("count by kind and minute or hour, once the cron has seen the events", async () => {
    const { bearer } = await newAdmin();
    await runMinute();
    const before = await get("/stats?per=hour", bearer);
    const countOf = ({ body }: typeof before) =>
      (body.counts as { kind: string; count: number }[]).reduce(
        (sum, { kind, count }) => sum + (kind === "malicious_cors" ? count : 0),
        0,
      );
    await happened(4, "malicious_cors", "");
    await runMinute();
    for (const per of ["hour", "minute"]) {
      const { body } = await get(`/stats?per=${per}`, bearer);
      expect(body).toMatchObject({ per, from: expect.any(String), to: expect.any(String) });
    }
    expect(countOf(await get("/stats?per=hour", bearer))).toBe(countOf(before) + 4);
  });

  it.each([
    "per=day",
    "from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
    "per=minute&from=2020-01-01T00:00:00Z",
    "kind=x",
  ])("refuse %s", async (query) => {
    expect((await get(`/stats?${query}`, (await newAdmin()).bearer)).body.code).toBe("invalid_request");
  });
});

it("alerts are listed, and their cursor is checked", async () => {
  const { bearer } = await newAdmin();
  expect((await get("/alerts", bearer)).body).toEqual({ alerts: expect.any(Array), next_cursor: null });
  expect((await get("/alerts?cursor=%27", bearer)).body.code).toBe("invalid_request");
  expect((await get("/alerts?limit=1000", bearer)).body.code).toBe("invalid_request");
});

describe("keys", () => {
  const change = (bearer: string, body: unknown) => call("/admin/api/keys", body, { bearer });

  it("are listed by name and state, and none is shown", async () => {
    const { body, text } = await get("/keys", (await newAdmin()).bearer);
    const { signing, data } = await storedRing();
    expect(body).toMatchObject({ epoch: 1, not_before: null, sealed_by: "first", root_secrets: 1 });
    expect(body.keys).toHaveLength(signing.length + data.length);
    for (const secret of [...signing.map(({ jwk }) => jwk.d), ...data.map(({ secret }) => secret)])
      expect(text).not.toContain(secret);
  });

  it("are rotated by an admin, which is an event", async () => {
    const admin = await newAdmin();
    const { body } = await change(admin.bearer, { action: "rotate" });
    expect(body).toMatchObject({ status: "waits", key: expect.any(String), at: expect.stringMatching(/Z$/) });
    expect((await eventsOf()).at(-1)).toMatchObject({
      kind: "authz_admin",
      reason: "rotate_key",
      actor: admin.id,
      about: { key: body.key },
    });
  });

  it.each([
    [{ action: "rotate", purpose: "nothing" }, 400, "invalid_request"],
    [{ action: "rotate", purpose: "digest" }, 409, "conflict"],
    [{ action: "drop", key: "nothing" }, 404, "not_found"],
    [{ action: "drop", key: "pepper.1" }, 409, "conflict"],
    [{ action: "drop" }, 400, "invalid_request"],
    [{ action: "burn" }, 400, "invalid_request"],
    [{}, 400, "invalid_request"],
    [{ action: "rotate", key: "x" }, 400, "invalid_request"],
  ])("%j is refused, and is no event", async (body, status, code) => {
    const admin = await newAdmin();
    const answer = await change(admin.bearer, body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect((await eventsOf()).filter(({ actor }) => actor === admin.id)).toEqual([]);
  });

  it("are dropped in an emergency, and the one who did it is signed out with everybody else", async () => {
    const admin = await newAdmin();
    const lost = (await ring()).signing.kid;
    const { body } = await change(admin.bearer, { action: "drop", key: lost });
    expect(body).toMatchObject({ status: "dropped", key: lost, epoch: 2 });
    expect((await eventsOf()).at(-1)).toMatchObject({ reason: "drop_key", actor: admin.id, about: { key: lost } });
    expect((await get("/keys", admin.bearer)).body.code).toBe("invalid_token");
  });
});
