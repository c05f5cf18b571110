import { CHALLENGE_TTL_MS, SESSIONS_PER_ACCOUNT } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { FactorTimes } from "../tokens/access-token.ts";
import type { ChallengePurpose } from "../tokens/challenge-token.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import { addChallenge, type SignInTerms } from "./challenges.ts";
import { type Floor, isAlive, SESSION_SECRET_BYTES, type Session, startSession } from "./sessions.ts";

/** What the Worker needs to sign an access token for one session. */
export interface AccessGrant {
  kind: "access";
  sessionId: string;
  audience: string;
  roles: string[];
  factors: FactorTimes;
}

/** An access token, and a refresh token of this generation that lives until `refreshExpiresAt` (epoch milliseconds). */
export interface SessionGrant extends Omit<AccessGrant, "kind"> {
  kind: "session";
  secret: Uint8Array<ArrayBuffer>;
  generation: number;
  refreshExpiresAt: number;
}

/** A challenge that waits for its answer until `expiresAt` (epoch milliseconds). */
export interface ChallengeGrant {
  kind: "challenge";
  challengeId: string;
  purpose: ChallengePurpose;
  methods: "totp"[];
  expiresAt: number;
}

/**
 * May this account have a session now? The one place that answers it: every path that opens or continues something
 * asks here, with the password version and the epoch its verdict was reached under. A newer verdict raises the floor,
 * and with it everything older is over.
 */
export function admit(guard: Guard, verdict: Floor): Refusal | undefined {
  if (verdict.passwordVersion < guard.passwordVersion || verdict.epoch < guard.epoch) {
    return { refused: "verdict_overtaken" };
  }
  guard.passwordVersion = verdict.passwordVersion;
  guard.epoch = verdict.epoch;
  return undefined;
}

/** A right password was shown: opens a challenge where the account has a factor, and a session only where it has none. */
export function openFirstDoor(
  store: AccountStore,
  verdict: Floor,
  terms: SignInTerms,
  now: number,
): SessionGrant | ChallengeGrant | Refusal {
  const guard = store.guard();
  const before = JSON.stringify(guard);
  const refusal = admit(guard, verdict);
  if (refusal) return refusal;
  const factors = { pwd: Math.floor(now / 1000) };
  if (store.activeFactors().length > 0) return openChallenge(store, guard, { purpose: "login", factors, terms }, now);
  if (JSON.stringify(guard) !== before) store.saveGuard(guard);
  return openSession(store, guard, factors, terms, now);
}

/** Opens a challenge and writes the guard row it stands in. */
export function openChallenge(
  store: AccountStore,
  guard: Guard,
  about: { purpose: ChallengePurpose; sessionId?: string; factors: FactorTimes; terms: SignInTerms },
  now: number,
): ChallengeGrant {
  const { passwordVersion, epoch } = guard;
  const id = crypto.randomUUID();
  const expiresAt = now + CHALLENGE_TTL_MS;
  const added = { ...about, id, expiresAt, attempts: 0, passwordVersion, epoch };
  guard.challenges = addChallenge(guard.challenges, added, now);
  store.saveGuard(guard);
  return { kind: "challenge", challengeId: id, purpose: about.purpose, methods: ["totp"], expiresAt };
}

/** Opens a session. Only for who has been admitted; the oldest session makes room when there are too many. */
export function openSession(
  store: AccountStore,
  guard: Guard,
  factors: FactorTimes,
  terms: SignInTerms,
  now: number,
): SessionGrant {
  const sessions = store.sessions();
  const alive = sessions.filter((session) => isAlive(session, guard, now));
  const tooMany = alive.slice(0, Math.max(0, alive.length - SESSIONS_PER_ACCOUNT + 1));
  const over = sessions.filter((session) => !alive.includes(session) || tooMany.includes(session));
  for (const { id } of over) endSession(store, guard, id);
  const secret = newSecret();
  const session = startSession(crypto.randomUUID(), secret, factors, guard, terms, now);
  store.saveSession(session);
  return grantOf(session, secret);
}

/** The session of this id if it is alive. */
export function liveSession(
  store: AccountStore,
  guard: Guard,
  sessionId: string,
  now: number,
): Session | { refused: "session_ended" } {
  const session = store.session(sessionId);
  return session && isAlive(session, guard, now) ? session : { refused: "session_ended" };
}

/** Ends a session: its refresh tokens, its challenges and its pot are gone in the same turn. */
export function endSession(store: AccountStore, guard: Guard, sessionId: string): void {
  store.deleteSession(sessionId);
  const challenges = guard.challenges.filter((challenge) => challenge.sessionId !== sessionId);
  if (challenges.length === guard.challenges.length && guard.pots[sessionId] === undefined) return;
  guard.challenges = challenges;
  delete guard.pots[sessionId];
  store.saveGuard(guard);
}

/** Ends every session but one, and every challenge that belongs to another or to a sign-in. */
export function endOtherSessions(store: AccountStore, guard: Guard, sessionId: string): void {
  for (const { id } of store.sessions()) if (id !== sessionId) store.deleteSession(id);
  guard.challenges = guard.challenges.filter((challenge) => challenge.sessionId === sessionId);
  const pot = guard.pots[sessionId];
  guard.pots = pot === undefined ? {} : { [sessionId]: pot };
  store.saveGuard(guard);
}

/** What the Worker may sign for a session at its present generation. */
export function grantOf(session: Session, secret: Uint8Array<ArrayBuffer>): SessionGrant {
  const { id, generation, factors, terms } = session;
  const refreshExpiresAt = Math.min(session.idleExpiresAt, session.absoluteExpiresAt);
  const { audience, roles } = terms;
  return { kind: "session", sessionId: id, secret, generation, audience, roles, factors, refreshExpiresAt };
}

/** Fresh random bits for a session's refresh tokens. */
export function newSecret(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(SESSION_SECRET_BYTES));
}
