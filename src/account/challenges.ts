import { randomBytes } from "node:crypto";
import type { Circumstances } from "../events/security-event.ts";
import {
  CHALLENGE_ATTEMPTS,
  CHALLENGE_TTL_MS,
  LIVE_CHALLENGES,
  LIVE_CHALLENGES_OF_OWNER,
  WEBAUTHN_CHALLENGE_BYTES,
} from "../policy.ts";
import type { Audience, AudienceNeeds } from "../tokens/audience.ts";
import type { ChallengePurpose } from "../tokens/challenge-token.ts";
import type { Proof } from "../tokens/proof.ts";
import type { Pot } from "./budgets.ts";
import type { SecondFactorMethod, SecondFactorPolicy } from "./methods.ts";
import type { Floor } from "./sessions.ts";

/** What holds for every token of a session, as its sign-in asked. */
export interface Binding {
  /** Thumbprint of the key that all of them are bound to (RFC 9449). */
  jkt?: string;
  /** A refresh token that is bound may be read by the page; any other is a browser's cookie. */
  delivery?: "body";
}

/** The terms a request asked for; a challenge carries them, and its answer is given under them. */
export interface SignInTerms extends Binding {
  audience: string;
  /** What the service asked for wants proven. */
  audienceNeeds?: AudienceNeeds;
  roles: string[];
  userAgent: string;
  /** Lifetimes of a session opened under these terms, milliseconds. */
  idleMs: number;
  absoluteMs: number;
  /** What the operator demanded then. */
  secondFactor: SecondFactorPolicy;
  /** Keyed digest of the address, which the cookie of a recognised browser names the account by. */
  emailDigest: string;
}

/** The same terms for a token of another service. */
export function forAudience({ audienceNeeds: _, ...terms }: SignInTerms, { name, ...needs }: Audience): SignInTerms {
  return { ...terms, audience: name, ...(Object.keys(needs).length > 0 ? { audienceNeeds: needs } : {}) };
}

/** What a challenge is about. */
export interface ChallengeSubject {
  purpose: ChallengePurpose;
  /** The session it belongs to; none for a sign-in. */
  sessionId?: string;
  /** Of a sign-in: whose attempts it draws on. */
  pot?: Pot;
  /** What it can be answered with. */
  methods: SecondFactorMethod[];
  /** What was proven before it was opened. */
  factors: Proof;
  terms: SignInTerms;
  /** Of a reset: the link that was shown, and the hash of the new password, sealed by the Worker. */
  reset?: { linkId: string; sealedPassword: string };
  /** Who has opened it, for events: whoever leaves it unanswered is somebody else than the next who comes. */
  from?: Circumstances | undefined;
}

/** A challenge as the account remembers it. Times in epoch milliseconds. */
export interface Challenge extends ChallengeSubject, Floor {
  id: string;
  expiresAt: number;
  attempts: number;
  /** That an answer was refused because its budget is used up, and that this was recorded. */
  isRefused?: true;
  /** The WebAuthn challenge of its next assertion, base64url; a new one for every try. */
  webauthn: string;
}

/** A challenge that can be answered from `now` on. */
export function startChallenge(subject: ChallengeSubject, { passwordVersion, epoch }: Floor, now: number): Challenge {
  const id = crypto.randomUUID();
  const expiresAt = now + CHALLENGE_TTL_MS;
  return { ...subject, id, expiresAt, attempts: 0, webauthn: newWebAuthnChallenge(), passwordVersion, epoch };
}

/** A challenge for one WebAuthn ceremony (WebAuthn §13.4.3), base64url. */
export function newWebAuthnChallenge(): string {
  return randomBytes(WEBAUTHN_CHALLENGE_BYTES).toString("base64url");
}

/** Whether a challenge can still be answered. */
export function isLive(challenge: Challenge, now: number): boolean {
  return now < challenge.expiresAt && challenge.attempts < CHALLENGE_ATTEMPTS;
}

/** Those that can still be answered, and those of unrecognised browsers that were left without a right answer. */
export function dropDead(challenges: Challenge[], now: number): { live: Challenge[]; abandoned: Challenge[] } {
  const live = challenges.filter((challenge) => isLive(challenge, now));
  return { live, abandoned: ofUnrecognised(challenges.filter((challenge) => !live.includes(challenge))) };
}

/**
 * Adds a challenge and drops what it pushes out: the oldest sign-ins of the same pot beyond its limit, or an earlier
 * one of the same session and purpose. A new challenge pushes out only its own kind.
 */
export function addChallenge(live: Challenge[], added: Challenge): { challenges: Challenge[]; abandoned: Challenge[] } {
  const sameKind = live.filter(
    ({ purpose, sessionId, pot }) => purpose === added.purpose && sessionId === added.sessionId && pot === added.pot,
  );
  const pushedOut = new Set(sameKind.slice(0, Math.max(0, sameKind.length - limitOf(added) + 1)));
  const challenges = [...live.filter((challenge) => !pushedOut.has(challenge)), added];
  return { challenges, abandoned: ofUnrecognised([...pushedOut]) };
}

function limitOf({ pot }: Challenge): number {
  return pot === "unrecognised" ? LIVE_CHALLENGES : LIVE_CHALLENGES_OF_OWNER;
}

function ofUnrecognised(challenges: Challenge[]): Challenge[] {
  return challenges.filter(({ pot }) => pot === "unrecognised");
}
