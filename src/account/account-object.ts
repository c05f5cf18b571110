import { DurableObject } from "cloudflare:workers";
import { keyRingOfIsolate } from "../keys/key-ring-store.ts";
import { parseRootSecrets } from "../keys/root-secret.ts";
import { seal } from "../keys/seal.ts";
import type { Refusal } from "../refusal.ts";
import { isRefusal } from "../refusal.ts";
import type { ChallengePurpose } from "../tokens/challenge-token.ts";
import { AccountStore } from "./account-store.ts";
import {
  type AccessGrant,
  type ChallengeGrant,
  endOtherSessions,
  endSession,
  liveSession,
  openFirstDoor,
  type SessionGrant,
} from "./admission.ts";
import { reserveAnswer, settleAnswer } from "./answers.ts";
import type { SignInTerms } from "./challenges.ts";
import { type Bearer, keepPendingFactor, reserveConfirmation, settleConfirmation } from "./enrolment.ts";
import { type RefreshRequest, refreshSession } from "./refreshing.ts";
import { type Floor, hasSecret, isAlive } from "./sessions.ts";
import { openStepUp, settlePasswordStepUp } from "./step-up.ts";
import { matchFactors, sealContext } from "./totp-factors.ts";

/** A session as its owner sees it. Times in epoch milliseconds. */
export interface SessionView {
  id: string;
  createdAt: number;
  lastUsedAt: number;
  expiresAt: number;
  userAgent: string;
  current: boolean;
}

/** A factor as its owner sees it. */
export interface FactorView {
  id: string;
  kind: "totp";
  label: string;
  createdAt: number;
  lastUsedAt?: number;
}

/**
 * One account: decides whatever may happen only once, or only so often. A thin face: it brings the clock and the key
 * ring, and the files beside it hold the rules. Between reading and writing there is no `await` in any of them.
 */
export class AccountObject extends DurableObject<Env> {
  #store = new AccountStore(this.ctx.storage.sql);

