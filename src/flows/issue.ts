import type { AccessGrant, ChallengeGrant, SessionGrant } from "../account/admission.ts";
import type { SignInTerms } from "../account/challenges.ts";
import { USER_AGENT_MAX } from "../policy.ts";
import type { Service, Visit } from "../service.ts";
import { signAccessToken } from "../tokens/access-token.ts";
import { signChallengeToken } from "../tokens/challenge-token.ts";
import { makeRefreshToken } from "../tokens/refresh-token.ts";

/** Tokens behind the second door, or behind the only one where no factor exists. */
export interface IssuedTokens {
  kind: "tokens";
  accessToken: string;
  expiresInSeconds: number;
  sessionId: string;
  /** Absent after a step-up, which opens one access token and nothing else. */
  refresh?: { token: string; expiresInSeconds: number };
}

/** A challenge, which opens nothing by itself. */
export interface IssuedChallenge {
  kind: "challenge";
  challengeToken: string;
  expiresInSeconds: number;
  methods: string[];
}

/** Turns what the account object granted into tokens. The object has decided; here is only signing. */
export async function issue(
  service: Service,
  accountId: string,
  grant: SessionGrant | AccessGrant | ChallengeGrant,
  now: number,
): Promise<IssuedTokens | IssuedChallenge> {
  return grant.kind === "challenge"
    ? issueChallenge(service, accountId, grant, now)
    : issueTokens(service, accountId, grant, now);
}

/** Signs the access token of a grant, and its refresh token when it is a session's. */
export async function issueTokens(
  service: Service,
  accountId: string,
  grant: SessionGrant | AccessGrant,
  now: number,
): Promise<IssuedTokens> {
  const { config } = service;
  const ring = await service.keyRing(now);
  const { sessionId, audience, roles, factors } = grant;
  const subject = { accountId, sessionId, audience, roles, factors };
  const expiresInSeconds = config.accessTokenTtlSeconds;
  const accessToken = await signAccessToken(ring, config.issuer, subject, now, expiresInSeconds);
  const issued = { kind: "tokens", accessToken, expiresInSeconds, sessionId } as const;
  if (grant.kind === "access") return issued;
  const { generation, secret, refreshExpiresAt } = grant;
  const token = await makeRefreshToken(ring, { accountId, sessionId, generation, secret });
  return { ...issued, refresh: { token, expiresInSeconds: Math.floor((refreshExpiresAt - now) / 1000) } };
}

async function issueChallenge(
  service: Service,
  accountId: string,
  { challengeId, purpose, methods, expiresAt }: ChallengeGrant,
  now: number,
): Promise<IssuedChallenge> {
  const ring = await service.keyRing(now);
  const reference = { accountId, challengeId, purpose };
  const challengeToken = await signChallengeToken(ring, service.config.issuer, reference, expiresAt);
  return { kind: "challenge", challengeToken, expiresInSeconds: Math.round((expiresAt - now) / 1000), methods };
}

/** The terms of a sign-in: what was asked for, within what the operator allows. */
export function signInTerms(service: Service, visit: Visit, roles: string[], remember: boolean): SignInTerms {
  const { issuer, sessions, rememberedSessions } = service.config;
  const { idleMs, absoluteMs } = remember ? rememberedSessions : sessions;
  return { audience: issuer, roles, userAgent: visit.userAgent.slice(0, USER_AGENT_MAX), idleMs, absoluteMs };
}
