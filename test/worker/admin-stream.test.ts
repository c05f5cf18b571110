import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { STREAM_HEARTBEAT_MS, STREAM_MS, STREAM_PAGE_ROWS, STREAM_RECHECK_MS } from "../../src/event-policy.ts";
import { eventReaderOf } from "../../src/events/event-reader.ts";
import { eventStoreOf } from "../../src/events/event-store.ts";
import { securityEvent } from "../../src/events/security-event.ts";
import { call } from "../support/in-worker.ts";
import { newAdmin, setRoles } from "./support/admin.ts";
import { EventStreamReader } from "./support/admin-stream.ts";
import { pass, SECOND, useMovedClock } from "./support/moved-clock.ts";

useMovedClock();

/** Something happens, so many times; the number of the last. */
async function happens(times = 1): Promise<number> {
  const events = Array.from({ length: times }, () =>
    securityEvent({ kind: "malicious_cors", reason: "stream" }, { source: "192.0.2.0/24" }, Date.now()),
  );
  await eventStoreOf(env.EVENTS).add(events);
  return (await eventReaderOf(env.EVENTS).bounds())?.last ?? 0;
}

/** Counts what is asked of the events' database. */
function countingEvents(): { bindings: object; reads: () => number } {
  let reads = 0;
  const EVENTS = new Proxy(env.EVENTS, {
    get(db, property) {
      if (property !== "prepare") return Reflect.get(db, property) as unknown;
      return (query: string) => {
        reads += 1;
        return db.prepare(query);
      };
    },
  });
  return { bindings: { ...env, EVENTS }, reads: () => reads };
}

describe("the stream of events", () => {
  it("says where it begins, and brings what comes after that, each once and in order", async () => {
    const { bearer } = await newAdmin();
    const before = await happens();
    const stream = await EventStreamReader.open(bearer);
    expect([stream.status, stream.type]).toEqual([200, "text/event-stream; charset=utf-8"]);
    expect(await stream.next()).toBe(`retry: 2000\nid: ${before}\n\n`);
    const first = await happens();
    await stream.untilEvent(first);
    const many = await happens(STREAM_PAGE_ROWS + 5);
    await stream.untilEvent(many);
    expect(stream.seqs).toEqual(Array.from({ length: many - before }, (_, at) => before + 1 + at));
    await stream.close();
  });

  it("goes on where its reader was, without loss and without repetition", async () => {
    const { bearer } = await newAdmin();
    const seen = await happens();
    const missed = await happens(3);
    const stream = await EventStreamReader.open(bearer, String(seen));
    expect(await stream.next()).toBe("retry: 2000\n\n");
    const later = await happens();
    await stream.untilEvent(later);
    expect(stream.seqs).toEqual([missed - 2, missed - 1, missed, later]);
    await stream.close();
  });

  it("goes on through an object of the API that names the event as the list does", async () => {
    const { bearer } = await newAdmin();
    const seen = await happens();
    const stream = await EventStreamReader.open(bearer, String(seen - 1));
    await stream.untilEvent(seen);
    const shown = JSON.parse(/^data: (.*)$/m.exec(stream.text)?.[1] ?? "") as unknown;
    const { body } = await call("/admin/api/events?kind=malicious_cors&limit=1", undefined, { bearer });
    expect((body.events as unknown[])[0]).toEqual(shown);
    expect(shown).toMatchObject({ seq: seen, kind: "malicious_cors", source: "192.0.2.0/24", at: expect.any(String) });
    await stream.close();
  });

  it.each(["-1", "1e3", "x", "9".repeat(16), "1' OR '1'='1", "1\t2"])("takes no %j for an event", async (id) => {
    const { bearer } = await newAdmin();
    const headers = { "Last-Event-ID": id };
    const { body } = await call("/admin/api/events/stream", undefined, { bearer, headers });
    expect(body).toMatchObject({ code: "invalid_request", errors: [{ path: "Last-Event-ID" }] });
  });

  it("says now and then that it is still there", async () => {
    const stream = await EventStreamReader.open((await newAdmin()).bearer);
    await stream.next();
    pass(STREAM_HEARTBEAT_MS);
    expect(await stream.next()).toBe(": still here\n\n");
    await stream.close();
  });

  it("ends by itself", async () => {
    const stream = await EventStreamReader.open((await newAdmin()).bearer);
    await stream.next();
    // Not all at once: an admin's session that is asked for after five minutes is alive all the same.
    pass(STREAM_MS - SECOND);
    expect(await stream.next()).not.toBe("");
    pass(SECOND);
    await stream.toEnd();
    expect(stream.hasEnded).toBe(true);
  });

  it.each([
    ["role", async (admin: { id: string; email: string; password: string }) => setRoles(admin, [])],
    [
      "session",
      async (admin: { bearer: string }) => {
        await call("/auth/logout", {}, { bearer: admin.bearer });
      },
    ],
  ])("ends when the %s does, and nothing of after that is read", async (_, end) => {
    const admin = await newAdmin();
    const stream = await EventStreamReader.open(admin.bearer);
    await stream.next();
    await end(admin);
    pass(STREAM_RECHECK_MS);
    const secret = await happens();
    await stream.toEnd();
    expect(stream.seqs).not.toContain(secret);
    expect(STREAM_RECHECK_MS + 2 * SECOND).toBeLessThan(30 * SECOND);
  });

  it("asks for nothing more when its reader has gone, or does not read", async () => {
    const { bearer } = await newAdmin();
    const { bindings, reads } = countingEvents();
    const stream = await EventStreamReader.open(bearer, "0", bindings);
    await scheduler.wait(2_500);
    expect(reads()).toBe(0);
    await stream.next();
    const waiting = stream.next();
    await waiting;
    const end = (await eventReaderOf(env.EVENTS).bounds())?.last ?? 0;
    await stream.untilEvent(end);
    const last = stream.next().catch(() => "");
    await scheduler.wait(100);
    await stream.close();
    await last;
    const read = reads();
    await scheduler.wait(4_500);
    expect(reads()).toBe(read);
  });
});
