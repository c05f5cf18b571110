import type { Circumstances } from "../events/security-event.ts";
import { SESSIONS_PER_ACCOUNT } from "../policy.ts";
import type { Refusal, Unfamiliar } from "../refusal.ts";
import { type AudienceNeeds, suffices } from "../tokens/audience.ts";
import type { ChallengePurpose } from "../tokens/challenge-token.ts";
import { describeProof, type Proof } from "../tokens/proof.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import { afterSignIn, type BrowserClaim, type RecognisedBrowser, withoutTrust } from "./browsers.ts";
import {
  addChallenge,
  type Binding,
  type Challenge,
  type ChallengeSubject,
  dropDead,
  type SignInTerms,
  startChallenge,
} from "./challenges.ts";
import { becomeFamiliar } from "./familiarity.ts";
import type { SecondFactorMethod } from "./methods.ts";
import { NO_STREAKS } from "./proof-mode.ts";
import { countAbandoned, recordFirstDoor } from "./recording.ts";
import { endOf, type Floor, isAlive, SESSION_SECRET_BYTES, type Session, startSession } from "./sessions.ts";
import { type Unanswered, unansweredOf } from "./warnings.ts";

/** What the Worker needs to sign an access token for one session. */
export interface AccessGrant extends Binding {
  kind: "access";
  sessionId: string;
  audience: string;
  roles: string[];
  factors: Proof;
  /** When the session ends by itself, epoch milliseconds. */
  sessionEndsAt: number;
  /** How many recovery codes are left, where one was used. */
  recoveryCodesLeft?: number;
  /** While somebody waits to have every factor removed: when the wait is over, epoch milliseconds. */
  recovery?: { finishAfter: number };
}

/** An access token, and a refresh token of this generation that lives until `refreshExpiresAt` (epoch milliseconds). */
export interface SessionGrant extends Omit<AccessGrant, "kind" | "sessionEndsAt"> {
  kind: "session";
  secret: Uint8Array<ArrayBuffer>;
  generation: number;
  refreshExpiresAt: number;
  /** Digest of the email key that the sign-in named; of a passkey alone it is empty. */
  emailDigest?: string;
  /** The browser that has just signed in completely. */
  browser?: RecognisedBrowser;
  /** What of a sign-in the account had not seen before, which its owner hears of. */
  unfamiliar?: Unfamiliar;
}

/** A challenge that waits for its answer until `expiresAt` (epoch milliseconds). */
export interface ChallengeGrant {
  kind: "challenge";
  challengeId: string;
  purpose: ChallengePurpose;
  methods: SecondFactorMethod[];
  expiresAt: number;
  /** An earlier one that its owner has to hear of. */
  unanswered?: Unanswered;
}

/** A factor has to be added before anything else, until `expiresAt` (epoch milliseconds). */
export interface EnrolmentRequired {
  kind: "enrolment";
  enrolmentId: string;
  methods: ("totp" | "passkey")[];
  expiresAt: number;
}

/**
 * Raises the floor to a verdict's password version and epoch, or refuses a verdict below it. Every path that opens or
 * continues something passes here before `judge` says what it may become.
 */
export function admit(guard: Guard, verdict: Floor): Refusal | undefined {
  if (guard.life.isBuried) return { refused: "account_not_active" };
  if (verdict.passwordVersion < guard.passwordVersion || verdict.epoch < guard.epoch) {
    return { refused: "verdict_overtaken" };
  }
  guard.passwordVersion = verdict.passwordVersion;
  guard.epoch = verdict.epoch;
  return undefined;
}

/** Opens a challenge and writes the guard row it stands in. `swept`: what the caller has found abandoned itself. */
export function openChallenge(
  store: AccountStore,
  guard: Guard,
  subject: ChallengeSubject,
  now: number,
  swept: Challenge[] = [],
): ChallengeGrant {
  const expired = sweepChallenges(store, guard, now);
  const added = startChallenge(subject, guard, now);
  const { challenges, abandoned } = addChallenge(guard.challenges, added);
  guard.challenges = challenges;
  countAbandoned(store, guard, abandoned);
  recordFirstDoor(store, added);
  const unanswered = unansweredOf(guard, [...swept, ...expired, ...abandoned], now);
  store.saveGuard(guard);
  const { id, purpose, methods, expiresAt } = added;
  return { kind: "challenge", challengeId: id, purpose, methods, expiresAt, ...(unanswered ? { unanswered } : {}) };
}

/** Drops dead challenges, and counts those that strangers had left without a right answer: the ones it answers. */
export function sweepChallenges(store: AccountStore, guard: Guard, now: number): Challenge[] {
  const { live, abandoned } = dropDead(guard.challenges, now);
  guard.challenges = live;
  countAbandoned(store, guard, abandoned);
  return abandoned;
}

/** Opens a session. Only for who has been admitted; the oldest session makes room when there are too many. */
export function openSession(
  store: AccountStore,
  guard: Guard,
  factors: Proof,
  terms: SignInTerms,
  now: number,
  trustedBy?: string,
): SessionGrant {
  const sessions = store.sessions();
  const alive = sessions.filter((session) => isAlive(session, guard, now));
  const tooMany = alive.slice(0, Math.max(0, alive.length - SESSIONS_PER_ACCOUNT + 1));
  const over = sessions.filter((session) => !alive.includes(session) || tooMany.includes(session));
  for (const { id } of over) endSession(store, guard, id);
  const secret = newSecret();
  const session = startSession(crypto.randomUUID(), secret, factors, guard, terms, now);
  store.saveSession(trustedBy === undefined ? session : { ...session, trustedBy });
  return grantOf(session, secret);
}

