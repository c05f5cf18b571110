import type { Context } from "hono";
import { routePath } from "hono/route";
import { logLine } from "../log.ts";
import { UNAVAILABLE_RETRY_AFTER_SECONDS } from "../policy.ts";
import type { AdminConflict, FieldError, Refusal } from "../refusal.ts";
import type { Service } from "../service.ts";
import type { Api } from "./context.ts";
import { reportIfNotable } from "./reported-refusals.ts";

/** Status and text of every code: all that the wire learns of a refusal, but for {@link detailsOf}. */
const PROBLEMS = {
  invalid_request: [400, "The request does not have the expected shape"],
  unsupported_media_type: [
    415,
    "Send a body of type application/json in UTF-8, or the form that an OAuth endpoint takes",
  ],
  payload_too_large: [413, "The body is larger than this address takes"],
  not_found: [404, "There is nothing here by that name"],
  method_not_allowed: [405, "This address does not take that method"],
  misdirected_request: [421, "This service does not answer for that host"],
  https_required: [403, "This service answers over HTTPS only"],
  forbidden_origin: [403, "Requests from this origin are not accepted"],
  sign_in_failed: [401, "Email or password is not right"],
  proof_required: [403, "Prove that this mailbox is yours, then sign in again"],
  forbidden: [403, "This cannot be done"],
  invalid_client: [401, "An address is forwarded with the HTTP Basic credentials of a client that may do so"],
  too_many_attempts: [429, "Too many attempts; wait before the next one"],
  invalid_challenge: [401, "This challenge cannot be answered; sign in again"],
  invalid_code: [401, "That code did not work"],
  use_dpop_nonce: [400, "Repeat the nonce of this answer in the DPoP proof"],
  invalid_dpop_proof: [400, "The DPoP proof is missing or not good for this request"],
  invalid_token: [401, "The access token is missing or no longer good"],
  insufficient_user_authentication: [401, "This needs newer or stronger proof of who you are"],
  invalid_refresh_token: [401, "The refresh token is not good; sign in again"],
  weak_password: [422, "Choose another password"],
  invalid_link: [400, "This link or the password that belongs to it does not work"],
  conflict: [409, "The account cannot take this change now"],
  unavailable: [503, "The service cannot answer just now; nothing was issued, try again in a moment"],
} as const;

