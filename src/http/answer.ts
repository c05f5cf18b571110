import type { Context } from "hono";
import type { IssuedChallenge, IssuedTokens } from "../flows/issue.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Api } from "./context.ts";
import { refuse } from "./problem.ts";
import { isBrowserRequest, setRefreshCookie } from "./refresh-cookie.ts";

/** Answers with tokens, with a challenge, or with the refusal. A challenge carries nothing but itself. */
export function answerIssued(c: Context<Api>, issued: IssuedTokens | IssuedChallenge | Refusal): Response {
  if (isRefusal(issued)) return refuse(c, issued);
  if (issued.kind === "tokens") return answerTokens(c, issued);
  const { challengeToken, expiresInSeconds, methods } = issued;
  return c.json({ status: "challenge", challenge_token: challengeToken, expires_in: expiresInSeconds, methods });
}

function answerTokens(c: Context<Api>, { accessToken, expiresInSeconds, sessionId, refresh }: IssuedTokens): Response {
  const toCookie = refresh !== undefined && isBrowserRequest(c);
  if (toCookie) setRefreshCookie(c, refresh.token, refresh.expiresInSeconds);
  return c.json({
    status: "authenticated",
    access_token: accessToken,
    token_type: "Bearer",
    expires_in: expiresInSeconds,
    ...(refresh && !toCookie ? { refresh_token: refresh.token } : {}),
    ...(refresh ? { refresh_expires_in: refresh.expiresInSeconds } : {}),
    session_id: sessionId,
  });
}

/** A moment in JSON: RFC 3339. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
