import type { Detector, Finding } from "../../src/events/detectors/detector.ts";
import type { StoredEvent } from "../../src/events/event-store.ts";
import type { SecurityEvent } from "../../src/events/security-event.ts";
import { digits } from "./traffic/random.ts";
import { DAY, HOUR, MINUTE, SECOND, START } from "./traffic/world.ts";

export { DAY, HOUR, MINUTE, SECOND };

/** A Tuesday at noon. */
export const NOON = START + DAY + 12 * HOUR;
export const GROUP = "203.0.113.0/24";

let seq = 0;

/** An event with what a test wants to say, and the rest made up. */
export function event(fields: Partial<SecurityEvent> & Pick<SecurityEvent, "kind" | "at">): StoredEvent {
  seq += 1;
  return { id: String(seq), seq, source: GROUP, ...fields };
}

export const account = (n: number) =>
  `${digits(`account ${n}`).slice(0, 8)}-0000-4000-a000-${digits(`account ${n}`).slice(0, 12)}`;
export const address = (n: number) => digits(`address ${n}`);

type Fields = Partial<SecurityEvent>;

export const wrongPassword = (at: number, n: number, more: Fields = {}) =>
  event({
    kind: "authn_login_fail",
    reason: "wrong_password",
    factor: "pwd",
    at,
    account: account(n),
    address: address(n),
    ...more,
  });
export const unknownEmail = (at: number, n: number, more: Fields = {}) =>
  event({ kind: "authn_login_fail", reason: "unknown_email", factor: "pwd", at, address: address(n), ...more });
export const throttled = (at: number, reason: string, more: Fields = {}) =>
  event({ kind: "excess_rate_limit_exceeded", reason, factor: "pwd", at, ...more });
export const challenge = (at: number, n: number, more: Fields = {}) =>
  event({
    kind: "authn_token_created",
    reason: "challenge",
    factor: "pwd",
    at,
    account: account(n),
    address: address(n),
    ...more,
  });
export const signedIn = (at: number, n: number, more: Fields = {}) =>
  event({ kind: "authn_login_success", factor: "totp", at, account: account(n), address: address(n), ...more });
export const wrongFactor = (at: number, n: number, factor: "totp" | "recovery_code", more: Fields = {}) =>
  event({
    kind: "authn_login_fail",
    reason: factor === "totp" ? "wrong_code" : "wrong_recovery_code",
    factor,
    at,
    account: account(n),
    ...more,
  });
export const resetLink = (at: number, n: number, more: Fields = {}) =>
  event({
    kind: "authn_token_created",
    reason: "reset_link",
    factor: "mail_link",
    at,
    account: account(n),
    address: address(n),
    ...more,
  });

/** `count` events, one after the other. */
export function times(count: number, make: (n: number) => StoredEvent): StoredEvent[] {
  return Array.from({ length: count }, (_, n) => make(n));
}

/** What a detector says at `now`, having been shown everything at once. */
export function seen(detector: Detector, events: StoredEvent[], now: number): Finding[] {
  return detector.step(detector.empty, events, now).findings;
}

/** Shows events in steps of a minute, with a second a round trip through JSON, and keeps the subjects that were found. */
export function walk(detector: Detector, events: readonly StoredEvent[], until: number, viaJson = false) {
  let state = detector.empty;
  let next = 0;
  const findings: Finding[] = [];
  for (let now = (events[0]?.at ?? until) - MINUTE; now <= until; now += MINUTE) {
    const first = next;
    while ((events[next]?.at ?? Number.POSITIVE_INFINITY) <= now) next += 1;
    const before = JSON.stringify(state);
    const step = detector.step(state, events.slice(first, next), now);
    if (JSON.stringify(state) !== before) throw new Error(`${detector.pattern} has changed the state it was given`);
    state = viaJson ? JSON.parse(JSON.stringify(step.state)) : step.state;
    findings.push(...step.findings);
  }
  return { state, findings };
}
