import { timingSafeEqual } from "node:crypto";
import { sha256 } from "@noble/hashes/sha2.js";
import { REFRESH_GRACE_MS } from "../policy.ts";
import { type Proof, secondFactorTime } from "../tokens/proof.ts";
import type { SignInTerms } from "./challenges.ts";
import type { SpentProof } from "./possession.ts";

/** A session as the account remembers it. Times in epoch milliseconds. */
export interface Session {
  id: string;
  /** Of the refresh token that was given out last; a token of any other is a retry, lost or stolen. */
  generation: number;
  rotatedAt: number;
  /** SHA-256 of the secret inside its refresh tokens, hex. */
  secretDigest: string;
  createdAt: number;
  lastUsedAt: number;
  idleExpiresAt: number;
  absoluteExpiresAt: number;
  passwordVersion: number;
  epoch: number;
  factors: Proof;
  terms: SignInTerms;
  /** Proofs of possession it has used, until they expire by themselves. */
  spentProofs?: SpentProof[];
  /** The trusted browser whose trust stood in for the second factor. */
  trustedBy?: string;
  /** When a session that a recovery code opened first gave its password once more, epoch seconds. */
  passwordAgainAt?: number;
}

/** The floor below which nothing of an account lives: what a session or a verdict must reach. */
export interface Floor {
  passwordVersion: number;
  epoch: number;
}

/** Random bits of a session that every refresh token of it carries. */
export const SESSION_SECRET_BYTES = 16;

/** What a refresh token of a living session is. */
export type Presentation = "current" | "retry" | "lost" | "reused" | "from_the_future";

/** A session that starts at `now` with generation 1. */
export function startSession(
  id: string,
  secret: Uint8Array,
  factors: Proof,
  floor: Floor,
  terms: SignInTerms,
  now: number,
): Session {
  const absoluteExpiresAt = now + terms.absoluteMs;
  return {
    id,
    generation: 1,
    rotatedAt: now,
    secretDigest: digestOf(secret),
    createdAt: now,
    lastUsedAt: now,
    idleExpiresAt: Math.min(now + terms.idleMs, absoluteExpiresAt),
    absoluteExpiresAt,
    passwordVersion: floor.passwordVersion,
    epoch: floor.epoch,
    factors,
    terms,
  };
}

/** Whether a session may still be used: in time, and of the current password and epoch. */
export function isAlive(session: Session, floor: Floor, now: number): boolean {
  const reachesFloor = session.passwordVersion >= floor.passwordVersion && session.epoch >= floor.epoch;
  return reachesFloor && now < endOf(session);
}

/** When a session ends by itself if nobody uses it, epoch milliseconds. */
export function endOf({ idleExpiresAt, absoluteExpiresAt }: Session): number {
  return Math.min(idleExpiresAt, absoluteExpiresAt);
}

/** Whether the secret of a presented token is this session's. Constant time. */
export function hasSecret(session: Session, secret: Uint8Array): boolean {
  const encoder = new TextEncoder();
  return timingSafeEqual(encoder.encode(digestOf(secret)), encoder.encode(session.secretDigest));
}

/**
 * What a presented generation means (RFC 9700 §4.14.2, with a grace for lost answers). The one before the current is
 * a retry inside the grace, since the current cannot have been used yet; later it is lost. Older ones were replaced
 * twice over, so somebody else has used the chain.
 */
export function judgeGeneration(session: Session, generation: number, now: number): Presentation {
  const behind = session.generation - generation;
  if (behind < 0) return "from_the_future";
  if (behind === 0) return "current";
  if (behind > 1) return "reused";
  return now < session.rotatedAt + REFRESH_GRACE_MS ? "retry" : "lost";
}

/** The session after one more use: next generation, idle time anew, the absolute end untouched. */
export function rotateSession(session: Session, now: number): Session {
  const idleExpiresAt = Math.min(now + session.terms.idleMs, session.absoluteExpiresAt);
  return { ...session, generation: session.generation + 1, rotatedAt: now, lastUsedAt: now, idleExpiresAt };
}

/** The session with a new secret: its older refresh tokens no longer fit. */
export function replaceSecret(session: Session, secret: Uint8Array): Session {
  return { ...session, secretDigest: digestOf(secret) };
}

/** Whether the second factor of a session has grown too old for a refresh; a session without one has none to renew. */
export function needsReproof({ factors }: Session, factorMaxAgeMs: number, now: number): boolean {
  const provenAt = secondFactorTime(factors);
  return provenAt !== undefined && now > provenAt * 1000 + factorMaxAgeMs;
}

function digestOf(secret: Uint8Array): string {
  return Array.from(sha256(secret), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
