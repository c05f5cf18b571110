import type { StoredEvent } from "../event-store.ts";

/** What an attack looks like from here. */
export const PATTERNS = [
  "password_spraying",
  "slow_password_spraying",
  "credential_stuffing",
  "brute_force",
  "distributed_brute_force",
  "second_factor_guessing",
  "second_factor_unproven",
  "recovery_code_guessing",
  "refresh_token_reuse",
  "reset_flooding",
  "impossible_travel",
  "failure_ratio",
] as const;
export type Pattern = (typeof PATTERNS)[number];

export type Severity = "low" | "medium" | "high";

/** That a pattern is there now. What it is about: a group of sources, an account (or an address that may have none), or the whole service. */
export interface Finding {
  pattern: Pattern;
  /** One alert a pattern and subject: `source:<group>`, `account:<id>`, `address:<digest>`, or `service`. */
  subject: string;
  severity: Severity;
  /** Epoch milliseconds of the first and the last event of the present window that belongs to it. */
  firstAt: number;
  lastAt: number;
  /** Of the present window. */
  tries: number;
  addresses: number;
  sources: number;
}

/**
 * One detector: a pure function over the events that are new since its last step, and over what it keeps of those in
 * its window. `State` is plain JSON, bounded by constants, so that it can lie in a row between two steps.
 */
export interface Detector<State = unknown> {
  pattern: Pattern;
  /** Nothing seen yet. */
  empty: State;
  /** `events` in the order of arrival, which is not always that of their times; `now` in epoch milliseconds. */
  step(state: State, events: readonly StoredEvent[], now: number): { state: State; findings: Finding[] };
}
