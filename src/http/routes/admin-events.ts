import { Hono } from "hono";
import * as v from "valibot";
import { listAlerts, listEvents, readStats } from "../../flows/admin-events.ts";
import { exportEvents } from "../../flows/export-events.ts";
import { streamEvents } from "../../flows/stream-events.ts";
import { isRefusal } from "../../refusal.ts";
import { rfc3339 } from "../account-members.ts";
import { alertMembers, eventMembers } from "../admin-members.ts";
import { readQuery } from "../admin-request.ts";
import { AlertsQuery, EventsQuery, ExportQuery, LastEventId, NoQuery, StatsQuery } from "../admin-schemas.ts";
import type { Api } from "../context.ts";
import { adminReads } from "../middleware/admin.ts";
import { refuse } from "../problem.ts";

/** What admins see of what has happened. */
export const adminEvents = new Hono<Api>()
  .get("/events", adminReads, async (c) => {
    const query = readQuery(c, EventsQuery);
    if (isRefusal(query)) return refuse(c, query);
    const page = await listEvents(c.get("service"), query.value);
    if (isRefusal(page)) return refuse(c, page);
    return c.json({ events: page.events.map(eventMembers), next_cursor: page.next ?? null });
  })
  .get("/events/stream", adminReads, async (c) => {
    const query = readQuery(c, NoQuery);
    if (isRefusal(query)) return refuse(c, query);
    const after = v.safeParse(v.optional(LastEventId), c.req.header("Last-Event-ID"));
    if (!after.success) {
      return refuse(c, { refused: "malformed_body", errors: [{ path: "Last-Event-ID", message: NO_EVENT_ID }] });
    }
    const stream = await streamEvents(c.get("service"), c.get("bearer"), after.output, eventMembers);
    // What changes a stream on the way would also hold it back.
    const headers = { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store, no-transform" };
    return c.body(stream, 200, headers);
  })
  .get("/events/export", adminReads, async (c) => {
    const query = readQuery(c, ExportQuery);
    if (isRefusal(query)) return refuse(c, query);
    const lines = await exportEvents(c.get("service"), c.get("visit"), c.get("bearer"), query.value, eventMembers);
    return c.body(lines, 200, {
      "Content-Type": "application/x-ndjson",
      "Content-Disposition": 'attachment; filename="events.ndjson"',
    });
  })
  .get("/alerts", adminReads, async (c) => {
    const query = readQuery(c, AlertsQuery);
    if (isRefusal(query)) return refuse(c, query);
    const { cursor: before, limit } = query.value;
    const page = await listAlerts(c.get("service"), { limit, ...(before === undefined ? {} : { before }) });
    return c.json({ alerts: page.alerts.map(alertMembers), next_cursor: page.next ?? null });
  })
  .get("/stats", adminReads, async (c) => {
    const query = readQuery(c, StatsQuery);
    if (isRefusal(query)) return refuse(c, query);
    const stats = await readStats(c.get("service"), query.value, c.get("visit").now);
    if (isRefusal(stats)) return refuse(c, stats);
    const counts = stats.counts.map(({ at, ...count }) => ({ at: rfc3339(at), ...count }));
    return c.json({ per: stats.per, from: rfc3339(stats.from), to: rfc3339(stats.to), counts });
  });

const NO_EVENT_ID = "must be the id of an event";
