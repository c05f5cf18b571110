import type { Context } from "hono";
import { UNAVAILABLE_RETRY_AFTER_SECONDS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Api } from "./context.ts";

/** What the wire shows of a refusal (RFC 9457). */
interface Problem {
  status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 421 | 422 | 429 | 503;
  code: string;
  title: string;
  headers?: Record<string, string>;
  members?: Record<string, unknown>;
}

/** Answers a refusal: the generic problem to the client, the precise reason to the log. */
export function refuse(c: Context<Api>, refusal: Refusal): Response {
  const { status, code, title, headers = {}, members = {} } = problemOf(refusal);
  const requestId = c.get("requestId");
  logLine({ event: "refused", reason: refusal.refused, status, method: c.req.method, path: c.req.path, requestId });
  const body = { type: `urn:sallyport:problem:${code}`, title, status, code, request_id: requestId, ...members };
  return c.body(JSON.stringify(body), status, { "Content-Type": "application/problem+json", ...headers });
}

/** Writes one line of JSON. Only printable ASCII leaves, so that no value can draw lines or reverse text in a log. */
export function logLine(fields: Record<string, unknown>): void {
  const line = JSON.stringify(fields, (_, value: unknown) => (typeof value === "string" ? value.slice(0, 500) : value));
  console.log(
    line.replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`),
  );
}

function problemOf(refusal: Refusal): Problem {
  switch (refusal.refused) {
    case "malformed_body":
      return {
        status: 400,
        code: "invalid_request",
        title: "The request does not have the expected shape",
        members: { errors: refusal.errors },
      };
    case "wrong_content_type":
      return { status: 415, code: "unsupported_media_type", title: "Send a body of type application/json in UTF-8" };
    case "body_too_large":
      return { status: 413, code: "payload_too_large", title: "The body is larger than 16 KiB" };
    case "unknown_route":
    case "unknown_session":
    case "unknown_pending_factor":
      return { status: 404, code: "not_found", title: "There is nothing here by that name" };
    case "wrong_method":
      return {
        status: 405,
        code: "method_not_allowed",
        title: "This address does not take that method",
        headers: { Allow: refusal.allow.join(", ") },
      };
    case "wrong_host":
      return { status: 421, code: "misdirected_request", title: "This service does not answer for that host" };
    case "plain_http":
      return { status: 403, code: "https_required", title: "This service answers over HTTPS only" };
    case "unlisted_origin":
      return { status: 403, code: "forbidden_origin", title: "Requests from this origin are not accepted" };
    case "unknown_email":
    case "wrong_password":
    case "account_not_active":
    case "wrong_step_up_password":
    case "verdict_overtaken":
      return { status: 401, code: "sign_in_failed", title: "Email or password is not right" };
    case "source_throttled":
    case "network_throttled":
    case "pair_throttled":
    case "second_factor_budget_spent":
      return tooManyAttempts(refusal.retryAfterSeconds);
    case "challenge_forged":
    case "challenge_expired":
    case "challenge_unknown":
    case "challenge_exhausted":
    case "challenge_overtaken":
      return { status: 401, code: "invalid_challenge", title: "This challenge cannot be answered; sign in again" };
    case "wrong_code":
    case "replayed_code":
      return {
        status: 401,
        code: "invalid_code",
        title: "That code did not work",
        members: { attempts_remaining: refusal.attemptsRemaining },
      };
    case "access_token_missing":
    case "access_token_invalid":
    case "session_ended":
      return {
        status: 401,
        code: "invalid_token",
        title: "The access token is missing or no longer good",
        headers: { "WWW-Authenticate": 'Bearer error="invalid_token"' },
      };
    case "proof_too_old":
      return insufficientAuthentication(refusal.acr, refusal.maxAgeSeconds);
    case "refresh_token_forged":
    case "refresh_token_unknown":
    case "refresh_token_expired":
    case "refresh_token_lost":
    case "refresh_token_reused":
      return { status: 401, code: "invalid_refresh_token", title: "The refresh token is not good; sign in again" };
    case "weak_password":
      return {
        status: 422,
        code: "weak_password",
        title: "Choose another password",
        members: { reason: refusal.reason },
      };
    case "link_forged":
    case "link_expired":
    case "link_used":
    case "link_wrong_password":
      return { status: 400, code: "invalid_link", title: "This link or the password that belongs to it does not work" };
    case "factor_limit":
      return { status: 409, code: "conflict", title: "The account has as many authenticators as it can have" };
    case "no_hash_place":
      return unavailable("Too many sign-ins at once; try again in a moment", refusal.retryAfterSeconds);
    case "store_unavailable":
      return { ...unavailable("A store did not answer"), members: { store: refusal.store } };
    case "fault":
      return unavailable("Something failed on our side; nothing was issued");
    case "misconfigured":
      return unavailable("The service is not configured");
  }
}

/** A fault of our own: nothing was issued, and trying again may help. */
export function faultOf(error: unknown): Refusal {
  const stack = error instanceof Error ? error.stack : undefined;
  logLine({ level: "error", event: "fault", error: String(error), stack });
  return { refused: "fault" };
}

function tooManyAttempts(retryAfterSeconds: number): Problem {
  return {
    status: 429,
    code: "too_many_attempts",
    title: "Too many attempts; wait before the next one",
    headers: { "Retry-After": String(Math.max(1, retryAfterSeconds)) },
  };
}

function insufficientAuthentication(acr: string, maxAge: number): Problem {
  const challenge = `Bearer error="insufficient_user_authentication", acr_values="${acr}", max_age=${maxAge}`;
  return {
    status: 401,
    code: "insufficient_user_authentication",
    title: "This needs newer or stronger proof of who you are",
    headers: { "WWW-Authenticate": challenge },
  };
}

function unavailable(title: string, retryAfterSeconds = UNAVAILABLE_RETRY_AFTER_SECONDS): Problem {
  return { status: 503, code: "unavailable", title, headers: { "Retry-After": String(retryAfterSeconds) } };
}
