import type { Context } from "hono";
import type { Issued, IssuedTokens } from "../flows/issue.ts";
import type { NewFactor } from "../flows/new-factor.ts";
import type { PasswordWasReset } from "../flows/reset-password.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import { recoveryMembers } from "./account-members.ts";
import { setBrowserCookies } from "./browser-cookies.ts";
import type { Api } from "./context.ts";
import { isBrowserRequest } from "./host-cookies.ts";
import { refuse } from "./problem.ts";
import { clearRefreshCookie, setRefreshCookie } from "./refresh-cookie.ts";

/** Answers with tokens, with a challenge, with the way to add a factor, or with the refusal. Each carries only itself. */
export function answerIssued(c: Context<Api>, issued: Issued | PasswordWasReset | Refusal): Response {
  if (isRefusal(issued)) return refuse(c, issued);
  if (issued.kind === "tokens") return c.json({ status: "authenticated", ...tokenMembers(c, issued) });
  if (issued.kind === "password_reset") return c.json({ status: issued.kind });
  const { expiresInSeconds: expires_in, methods } = issued;
  return issued.kind === "challenge"
    ? c.json({ status: "challenge", challenge_token: issued.challengeToken, expires_in, methods })
    : c.json({ status: "enrolment_required", enrolment_token: issued.enrolmentToken, expires_in, methods });
}

/** Answers with what a new factor brought: codes with the first one, tokens where an enrolment token was waiting. */
export function newFactorMembers(c: Context<Api>, { kind, recoveryCodes, tokens }: NewFactor) {
  return {
    status: kind,
    ...(recoveryCodes ? { recovery_codes: recoveryCodes } : {}),
    ...(tokens ? tokenMembers(c, tokens) : {}),
  };
}

/** The members of a token answer. A browser gets the refresh token, and what it is known by, as cookies. */
function tokenMembers(c: Context<Api>, { cookies, refresh, ...issued }: IssuedTokens) {
  const { accessToken, isBound, toBody, expiresInSeconds, sessionId } = issued;
  const toCookie = refresh !== undefined && isBrowserRequest(c) && !toBody;
  if (toCookie) setRefreshCookie(c, refresh.token, refresh.expiresInSeconds);
  // An earlier sign-in's would travel along with each request from now on.
  else if (refresh && isBrowserRequest(c)) clearRefreshCookie(c);
  setBrowserCookies(c, cookies);
  return {
    access_token: accessToken,
    token_type: isBound ? "DPoP" : "Bearer",
    expires_in: expiresInSeconds,
    ...(refresh && !toCookie ? { refresh_token: refresh.token } : {}),
    ...(refresh ? { refresh_expires_in: refresh.expiresInSeconds } : {}),
    session_id: sessionId,
    ...recoveryMembers(issued),
  };
}
