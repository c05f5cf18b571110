import type { StoredEvent } from "../event-store.ts";
import type { Detector, Finding } from "./detector.ts";
import {
  RATIO_FAILURES_MIN,
  RATIO_TIMES_USUAL,
  RATIO_USUAL_MIN,
  RATIO_WINDOW_MS,
  RATIO_WITHOUT_HISTORY,
  USUAL_DAYS,
} from "./thresholds.ts";
import { inOrder, opensSession, passwordTryOf } from "./tries.ts";

const SLICE_MS = 5 * 60_000;
const HOUR = 3_600_000;
const SLICES_OF_HOUR = HOUR / SLICE_MS;

type Counts = [failed: number, opened: number];

export interface Ratios {
  /** By five minutes: what counts towards the present hour. */
  slices: Record<string, Counts>;
  /** By hour, of the last days. Hours with an alarm are left out, so that an attack does not become the usual. */
  hours: Record<string, Counts>;
  /** The last hour with an alarm. */
  alarm: number;
}

/** More of all tries fail than at this hour of the days before: whatever it is, and whoever it is aimed at. */
export const failureRatio: Detector<Ratios> = {
  pattern: "failure_ratio",
  empty: { slices: {}, hours: {}, alarm: 0 },
  step(before, events, now) {
    const counted = withEvents(before.slices, events, now);
    const hour = Math.floor(now / HOUR);
    const usual = usualOf(before.hours, hour);
    const recent = Object.entries(counted).filter(
      ([slice]) => Number(slice) * SLICE_MS > now - RATIO_WINDOW_MS - SLICE_MS,
    );
    const [failed, opened] = sumOf(recent.map(([, counts]) => counts));
    const ratio = failed / (failed + opened);
    const isHigh = failed >= RATIO_FAILURES_MIN && ratio > RATIO_TIMES_USUAL * usual;
    const state = folded({ ...before, slices: counted, alarm: isHigh ? hour : Math.min(before.alarm, hour) }, hour);
    return { state, findings: isHigh ? [findingOf(failed, ratio / usual, now)] : [] };
  },
};

function withEvents(before: Ratios["slices"], events: readonly StoredEvent[], now: number): Ratios["slices"] {
  const slices = { ...before };
  const oldest = Math.floor(now / SLICE_MS) - 2 * SLICES_OF_HOUR;
  for (const event of inOrder(events, now)) {
    const tried = passwordTryOf(event);
    // A throttle of one person has one program or one attacker before it, and its own detectors.
    const failed = tried && (tried.outcome !== "throttled" || tried.bySource) ? tried.tries : 0;
    const slice = Math.floor(event.at / SLICE_MS);
    if ((failed === 0 && !opensSession(event)) || slice < oldest) continue;
    const [failedBefore, openedBefore] = slices[slice] ?? [0, 0];
    slices[slice] = [failedBefore + failed, openedBefore + Number(opensSession(event))];
  }
  return slices;
}

function sumOf(counts: Counts[]): Counts {
  return counts.reduce<Counts>(([failed, opened], [f, o]) => [failed + f, opened + o], [0, 0]);
}

/** The share that fails at this hour, the one before and the one after, of the days before: a night has few tries. */
function usualOf(hours: Ratios["hours"], hour: number): number {
  const days = Array.from({ length: USUAL_DAYS.most }, (_, day) => hour - 24 * (day + 1));
  if (days.filter((day) => day in hours).length < USUAL_DAYS.fewest) return RATIO_WITHOUT_HISTORY;
  const [failed, opened] = sumOf(
    days.flatMap((day) => [day - 1, day, day + 1].flatMap((each) => (hours[each] ? [hours[each]] : []))),
  );
  return Math.max(failed / Math.max(failed + opened, 1), RATIO_USUAL_MIN);
}

/** Moves hours that no late event changes any more to the history: once an hour. */
function folded(state: Ratios, hour: number): Ratios {
  const isPast = (slice: string) => hourOf(slice) < hour - 1 || hourOf(slice) > hour;
  const past = Object.entries(state.slices).filter(([slice]) => isPast(slice));
  if (past.length === 0) return state;
  const hours = { ...state.hours };
  for (const [slice, counts] of past) {
    const of = hourOf(slice);
    if (Math.abs(of - state.alarm) > 2) hours[of] = sumOf([hours[of] ?? [0, 0], counts]);
  }
  const oldest = hour - 24 * USUAL_DAYS.most - 1;
  const isKept = ([past]: [string, Counts]) => Number(past) >= oldest && Number(past) <= hour;
  return {
    ...state,
    slices: Object.fromEntries(Object.entries(state.slices).filter(([slice]) => !isPast(slice))),
    hours: Object.fromEntries(Object.entries(hours).filter(isKept)),
  };
}

function hourOf(slice: string): number {
  return Math.floor(Number(slice) / SLICES_OF_HOUR);
}

function findingOf(failed: number, times: number, now: number): Finding {
  const severity = times >= 2 * RATIO_TIMES_USUAL || failed >= 10 * RATIO_FAILURES_MIN ? "high" : "medium";
  const seen = { firstAt: now - RATIO_WINDOW_MS, lastAt: now, tries: failed, addresses: 0, sources: 0 };
  return { pattern: "failure_ratio", subject: "service", severity, ...seen };
}
