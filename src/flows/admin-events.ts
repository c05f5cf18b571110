import { STATS_BUCKETS_MAX } from "../event-policy.ts";
import type { AlertPage } from "../events/alert-store.ts";
import { type EventCount, SPANS, type Span } from "../events/event-counts.ts";
import type { EventFilter, EventPage } from "../events/event-list.ts";
import type { WantedEvents } from "../events/event-reader.ts";
import { EVENT_KINDS, type EventKind } from "../events/security-event.ts";
import type { Refusal } from "../refusal.ts";
import type { Service } from "../service.ts";

/** Whether this is a kind of event. */
export function isEventKind(text: string): text is EventKind {
  return EVENT_KINDS.some((kind) => kind === text);
}

/** Which page of which events. `cursor`: what the page before ended with. */
export interface AskedEvents extends WantedEvents {
  cursor?: string | undefined;
  limit: number;
}

/** A page of events, the newest first. */
export async function listEvents(
  service: Service,
  { cursor, limit, ...wanted }: AskedEvents,
): Promise<EventPage | Refusal> {
  const said = Object.entries({ ...wanted, before: cursor }).filter(([, value]) => value !== undefined);
  const filter: EventFilter = { ...(Object.fromEntries(said) as Omit<EventFilter, "limit">), limit };
  const page = await service.eventList.page(filter);
  return page ?? { refused: "malformed_body", errors: [FOREIGN_CURSOR] };
}

const FOREIGN_CURSOR = { path: "cursor", message: "is not what a page with these filters ended with" };

/** A page of alerts, the newest first. */
export function listAlerts(service: Service, page: { before?: string; limit: number }): Promise<AlertPage> {
  return service.alerts.list(page);
}

/** What stats are asked for. Epoch milliseconds. */
export interface AskedStats {
  per: Span;
  from?: number | undefined;
  to?: number | undefined;
}

/** How often each kind of event has happened, minute by minute or hour by hour. */
export interface Stats {
  per: Span;
  from: number;
  to: number;
  counts: EventCount[];
}

/** Where nothing is said: the last hour by minutes, the last week by hours. */
const USUAL_BUCKETS = { minute: 60, hour: 7 * 24 } as const;

/** Counts of events in a time; the present minute is among them. `now` in epoch milliseconds. */
export async function readStats(
  service: Service,
  { per, ...asked }: AskedStats,
  now: number,
): Promise<Stats | Refusal> {
  const span = SPANS[per];
  const to = asked.to ?? now;
  const from = asked.from ?? Math.floor((to - USUAL_BUCKETS[per] * span) / span) * span;
  if (from >= to || to - from > STATS_BUCKETS_MAX * span) {
    const message = `must be before "to", and at most ${STATS_BUCKETS_MAX} ${per}s before it`;
    return { refused: "malformed_body", errors: [{ path: "from", message }] };
  }
  return { per, from, to, counts: await service.eventCounts.of(from, to, per) };
}
