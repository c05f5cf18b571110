import type { Challenge, SignInTerms } from "../../../src/account/challenges.ts";
import { type Session, startSession } from "../../../src/account/sessions.ts";

/** A moment, epoch milliseconds. */
export const NOW = 1_800_000_000_000;
const DAY = 86_400_000;

/** The terms of a sign-in: a day idle, two weeks in all. */
export const TERMS: SignInTerms = {
  audience: "https://auth.example.com",
  roles: [],
  userAgent: "test",
  idleMs: DAY,
  absoluteMs: 14 * DAY,
};

/** The random bits of {@link session}. */
export const SECRET = Uint8Array.from({ length: 16 }, (_, index) => index);

/** A challenge that was opened at `NOW` for a sign-in and lives five minutes. */
export function challenge(changes: Partial<Challenge> = {}): Challenge {
  return {
    id: "c1",
    purpose: "login",
    expiresAt: NOW + 300_000,
    attempts: 0,
    passwordVersion: 1,
    epoch: 1,
    factors: { pwd: NOW / 1000 },
    terms: TERMS,
    ...changes,
  };
}

/** A session that was opened at `NOW` with password and code. */
export function session(changes: Partial<Session> = {}): Session {
  const factors = { pwd: NOW / 1000, otp: NOW / 1000 };
  return { ...startSession("s1", SECRET, factors, { passwordVersion: 1, epoch: 1 }, TERMS, NOW), ...changes };
}
