import type { Browser, BrowserClaim, Trust } from "../../../src/account/browsers.ts";
import type { Challenge, SignInTerms } from "../../../src/account/challenges.ts";
import type { Passkey } from "../../../src/account/passkeys.ts";
import { type Session, startSession } from "../../../src/account/sessions.ts";
import type { TotpFactor } from "../../../src/account/totp-factors.ts";

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
  secondFactor: "optional",
  emailDigest: "digest-1",
};

/** The random bits of {@link session}. */
export const SECRET = Uint8Array.from({ length: 16 }, (_, index) => index);

/** A challenge that was opened at `NOW` and lives five minutes: of a stranger's sign-in, or of the session it names. */
export function challenge(changes: Partial<Challenge> = {}): Challenge {
  return {
    id: "c1",
    purpose: "login",
    ...(changes.sessionId === undefined ? { pot: "unrecognised" } : {}),
    methods: ["totp"],
    expiresAt: NOW + 300_000,
    attempts: 0,
    webauthn: "AAAA",
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

/** An active authenticator app. Its secret opens nothing. */
export function totpFactor(changes: Partial<TotpFactor> = {}): TotpFactor {
  return { kind: "totp", id: "t1", label: "Phone", sealedSecret: "", createdAt: NOW, ...changes };
}

/** One that waits for its first code, from the session or enrolment `ownerId`. */
export function pendingFactor(ownerId: string, changes: Partial<TotpFactor> = {}): TotpFactor {
  return totpFactor({ id: "waiting", pending: { ownerId, until: NOW + 600_000, attempts: 0 }, ...changes });
}

/** A passkey that verified its user and may be copied to other devices. Its key opens nothing. */
export function passkey(changes: Partial<Passkey> = {}, credential: Partial<Passkey["credential"]> = {}): Passkey {
  const base = { id: "AQID", publicKey: "", signCount: 0, transports: [], backupEligible: true, userVerified: true };
  return {
    kind: "passkey",
    id: "p1",
    label: "Laptop",
    credential: { ...base, ...credential },
    createdAt: NOW,
    ...changes,
  };
}

/** A browser that signed in at `NOW`, under the password and epoch of {@link session}. */
export function browser(changes: Partial<Browser> = {}): Browser {
  return { id: "b1", userAgent: "test", createdAt: NOW, lastUsedAt: NOW, ...changes };
}

/** Trust that was given at `NOW` for thirty days, under the password and epoch of {@link session}. */
export function trust(changes: Partial<Trust> = {}): Trust {
  const given = { grantedAt: NOW, until: NOW + 30 * DAY, secondFactor: "optional" } as const;
  return { id: "trust-1", ...given, passwordVersion: 1, epoch: 1, ...changes };
}

/** What a browser without any cookie says of itself, where trust may last thirty days. */
export function claim(changes: Partial<BrowserClaim> = {}): BrowserClaim {
  const trustTerms = { trustForMs: 30 * DAY, secondFactor: "optional" } as const;
  return {
    isBrowser: true,
    recognisedIds: [],
    trustIds: [],
    userAgent: "test",
    network: "home",
    trustTerms,
    ...changes,
  };
}
