import { ALERT_QUIET_MS } from "../event-policy.ts";
import type { Finding, Pattern, Severity } from "./detectors/detector.ts";

/** A pattern that was found, for as long as it goes on. */
export interface Alert {
  /** UUIDv7 of the moment at which it was opened. */
  id: string;
  pattern: Pattern;
  /** `source:<group>`, `account:<id>`, `address:<digest>`, or `service`. */
  subject: string;
  /** The highest so far. */
  severity: Severity;
  /** When it was opened, and the first and last event that belongs to it. Epoch milliseconds. */
  openedAt: number;
  firstAt: number;
  lastAt: number;
  /** The most that one window of the detector has shown. */
  tries: number;
  addresses: number;
  sources: number;
}

/** What became of an alert with a finding: what operators hear of, or growth, or nothing that was not known. */
export type AlertChange = "opened" | "raised" | "grown" | "same";

/** An alert after a finding, and what became of it. */
export interface ChangedAlert {
  alert: Alert;
  change: AlertChange;
  /** It has gone on for another {@link ALERT_QUIET_MS}: what it did by itself when it was opened is done again. */
  goesOn?: true;
}

const RANKS: Record<Severity, number> = { low: 0, medium: 1, high: 2 };

/**
 * The alert of a finding: the newest one of its pattern and subject (`known`), grown, or a new one where there is none or
 * it has been quiet for {@link ALERT_QUIET_MS}. By the times of the events, so that a detector that goes on telling of
 * what is still in its window opens nothing.
 */
export function alertOf(known: Alert | undefined, finding: Finding, id: string, now: number): ChangedAlert {
  if (!known || finding.lastAt - known.lastAt > ALERT_QUIET_MS) {
    return { alert: { ...finding, id, openedAt: now }, change: "opened" };
  }
  const isHigher = RANKS[finding.severity] > RANKS[known.severity];
  const alert: Alert = {
    ...known,
    severity: isHigher ? finding.severity : known.severity,
    firstAt: Math.min(known.firstAt, finding.firstAt),
    lastAt: Math.max(known.lastAt, finding.lastAt),
    tries: Math.max(known.tries, finding.tries),
    addresses: Math.max(known.addresses, finding.addresses),
    sources: Math.max(known.sources, finding.sources),
  };
  const goesOn = spansOf(alert) > spansOf(known) ? { goesOn: true as const } : {};
  if (isHigher) return { alert, change: "raised", ...goesOn };
  return { alert, change: JSON.stringify(alert) === JSON.stringify(known) ? "same" : "grown", ...goesOn };
}

/** How often an alert could have gone quiet and has not. */
function spansOf({ openedAt, lastAt }: Alert): number {
  return Math.floor(Math.max(lastAt - openedAt, 0) / ALERT_QUIET_MS);
}