/** What a complete sign-in adds to its grant. */
export type SeenSignIn = Pick<SessionGrant, "browser" | "unfamiliar">;

/**
 * What a complete sign-in leaves in the guard: nothing is held against unrecognised browsers any more but the rolling
 * hour, and this browser is recognised from now on.
 */
export function rememberSignIn(
  guard: Guard,
  claim: BrowserClaim,
  { emailDigest }: SignInTerms,
  now: number,
): SeenSignIn {
  guard.streaks = structuredClone(NO_STREAKS);
  return recogniseFromNowOn(guard, claim, { emailDigest }, now);
}

/** Knows the network that asks, and the browser if it is one that keeps cookies. */
export function recogniseFromNowOn(
  guard: Guard,
  claim: BrowserClaim,
  { emailDigest }: Pick<SignInTerms, "emailDigest">,
  now: number,
): SeenSignIn {
  const unfamiliar = becomeFamiliar(guard, claim, now);
  const seen = unfamiliar ? { unfamiliar } : {};
  if (!claim.isBrowser) return seen;
  guard.browsers = afterSignIn(guard.browsers, claim, now);
  dropPotsOfForgotten(guard);
  const [browser] = guard.browsers;
  return browser ? { ...seen, browser: { id: browser.id, emailDigest } } : seen;
}

/** Pots of browsers that are no longer recognised: nobody can draw on them again. */
export function dropPotsOfForgotten(guard: Guard): void {
  const kept = new Set<string>(["unrecognised", "proven", ...guard.browsers.map(({ id }) => id)]);
  guard.attempts = Object.fromEntries(Object.entries(guard.attempts).filter(([pot]) => kept.has(pot)));
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
  store.deleteSession(sessionId, guard);
  const challenges = guard.challenges.filter((challenge) => challenge.sessionId !== sessionId);
  if (challenges.length === guard.challenges.length && guard.pots[sessionId] === undefined) return;
  guard.challenges = challenges;
  delete guard.pots[sessionId];
  store.saveGuard(guard);
}

/** Why somebody ends a session, and who that is. */
export interface Ending {
  reason: "logged_out" | "revoked_by_client" | "ended_by_owner";
  /** The back end that has asked for it. */
  client?: string;
  from?: Circumstances | undefined;
}

/** Ends a session because somebody has asked for that. */
export function endOnPurpose(store: AccountStore, sessionId: string, { reason, client, from }: Ending): void {
  const about = client === undefined ? {} : { about: { client } };
  store.note({ kind: "authn_token_revoked", reason, session: sessionId, ...about }, from);
  endSession(store, store.guard(), sessionId);
}

/** Ends every session but one, and every challenge and enrolment that belongs to another or to a sign-in. */
export function endOtherSessions(store: AccountStore, guard: Guard, sessionId: string): void {
  dropOtherSessions(store, guard, sessionId);
  store.saveGuard(guard);
}

/** The same, with the guard left to be saved. */
export function dropOtherSessions(store: AccountStore, guard: Guard, sessionId: string): void {
  for (const { id } of store.sessions()) if (id !== sessionId) store.deleteSession(id, guard);
  guard.challenges = guard.challenges.filter((challenge) => challenge.sessionId === sessionId);
  guard.enrolments = [];
  const pot = guard.pots[sessionId];
  guard.pots = pot === undefined ? {} : { [sessionId]: pot };
}

/** Ends everything that was opened or is half way, and the trust in browsers. The guard is left to be saved. */
export function endEverything(store: AccountStore, guard: Guard): void {
  for (const { id } of store.sessions()) store.deleteSession(id, guard);
  guard.challenges = [];
  guard.enrolments = [];
  guard.registration = undefined;
  guard.pots = {};
  guard.browsers = guard.browsers.map(withoutTrust);
}

/** What the Worker may sign for a session at its present generation, for the service of its sign-in or another. */
export function grantOf(
  session: Session,
  secret: Uint8Array<ArrayBuffer>,
  audience: string = session.terms.audience,
): SessionGrant {
  const { id, generation, factors, terms } = session;
  const { roles, emailDigest } = terms;
  const access = { sessionId: id, audience, roles, factors, ...bindingOf(terms) };
  return { kind: "session", ...access, emailDigest, secret, generation, refreshExpiresAt: endOf(session) };
}

/** What a grant takes over of the terms of its sign-in. */
export function bindingOf({ jkt, delivery }: Binding): Binding {
  return { ...(jkt === undefined ? {} : { jkt }), ...(delivery === undefined ? {} : { delivery }) };
}

/** Why somebody may not have a token for a service: all that is proven does not suffice for it. */
export function audienceRefusal(factors: Proof, needs: AudienceNeeds | undefined): Refusal | undefined {
  if (needs === undefined || suffices(describeProof(factors), needs)) return undefined;
  return { refused: "proof_below_audience", acr: needs.minAcr ?? "aal2" };
}

/** Fresh random bits for a session's refresh tokens. */
export function newSecret(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(SESSION_SECRET_BYTES));
}
