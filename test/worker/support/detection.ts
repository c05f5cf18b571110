import { env } from "cloudflare:workers";
import type { Alert } from "../../../src/events/alert.ts";
import { alertStoreOf } from "../../../src/events/alert-store.ts";
import type { Detector, Finding, Pattern } from "../../../src/events/detectors/detector.ts";
import { eventStoreOf } from "../../../src/events/event-store.ts";
import { type Occurrence, type SecurityEvent, securityEvent } from "../../../src/events/security-event.ts";
import { detect } from "../../../src/flows/detect.ts";
import { cronService, cronVisit } from "./cron.ts";

/** Half past some hour, so that nothing of a test falls into two. */
export const START = Date.UTC(2026, 5, 3, 9, 30);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** Lets events arrive, one a second from a moment on. */
export async function arrive(
  count: number,
  at: number,
  occurrence: Partial<Occurrence> = {},
): Promise<SecurityEvent[]> {
  const events = Array.from({ length: count }, (_, index) =>
    securityEvent({ kind: "authn_login_fail", ...occurrence }, { source: "192.0.2.0/24" }, at + index * 1_000),
  );
  await eventStoreOf(env.EVENTS).add(events);
  return events;
}

/** What a {@link collector} keeps. */
export interface Collected {
  ids: string[];
}

/** A detector that keeps the id of every event it is shown, and finds what a test wants it to find of them. */
export function collector(
  pattern: Pattern,
  find: (ids: string[], now: number) => Partial<Finding>[] = () => [],
): Detector<Collected> {
  return {
    pattern,
    empty: { ids: [] },
    step({ ids }, events, now) {
      const all = [...ids, ...events.map(({ id }) => id)];
      return { state: { ids: all }, findings: find(all, now).map((finding) => ({ ...FINDING, pattern, ...finding })) };
    },
  };
}

const FINDING: Finding = {
  pattern: "password_spraying",
  subject: "source:192.0.2.0/24",
  severity: "medium",
  firstAt: START,
  lastAt: START,
  tries: 1,
  addresses: 1,
  sources: 1,
};

/** One minute of detection with these detectors. */
export function look(detectors: Detector<never>[] | Detector<Collected>[], now: number, bindings: object = env) {
  return detect(cronService(bindings), cronVisit(now), detectors as Detector[]);
}

/** What a detector keeps. */
export async function keptBy({ pattern }: { pattern: Pattern }): Promise<string[]> {
  const state = await env.EVENTS.prepare("SELECT state FROM detectors WHERE name = ?")
    .bind(pattern)
    .first<string>("state");
  return state === null ? [] : (JSON.parse(state) as Collected).ids;
}

/** All alerts, the newest first. */
export async function alerts(): Promise<Alert[]> {
  return (await alertStoreOf(env.EVENTS).list({ limit: 100 })).alerts;
}

/** Begins anew: nothing has arrived, and no detector has seen anything. */
export async function forgetAll(): Promise<void> {
  const tables = ["detectors", "counts", "alerts", "deliveries"].map((table) => `DELETE FROM ${table};`);
  await env.EVENTS.exec(tables.join("\n"));
  await env.EVENTS.exec("UPDATE detection SET mail = '{}', seq = (SELECT coalesce(max(seq), 0) FROM events)");
}