/** What the wire calls each reason. Complete by its type: a new reason does not compile until it has a name here. */
const CODE_OF: Record<Refusal["refused"], keyof typeof PROBLEMS> = {
  malformed_body: "invalid_request",
  wrong_content_type: "unsupported_media_type",
  body_too_large: "payload_too_large",
  unknown_route: "not_found",
  unknown_session: "not_found",
  unknown_pending_factor: "not_found",
  unknown_factor: "not_found",
  unknown_browser: "not_found",
  wrong_method: "method_not_allowed",
  wrong_host: "misdirected_request",
  plain_http: "https_required",
  unlisted_origin: "forbidden_origin",
  unknown_email: "sign_in_failed",
  wrong_password: "sign_in_failed",
  account_not_active: "sign_in_failed",
  wrong_step_up_password: "sign_in_failed",
  verdict_overtaken: "sign_in_failed",
  change_under_way: "unavailable",
  undo_open: "conflict",
  session_too_young: "forbidden",
  no_recovery: "not_found",
  nothing_to_recover: "forbidden",
  source_throttled: "too_many_attempts",
  network_throttled: "too_many_attempts",
  pair_throttled: "too_many_attempts",
  shielded: "too_many_attempts",
  second_factor_budget_spent: "too_many_attempts",
  factor_kind_closed: "too_many_attempts",
  mailbox_unproven: "proof_required",
  address_unproven: "proof_required",
  bot_check_failed: "proof_required",
  address_closed: "too_many_attempts",
  challenge_forged: "invalid_challenge",
  challenge_expired: "invalid_challenge",
  challenge_unknown: "invalid_challenge",
  challenge_exhausted: "invalid_challenge",
  challenge_overtaken: "invalid_challenge",
  enrolment_forged: "invalid_challenge",
  enrolment_unknown: "invalid_challenge",
  wrong_code: "invalid_code",
  replayed_code: "invalid_code",
  wrong_recovery_code: "invalid_code",
  wrong_assertion: "invalid_code",
  sign_count_fell: "invalid_code",
  assertion_unnamed: "invalid_code",
  assertion_replayed: "invalid_code",
  user_verification_unproven: "invalid_code",
  registration_unknown: "invalid_request",
  registration_wrong: "invalid_request",
  credential_known: "invalid_request",
  access_token_missing: "invalid_token",
  access_token_invalid: "invalid_token",
  session_ended: "invalid_token",
  proof_too_old: "insufficient_user_authentication",
  proof_below_audience: "insufficient_user_authentication",
  audience_unknown: "invalid_request",
  dpop_nonce_needed: "use_dpop_nonce",
  dpop_proof_wrong: "invalid_dpop_proof",
  proof_of_another_key: "invalid_dpop_proof",
  proof_expired: "invalid_dpop_proof",
  proof_replayed: "invalid_dpop_proof",
  too_many_proofs: "too_many_attempts",
  refresh_token_forged: "invalid_refresh_token",
  refresh_token_unknown: "invalid_refresh_token",
  refresh_token_expired: "invalid_refresh_token",
  refresh_token_lost: "invalid_refresh_token",
  refresh_token_reused: "invalid_refresh_token",
  session_below_policy: "invalid_refresh_token",
  weak_password: "weak_password",
  link_forged: "invalid_link",
  link_expired: "invalid_link",
  link_used: "invalid_link",
  link_wrong_password: "invalid_link",
  proof_used: "invalid_link",
  address_taken: "conflict",
  factor_limit: "conflict",
  last_factor: "forbidden",
  second_factor_required: "forbidden",
  factor_kind_not_accepted: "forbidden",
  client_unnamed: "invalid_client",
  client_unknown: "invalid_client",
  client_secret_wrong: "invalid_client",
  client_may_not_forward: "forbidden",
  client_address_malformed: "invalid_request",
  client_address_out_of_place: "invalid_request",
  not_admin: "forbidden",
  own_account: "forbidden",
  unknown_account: "not_found",
  unknown_key: "not_found",
  account_not_active_now: "conflict",
  account_not_disabled: "conflict",
  account_changed: "conflict",
  unfit_for_admin: "conflict",
  never_rotated: "conflict",
  never_dropped: "conflict",
  too_many_keys: "conflict",
  no_hash_place: "unavailable",
  store_unavailable: "unavailable",
  misconfigured: "unavailable",
  fault: "unavailable",
  request_too_slow: "unavailable",
  keys_behind: "unavailable",
};

/** Said again here: an answer that was begun and given up may have left other words about its storage. */
const REFUSAL_HEADERS = { "Content-Type": "application/problem+json", "Cache-Control": "no-store" };

/** Answers a refusal: the generic problem (RFC 9457) to the client, the precise reason to the log. */
export function refuse(c: Context<Api>, refusal: Refusal): Response {
  const code = CODE_OF[refusal.refused];
  const [usual, title] = PROBLEMS[code];
  // RFC 9449 §7.1: where an access token is asked for, a proof that is not good is an unauthorized request.
  const status = "isBearer" in refusal && refusal.isBearer ? 401 : usual;
  const { headers = {}, members = {} } = detailsOf(refusal, code, c);
  const requestId = c.get("requestId");
  logRefusal(c, refusal.refused, status);
  reportIfNotable(c, refusal.refused);
  const body = { type: `urn:sallyport:problem:${code}`, title, status, code, request_id: requestId, ...members };
  return c.body(JSON.stringify(body), status, { ...REFUSAL_HEADERS, ...headers });
}

/** One line a refusal, with the precise reason. */
export function logRefusal(c: Context<Api>, reason: string, status: number): void {
  // The route and not the path: somebody may have put a token where an id belongs.
  const [route, requestId] = [routePath(c, -1), c.get("requestId")];
  logLine({ event: "refused", reason, status, method: c.req.method, route, requestId });
}

interface Details {
  headers?: Record<string, string>;
  members?: Record<string, unknown>;
}

/** How a request presents its access token: its refusal is told in the same words. */
function schemeOf(c: Context<Api>): "Bearer" | "DPoP" {
  return /^DPoP /i.test(c.req.header("Authorization") ?? "") ? "DPoP" : "Bearer";
}

