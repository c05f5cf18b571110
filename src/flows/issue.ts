import type { AccessGrant, ChallengeGrant, EnrolmentRequired, SessionGrant } from "../account/admission.ts";
import { forAudience, type SignInTerms } from "../account/challenges.ts";
import type { Possession } from "../account/possession.ts";
import { CHALLENGE_TTL_MS, ENROLMENT_TTL_MS, USER_AGENT_MAX } from "../policy.ts";
import type { Service, Visit } from "../service.ts";
import { signAccessToken } from "../tokens/access-token.ts";
import type { Audience } from "../tokens/audience.ts";
import { signChallengeToken } from "../tokens/challenge-token.ts";
import { signEnrolmentToken } from "../tokens/enrolment-token.ts";
import { makeRefreshToken } from "../tokens/refresh-token.ts";
import { cookiesFor, type NewCookie, visitingBrowser } from "./browsers.ts";
import { tellOwner } from "./notices.ts";

/** Tokens behind the second door, or behind the only one where no factor exists. */
export interface IssuedTokens {
  kind: "tokens";
  accessToken: string;
  /** Whether it is good only with a proof of the key that it is bound to (RFC 9449). */
  isBound: boolean;
  /** Whether the refresh token goes into the body, although a browser asks. */
  toBody: boolean;
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
  const { sessionId, audience, roles, factors, jkt, delivery } = grant;
  const subject = { accountId, sessionId, audience, roles, factors, ...(jkt === undefined ? {} : { jkt }) };
  const expiresInSeconds = accessTokenSeconds(config.accessTokenTtlSeconds, grant, now);
  const accessToken = await signAccessToken(ring, config.issuer, subject, now, expiresInSeconds);
  const news = grant.recovery ? { recovery: grant.recovery } : {};
  const manner = { isBound: jkt !== undefined, toBody: delivery === "body" };
  const issued = { kind: "tokens", accessToken, ...manner, expiresInSeconds, sessionId, ...news, cookies: [] } as const;
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

/** No token outlives the end that its session has been given: other services would not hear of that end. */
function accessTokenSeconds(usual: number, grant: SessionGrant | AccessGrant, now: number): number {
  // Objects of the version before, which a deployment leaves running for a while, do not say it.
  const end = grant.kind === "access" ? (grant.sessionEndsAt ?? Number.POSITIVE_INFINITY) : grant.refreshExpiresAt;
  return Math.max(1, Math.min(usual, Math.floor((end - now) / 1000)));
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

/** What a sign-in asks for beside being let in. */
export interface AskedTerms {
  /** The name of a service of ours, if not the issuer. */
  audience: string | undefined;
  remember: boolean;
  /** Only for whoever shows to hold a key. */
  delivery: "body" | undefined;
}

/** What is asked where nothing was. */
export const NOTHING_ASKED: AskedTerms = { audience: undefined, remember: false, delivery: undefined };

/** The terms of a sign-in: what was asked for, within what the operator allows. */
export function signInTerms(
  { config }: Service,
  visit: Visit,
  asked: AskedTerms,
  { roles, emailDigest, possession }: { roles: string[]; emailDigest: string; possession?: Possession | undefined },
): SignInTerms {
  const { sessions, rememberedSessions, secondFactor } = config;
  const { idleMs, absoluteMs } = asked.remember ? rememberedSessions : sessions;
  const userAgent = visit.userAgent.slice(0, USER_AGENT_MAX);
  const delivery = possession && asked.delivery ? { delivery: asked.delivery } : {};
  const binding = possession ? { jkt: possession.jkt, ...delivery } : {};
  const terms = {
    audience: config.issuer,
    roles,
    userAgent,
    idleMs,
    absoluteMs,
    secondFactor,
    emailDigest,
    ...binding,
  };
  return forAudience(terms, audienceOf(config, asked.audience));
}

/** A service by its name, the issuer for none. Names have been checked; one that is none of ours is a fault. */
export function audienceOf({ issuer, audiences }: Service["config"], name: string = issuer): Audience {
  const audience = name === issuer ? { name } : audiences.get(name);
  if (!audience) throw new Error(`there is no audience "${name}"`);
  return audience;
}
