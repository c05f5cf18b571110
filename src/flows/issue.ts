import type { AccessGrant, ChallengeGrant, EnrolmentRequired, SessionGrant } from "../account/admission.ts";
import type { SignInTerms } from "../account/challenges.ts";
import { CHALLENGE_TTL_MS, ENROLMENT_TTL_MS, USER_AGENT_MAX } from "../policy.ts";
import type { Service, Visit } from "../service.ts";
import { signAccessToken } from "../tokens/access-token.ts";
import { signChallengeToken } from "../tokens/challenge-token.ts";
import { signEnrolmentToken } from "../tokens/enrolment-token.ts";
import { makeRefreshToken } from "../tokens/refresh-token.ts";
import { cookiesFor, type NewCookie, visitingBrowser } from "./browsers.ts";
import { tellOwner } from "./notices.ts";

/** Tokens behind the second door, or behind the only one where no factor exists. */
export interface IssuedTokens {
  kind: "tokens";
  accessToken: string;
  expiresInSeconds: number;
  sessionId: string;
  /** Absent after a step-up, which opens one access token and nothing else. */
  refresh?: { token: string; expiresInSeconds: number };
  /** While somebody waits to have every factor of the account removed: when the wait is over, epoch milliseconds. */
  recovery?: { finishAfter: number };
  /** For a browser that has signed in completely. */
  cookies: NewCookie[];
}

/** A challenge, which opens nothing by itself. */
export interface IssuedChallenge {
  kind: "challenge";
  challengeToken: string;
  expiresInSeconds: number;
  methods: string[];
}

/** The way to add a factor, which opens nothing else. */
export interface IssuedEnrolment {
  kind: "enrolment";
  enrolmentToken: string;
  expiresInSeconds: number;
  methods: string[];
}

/** What a sign-in can come to. */
export type Issued = IssuedTokens | IssuedChallenge | IssuedEnrolment;

/**
 * Turns what the account object granted into tokens, and tells the owner what the object had not seen before. The
 * object has decided; here is only signing.
 */
export async function issue(
  service: Service,
  visit: Visit,
  accountId: string,
  grant: SessionGrant | AccessGrant | ChallengeGrant | EnrolmentRequired,
): Promise<Issued> {
  if (grant.kind === "challenge") return issueChallenge(service, visit, accountId, grant);
  if (grant.kind === "enrolment") return issueEnrolment(service, visit, accountId, grant);
  return issueTokens(service, visit, accountId, grant);
}

/** Signs the access token of a grant, and its refresh token when it is a session's. */
export async function issueTokens(
  service: Service,
  visit: Visit,
  accountId: string,
  grant: SessionGrant | AccessGrant,
): Promise<IssuedTokens> {
  const { config } = service;
  const { now } = visit;
  const ring = await service.keyRing(now);
  const { sessionId, audience, roles, factors } = grant;
  const subject = { accountId, sessionId, audience, roles, factors };
  const expiresInSeconds = config.accessTokenTtlSeconds;
  const accessToken = await signAccessToken(ring, config.issuer, subject, now, expiresInSeconds);
  const news = grant.recovery ? { recovery: grant.recovery } : {};
  const issued = { kind: "tokens", accessToken, expiresInSeconds, sessionId, ...news, cookies: [] } as const;
  if (grant.kind === "access") return { ...issued, cookies: [] };
  const { generation, secret, refreshExpiresAt, browser, unfamiliar } = grant;
  if (unfamiliar) tellOwner(service, visit, accountId, { notice: "unfamiliar_sign_in", unfamiliar });
  const token = await makeRefreshToken(ring, { accountId, sessionId, generation, secret });
  return {
    ...issued,
    refresh: { token, expiresInSeconds: Math.floor((refreshExpiresAt - now) / 1000) },
    cookies: browser ? await cookiesFor(ring, await visitingBrowser(service, ring, visit), browser, now) : [],
  };
}

/** Signs the token of a challenge. */
export async function issueChallenge(
  service: Service,
  visit: Visit,
  accountId: string,
  { challengeId, purpose, methods, expiresAt, unanswered }: ChallengeGrant,
): Promise<IssuedChallenge> {
  const { now } = visit;
  if (unanswered) {
    // Of an earlier one: this visit has nothing to do with it but that it came next.
    tellOwner(service, visit, accountId, { notice: "second_factor_failed", how: "unanswered" }, unanswered);
  }
  const ring = await service.keyRing(now);
  const reference = { accountId, challengeId, purpose };
  const challengeToken = await signChallengeToken(ring, service.config.issuer, reference, expiresAt);
  return {
    kind: "challenge",
    challengeToken,
    expiresInSeconds: secondsUntil(expiresAt, now, CHALLENGE_TTL_MS),
    methods,
  };
}

async function issueEnrolment(
  service: Service,
  { now }: Visit,
  accountId: string,
  { enrolmentId, methods, expiresAt }: EnrolmentRequired,
): Promise<IssuedEnrolment> {
  const ring = await service.keyRing(now);
  const enrolmentToken = await signEnrolmentToken(ring, service.config.issuer, { accountId, enrolmentId }, expiresAt);
  return {
    kind: "enrolment",
    enrolmentToken,
    expiresInSeconds: secondsUntil(expiresAt, now, ENROLMENT_TTL_MS),
    methods,
  };
}

/** The object has a clock of its own, a little ahead of the request's: nothing is said to live longer than it may. */
function secondsUntil(expiresAt: number, now: number, ttlMs: number): number {
  return Math.round(Math.min(expiresAt - now, ttlMs) / 1000);
}

/** The terms of a sign-in: what was asked for, within what the operator allows. */
export function signInTerms(
  service: Service,
  visit: Visit,
  { roles, remember, emailDigest }: { roles: string[]; remember: boolean; emailDigest: string },
): SignInTerms {
  const { issuer, sessions, rememberedSessions, secondFactor } = service.config;
  const { idleMs, absoluteMs } = remember ? rememberedSessions : sessions;
  const userAgent = visit.userAgent.slice(0, USER_AGENT_MAX);
  return { audience: issuer, roles, userAgent, idleMs, absoluteMs, secondFactor, emailDigest };
}
