import { DETECTOR_STATE_MAX, DETECTOR_TRIES } from "../event-policy.ts";
import { logLine } from "../log.ts";
import type { Detector, Finding, Severity } from "./detectors/detector.ts";
import type { StoredEvent } from "./event-store.ts";

/** What is kept for a detector between two steps. `state` is JSON. */
export interface Kept {
  state: string;
  /** The last event it has seen, where that is an earlier one than the others have: it has failed `tries` times in a row. */
  behind?: number;
  tries: number;
}

/** Where all detectors stand: `seq` is the last event that was looked at. One without an entry has seen nothing yet. */
export interface Standing {
  seq: number;
  detectors: ReadonlyMap<string, Kept>;
}

/** What a step has brought. */
export interface Stepped {
  standing: Standing;
  findings: Finding[];
}

/**
 * Shows events that follow `standing.seq` to every detector that has seen all before them; with none of them, that time has
 * passed. One that throws stays behind, and stands in nobody's way.
 */
export function stepAll(
  detectors: readonly Detector[],
  standing: Standing,
  events: readonly StoredEvent[],
  now: number,
): Stepped {
  const kept = new Map(standing.detectors);
  const findings: Finding[] = [];
  for (const detector of detectors) {
    const before = kept.get(detector.pattern) ?? nothingSeen(detector);
    if (before.behind !== undefined) continue;
    const result = step(detector, before, events, now);
    if (!result) kept.set(detector.pattern, { ...before, behind: standing.seq, tries: before.tries + 1 });
    else if (result.state !== before.state) kept.set(detector.pattern, { state: result.state, tries: 0 });
    findings.push(...(result?.findings ?? []));
  }
  return { standing: { seq: events.at(-1)?.seq ?? standing.seq, detectors: kept }, findings };
}

/**
 * Shows a detector that is behind the next events after those it has seen. When it has failed {@link DETECTOR_TRIES} times
 * it goes on behind them, with nothing in its mind: either may be what it failed at.
 */
export function catchUp(
  detector: Detector,
  { seq, detectors }: Standing,
  events: readonly StoredEvent[],
  now: number,
): Stepped {
  const before = detectors.get(detector.pattern) ?? nothingSeen(detector);
  const missed = events.filter((event) => event.seq <= seq);
  const end = missed.at(-1)?.seq ?? seq;
  const result = step(detector, before, missed, now);
  const standing = (kept: Kept) => ({ seq, detectors: new Map(detectors).set(detector.pattern, kept) });
  const movedOn = (state: string): Kept => ({ state, tries: 0, ...(end < seq ? { behind: end } : {}) });
  if (result) return { standing: standing(movedOn(result.state)), findings: result.findings };
  const tries = before.tries + 1;
  if (tries < DETECTOR_TRIES) return { standing: standing({ ...before, tries }), findings: [] };
  logLine({ level: "error", event: "detector_skipped", detector: detector.pattern, after: before.behind, to: end });
  return { standing: standing(movedOn(nothingSeen(detector).state)), findings: [] };
}

function step(detector: Detector, { state }: Kept, events: readonly StoredEvent[], now: number) {
  try {
    const stepped = detector.step(JSON.parse(state), events, now);
    const next = JSON.stringify(stepped.state);
    if (next.length > DETECTOR_STATE_MAX) throw new Error(`its state has ${next.length} characters`);
    return { state: next, findings: stepped.findings };
  } catch (error) {
    logLine({ level: "error", event: "detector_failed", detector: detector.pattern, error: String(error) });
    return undefined;
  }
}

function nothingSeen({ empty }: Detector): Kept {
  return { state: JSON.stringify(empty), tries: 0 };
}

const SEVERITIES: readonly Severity[] = ["low", "medium", "high"];

/** One finding a pattern and subject: of several the largest of everything. */
export function merged(findings: readonly Finding[]): Finding[] {
  const bySubject = new Map<string, Finding>();
  for (const finding of findings) {
    const key = `${finding.pattern} ${finding.subject}`;
    const other = bySubject.get(key) ?? finding;
    bySubject.set(key, {
      ...finding,
      severity: SEVERITIES.findLast((one) => one === finding.severity || one === other.severity) ?? finding.severity,
      firstAt: Math.min(finding.firstAt, other.firstAt),
      lastAt: Math.max(finding.lastAt, other.lastAt),
      tries: Math.max(finding.tries, other.tries),
      addresses: Math.max(finding.addresses, other.addresses),
      sources: Math.max(finding.sources, other.sources),
    });
  }
  return [...bySubject.values()];
}
