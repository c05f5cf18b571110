import { afterEach, beforeEach, vi } from "vitest";

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/**
 * In every test of the file the clock stands still, a second into a TOTP step, until it is moved. It reaches the objects
 * too: they run in this isolate and never ask SQLite for the time.
 */
export function useMovedClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: Math.ceil(Date.now() / 30_000) * 30_000 + SECOND });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Moves the clock. */
export function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

/** The present, epoch seconds, as a token says it. */
export function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