/** Headers and members that only some refusals have. */
function detailsOf(refusal: Refusal, code: string, c: Context<Api>): Details {
  if ("isBearer" in refusal && refusal.isBearer) return authenticateWith("DPoP", `error="${code}"`);
  if ("retryAfterSeconds" in refusal) return retryAfter(refusal.retryAfterSeconds);
  if ("attemptsRemaining" in refusal) return { members: { attempts_remaining: refusal.attemptsRemaining } };
  const errors = errorsOf(refusal);
  if (errors) return { members: { errors } };
  switch (refusal.refused) {
    case "client_unnamed":
    case "client_unknown":
    case "client_secret_wrong":
      return { headers: { "WWW-Authenticate": 'Basic realm="sallyport"' } };
    case "wrong_method":
      return { headers: { Allow: refusal.allow.join(", ") } };
    case "mailbox_unproven":
      return { members: { methods: ["mail_link"] } };
    case "address_unproven":
    case "bot_check_failed":
      return { members: { methods: proofMethods(c) } };
    case "weak_password":
      return { members: { reason: refusal.reason } };
    case "store_unavailable":
      return { ...retryAfter(UNAVAILABLE_RETRY_AFTER_SECONDS), members: { store: refusal.store } };
    case "access_token_missing":
    case "access_token_invalid":
    case "session_ended":
      return authenticateWith(schemeOf(c), `error="${code}"`);
    case "proof_too_old":
      return authenticateWith(
        schemeOf(c),
        `error="${code}", acr_values="${refusal.acr}", max_age=${refusal.maxAgeSeconds}`,
      );
    case "proof_below_audience":
      return authenticateWith(schemeOf(c), `error="${code}", acr_values="${refusal.acr}"`);
    default:
      if (refusal.refused in IN_THE_WAY) return { members: { reason: IN_THE_WAY[refusal.refused as AdminConflict] } };
      return code === "unavailable" ? retryAfter(UNAVAILABLE_RETRY_AFTER_SECONDS) : {};
  }
}

/** What stands in the way of an admin, who may know it: the `reason` of a `conflict`. */
const IN_THE_WAY: Record<AdminConflict, string> = {
  account_not_active_now: "not_active",
  account_not_disabled: "not_disabled",
  account_changed: "changed_meanwhile",
  unfit_for_admin: "needs_factor",
  never_rotated: "key_not_rotated",
  never_dropped: "key_not_dropped",
  too_many_keys: "keys_full",
};

/** What a gate takes as a proof. The account's own demand is for the mailbox alone. */
function proofMethods(c: Context<Api>): string[] {
  const service: Service | undefined = c.get("service");
  return ["mail_link", ...(service?.config.botCheck ? ["turnstile"] : [])];
}

/** Where a request is not what it has to be, for the refusals that say so. */
function errorsOf(refusal: Refusal): FieldError[] | undefined {
  switch (refusal.refused) {
    case "malformed_body":
      return refusal.errors;
    case "registration_unknown":
    case "registration_wrong":
    case "credential_known":
      return [UNUSABLE_REGISTRATION];
    case "client_may_not_forward":
    case "client_address_malformed":
    case "client_address_out_of_place":
      return [{ path: CLIENT_ADDRESS, message: ADDRESS_MESSAGES[refusal.refused] }];
    case "audience_unknown":
      return [GONE_AUDIENCE];
    default:
      return undefined;
  }
}

/** One sentence for every reason: which credential ids are known is nobody's business. */
const UNUSABLE_REGISTRATION = {
  path: "response",
  message: "is not a passkey that can be registered here; start again",
};

/** The header in which a back end forwards the address of its user. */
export const CLIENT_ADDRESS = "Sallyport-Client-Address";

const ADDRESS_MESSAGES = {
  client_may_not_forward: "is taken from clients that have forwards_address in CLIENTS",
  client_address_malformed: "must be one IPv4 or IPv6 address, without a port",
  client_address_out_of_place: "is for POST below /auth/ alone; leave it out",
};

const GONE_AUDIENCE = { path: "audience", message: "of the sign-in is gone; name another one" };

function retryAfter(seconds: number): Details {
  return { headers: { "Retry-After": String(Math.max(1, seconds)) } };
}

/** What has to be shown (RFC 6750 §3, RFC 9449 §7.1, RFC 9470 §3). */
function authenticateWith(scheme: "Bearer" | "DPoP", parameters: string): Details {
  const algorithms = scheme === "DPoP" ? ', algs="ES256"' : "";
  return { headers: { "WWW-Authenticate": `${scheme} ${parameters}${algorithms}` } };
}

/** A fault of our own: nothing was issued, and trying again may help. */
export function faultOf(error: unknown): Refusal {
  const stack = error instanceof Error ? error.stack : undefined;
  logLine({ level: "error", event: "fault", error: String(error), stack });
  return { refused: "fault" };
}
