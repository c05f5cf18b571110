import { describe, expect, it } from "vitest";
import { DETECTORS } from "../../src/events/detectors/all.ts";
import type { Detector } from "../../src/events/detectors/detector.ts";
import type { StoredEvent } from "../../src/events/event-store.ts";
import * as s from "./support.ts";

const { HOUR, MINUTE, NOON, SECOND } = s;
/** What a row may have. */
const STATE_MAX = 210_000;
const PAGE = 1_000;

const group = (n: number) => `${n & 127}.${(n >> 7) & 255}.${(n >> 15) & 255}.0/24`;
const far = (n: number) => ({ place: { lat: (n % 120) - 60, lon: (n % 300) - 150 }, agent: s.address(n).slice(0, 16) });

/** One of everything, about subject `n`. */
const KINDS: ((at: number, n: number) => StoredEvent)[] = [
  (at, n) => s.wrongPassword(at, n, { source: group(n) }),
  (at, n) => s.unknownEmail(at, n, { source: group(n), count: 3, addresses: 2 }),
  (at, n) => s.challenge(at, n, { source: group(n) }),
  (at, n) => s.signedIn(at, n, { source: group(n + 7), ...far(n) }),
  (at, n) => s.wrongFactor(at, n, "totp", { source: group(n) }),
  (at, n) => s.wrongFactor(at, n, "recovery_code", { source: group(n) }),
  (at, n) => s.resetLink(at, n, { source: group(n) }),
  (at, n) => s.event({ kind: "authn_token_reuse", reason: "refresh_token_reused", at, account: s.account(n) }),
];

/** An attack of every kind on a few subjects, with people in between. */
function mixture(): StoredEvent[] {
  const events = s.times(900, (i) => {
    const at = NOON + i * 4 * SECOND;
    const kind = KINDS[(i * 5) % KINDS.length] as (typeof KINDS)[number];
    return { ...kind(at, i % 3 === 0 ? 1 : i % 40), ...(i % 2 ? { source: s.GROUP } : {}) };
  });
  return events.sort((a, b) => a.at - b.at);
}

const subjectsOf = (found: { subject: string }[]) => [...new Set(found.map(({ subject }) => subject))].sort();

describe.each(DETECTORS.map((detector) => [detector.pattern, detector] as const))("%s", (_, detector: Detector) => {
  it("goes on from JSON as if it had never stopped, and changes nothing that it was given", () => {
    const events = mixture();
    const end = NOON + 3 * HOUR;
    const kept = s.walk(detector, events, end, true);
    expect(kept).toEqual(s.walk(detector, events, end));
    expect(JSON.parse(JSON.stringify(kept.state))).toEqual(kept.state);
  });

  it("says the same whatever the order in which the events of a step come", () => {
    const [events, end] = [mixture(), NOON + HOUR];
    const backwards = detector.step(detector.empty, events.toReversed(), end).findings;
    expect(subjectsOf(backwards)).toEqual(subjectsOf(detector.step(detector.empty, events, end).findings));
  });

  it("falls silent, and forgets, when nothing happens any more", () => {
    const { state } = s.walk(detector, mixture(), NOON + 2 * HOUR);
    const later = detector.step(state, [], NOON + 60 * HOUR);
    expect(detector.step(later.state, [], NOON + 61 * HOUR).findings).toEqual([]);
  });

  it("keeps nothing for ever because of a clock that was ahead", () => {
    const ahead = detector.step(detector.empty, mixture(), NOON + 1_000 * HOUR).state;
    const back = detector.step(ahead, [], NOON + HOUR).state;
    expect(detector.step(back, [], NOON + 40 * HOUR).findings).toEqual([]);
  });

  it("stays small in a flood of subjects, and a step does not take longer the longer it lasts", {
    timeout: 120_000,
  }, () => {
    let state = detector.empty;
    let largest = 0;
    const took: number[] = [];
    for (let page = 0; page < 24; page += 1) {
      const now = NOON + page * 5 * SECOND;
      const events = s.times(PAGE, (i) => (KINDS[i % KINDS.length] as (typeof KINDS)[number])(now, page * PAGE + i));
      const began = performance.now();
      state = detector.step(state, events, now + MINUTE / 60).state;
      took.push(performance.now() - began);
      if (page % 8 === 7) largest = Math.max(largest, JSON.stringify(state).length);
    }
    expect(largest).toBeLessThan(STATE_MAX);
    // The quickest of the first eight, by when there is something to carry, and of the last eight.
    expect(Math.min(...took.slice(16))).toBeLessThan(5 * Math.min(...took.slice(4, 12)));
  });
});

it("100,000 subjects leave no detector with more than a row has room for", { timeout: 120_000 }, () => {
  const pages = 20;
  const subjects = 100_000 / pages;
  let states = DETECTORS.map(({ empty }) => empty);
  for (let page = 0; page < pages; page += 1) {
    const now = NOON + page * 5 * SECOND;
    // Named by their number, since digests of so many take longer than the detectors do.
    const events = Array.from({ length: subjects }, (_, i) => flooding(now, page * subjects + i));
    states = DETECTORS.map((detector, n) => detector.step(states[n], events, now).state);
  }
  for (const state of states) expect(JSON.stringify(state).length).toBeLessThan(STATE_MAX);
});

const FLOODS = [
  { kind: "authn_login_fail", reason: "wrong_password", factor: "pwd" },
  { kind: "authn_login_fail", reason: "wrong_code", factor: "totp" },
  { kind: "authn_login_success", factor: "totp", agent: "aaaaaaaaaaaaaaaa", place: { lat: 51, lon: 10 } },
  { kind: "authn_token_created", reason: "reset_link", factor: "mail_link" },
] as const;

function flooding(at: number, n: number): StoredEvent {
  const hex = n.toString(16).padStart(12, "0");
  const fields = FLOODS[n % FLOODS.length] as (typeof FLOODS)[number];
  const account = `00000000-0000-4000-a000-${hex}`;
  return { id: hex, seq: n, at, source: group(n), account, address: `${hex}${hex}00000000`, ...fields };
}