  /** After a right password: a challenge, or a session where there is no factor. */
  openFirstDoor(verdict: Floor, terms: SignInTerms): SessionGrant | ChallengeGrant | Refusal {
    return openFirstDoor(this.#store, verdict, terms, Date.now());
  }

  /** The second door: spend, check, settle. */
  async answerWithTotp(
    challengeId: string,
    purpose: ChallengePurpose,
    code: string,
  ): Promise<SessionGrant | AccessGrant | Refusal> {
    const ring = await this.#keyRing();
    const reserved = reserveAnswer(this.#store, challengeId, purpose, Date.now());
    if (isRefusal(reserved)) return reserved;
    const matches = await matchFactors(ring, this.#id(), reserved.factors, code, reserved.takenAt);
    return settleAnswer(this.#store, challengeId, reserved, matches, Date.now());
  }

  /** Uses a refresh token whose HMAC the Worker has checked. */
  refresh(request: RefreshRequest): SessionGrant | ChallengeGrant | Refusal {
    return refreshSession(this.#store, request, Date.now());
  }

  /** Ends the session of a refresh token, whatever its generation. */
  endByRefreshToken(sessionId: string, secret: Uint8Array): void {
    const session = this.#store.session(sessionId);
    if (session && hasSecret(session, secret)) endSession(this.#store, this.#store.guard(), sessionId);
  }

  /** Ends the session of an access token. */
  endByAccessToken(sessionId: string): void {
    if (this.#store.session(sessionId)) endSession(this.#store, this.#store.guard(), sessionId);
  }

  /** Whether a session still lives. */
  checkSession(sessionId: string): { kind: "alive" } | Refusal {
    const session = this.#liveSession(sessionId);
    return "refused" in session ? session : { kind: "alive" };
  }

  /** The account's sessions, for one of them. */
  listSessions(bearerId: string): { sessions: SessionView[] } | Refusal {
    const session = this.#liveSession(bearerId);
    if ("refused" in session) return session;
    const guard = this.#store.guard();
    const alive = this.#store.sessions().filter((other) => isAlive(other, guard, Date.now()));
    return {
      sessions: alive.map(({ id, createdAt, lastUsedAt, idleExpiresAt, terms }) => ({
        id,
        createdAt,
        lastUsedAt,
        expiresAt: idleExpiresAt,
        userAgent: terms.userAgent,
        current: id === bearerId,
      })),
    };
  }

  /** Ends one session of the account, its own included. */
  endSession(bearerId: string, sessionId: string): { kind: "ended" } | Refusal {
    const session = this.#liveSession(bearerId);
    if ("refused" in session) return session;
    if ("refused" in this.#liveSession(sessionId)) return { refused: "unknown_session" };
    endSession(this.#store, this.#store.guard(), sessionId);
    return { kind: "ended" };
  }

  /** Ends every session but the one that asks, and every sign-in that is half way. */
  endOtherSessions(bearerId: string): { kind: "ended" } | Refusal {
    const session = this.#liveSession(bearerId);
    if ("refused" in session) return session;
    endOtherSessions(this.#store, this.#store.guard(), bearerId);
    return { kind: "ended" };
  }

  /** The account's active factors. */
  listFactors(bearerId: string): { factors: FactorView[] } | Refusal {
    const session = this.#liveSession(bearerId);
    if ("refused" in session) return session;
    const { accepted } = this.#store.guard();
    return {
      factors: this.#store.activeFactors().map(({ id, label, createdAt }) => {
        const lastUsedAt = accepted[id]?.at;
        return { id, kind: "totp", label, createdAt, ...(lastUsedAt === undefined ? {} : { lastUsedAt }) };
      }),
    };
  }

  /** Opens a step-up challenge, or takes an attempt for the password of an account without a factor. */
  openStepUp(sessionId: string, audience: string, withPassword: boolean) {
    return openStepUp(this.#store, sessionId, audience, withPassword, Date.now());
  }

  /** Judges a password given to step-up. */
  settlePasswordStepUp(
    sessionId: string,
    audience: string,
    right: boolean,
    passwordVersion: number,
  ): AccessGrant | Refusal {
    return settlePasswordStepUp(this.#store, sessionId, audience, right, passwordVersion, Date.now());
  }

  /** Keeps a new TOTP secret, sealed, until it is confirmed. */
  async enrolTotp(
    bearer: Bearer,
    label: string,
    secret: Uint8Array<ArrayBuffer>,
  ): Promise<{ factorId: string } | Refusal> {
    const ring = await this.#keyRing();
    const id = crypto.randomUUID();
    const sealedSecret = await seal(ring.active("seal"), secret, sealContext(this.#id(), id));
    const kept = keepPendingFactor(this.#store, bearer, { id, label, sealedSecret }, Date.now());
    return isRefusal(kept) ? kept : { factorId: id };
  }

  /** Activates a pending TOTP factor with its first code. */
  async confirmTotp(sessionId: string, factorId: string, code: string): Promise<{ kind: "active" } | Refusal> {
    const ring = await this.#keyRing();
    const now = Date.now();
    const factor = reserveConfirmation(this.#store, sessionId, factorId, now);
    if (isRefusal(factor)) return factor;
    const matches = await matchFactors(ring, this.#id(), [factor], code, now);
    return settleConfirmation(this.#store, sessionId, factorId, matches, Date.now());
  }

  #liveSession(sessionId: string) {
    return liveSession(this.#store, this.#store.guard(), sessionId, Date.now());
  }

  #id(): string {
    return this.ctx.id.toString();
  }

  #keyRing() {
    const roots = parseRootSecrets(this.env.ROOT_SECRET);
    if (typeof roots === "string") throw new Error(roots);
    return keyRingOfIsolate(this.env.ROOT_SECRET, roots).current(this.env, Date.now());
  }
}
