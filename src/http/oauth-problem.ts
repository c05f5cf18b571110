import type { Context } from "hono";
import { UNAVAILABLE_RETRY_AFTER_SECONDS } from "../policy.ts";
import type { OAuthRefusal, Refusal } from "../refusal.ts";
import type { Api } from "./context.ts";
import { logRefusal, refuse } from "./problem.ts";
import { reportIfNotable } from "./reported-refusals.ts";

/** Statuses of the codes of RFC 6749 §5.2, RFC 8693 §2.2.2 and RFC 9449 §5. */
const STATUS_OF = {
  invalid_client: 401,
  invalid_request: 400,
  unsupported_grant_type: 400,
  invalid_target: 400,
  use_dpop_nonce: 400,
  invalid_dpop_proof: 400,
  temporarily_unavailable: 503,
} as const;

type ErrorOf = [error: keyof typeof STATUS_OF, description: string];

const NO_CLIENT: ErrorOf = ["invalid_client", "the client has not shown by HTTP Basic who it is"];
const NO_SUBJECT: ErrorOf = ["invalid_request", "the subject token is not one that this client can exchange"];

/** What the wire learns of each reason. Complete by its type: a new reason does not compile until it is here. */
const ERRORS: Record<OAuthRefusal["refused"], ErrorOf> = {
  client_unnamed: NO_CLIENT,
  client_unknown: NO_CLIENT,
  client_secret_wrong: NO_CLIENT,
  client_named_twice: ["invalid_request", "the client is named in the Authorization header and nowhere else"],
  form_malformed: ["invalid_request", "the body is not a form, or has a parameter twice"],
  parameter_missing: ["invalid_request", "a parameter is missing"],
  parameter_unsupported: ["invalid_request", "a parameter is not supported, or has a value that is not"],
  grant_type_unsupported: ["unsupported_grant_type", "the only grant type is the token exchange of RFC 8693"],
  subject_token_invalid: NO_SUBJECT,
  subject_session_ended: NO_SUBJECT,
  subject_token_bound: ["invalid_request", "the subject token is bound to a key; send a DPoP proof of your own key"],
  actor_chain_full: ["invalid_request", "the subject token has passed through too many services"],
  target_unlisted: ["invalid_target", "this client may not exchange for that audience"],
  target_needs_more: ["invalid_target", "the audience demands more proof of the user than the subject token has"],
};

const NOT_NOW: ErrorOf = ["temporarily_unavailable", "the service cannot answer just now; try again in a moment"];
const NO_PROOF: ErrorOf = ["invalid_dpop_proof", "the DPoP proof is not good for this request"];

/** The reasons of other routes that are told in the words of OAuth here; any other is told as everywhere. */
const ALSO: Partial<Record<Refusal["refused"], ErrorOf>> = {
  store_unavailable: NOT_NOW,
  fault: NOT_NOW,
  too_many_proofs: NOT_NOW,
  dpop_nonce_needed: ["use_dpop_nonce", "repeat the nonce of this answer in the DPoP proof"],
  dpop_proof_wrong: NO_PROOF,
  proof_expired: NO_PROOF,
  proof_replayed: NO_PROOF,
};

/** Answers a refusal of an OAuth endpoint: the generic error (RFC 6749 §5.2) to the client, the precise reason to the log. */
export function refuseOAuth(c: Context<Api>, refusal: OAuthRefusal | Refusal): Response {
  if (!isOAuthRefusal(refusal)) {
    const told = ALSO[refusal.refused];
    return told ? answerError(c, refusal.refused, told) : refuse(c, refusal);
  }
  const [error, description] = ERRORS[refusal.refused];
  const named = "parameter" in refusal ? `${description}: ${refusal.parameter}` : description;
  return answerError(c, refusal.refused, [error, named]);
}

function answerError(
  c: Context<Api>,
  reason: Parameters<typeof reportIfNotable>[1],
  [error, error_description]: ErrorOf,
): Response {
  const status = STATUS_OF[error];
  logRefusal(c, reason, status);
  reportIfNotable(c, reason);
  if (status === 401) c.header("WWW-Authenticate", 'Basic realm="sallyport"');
  if (status === 503) c.header("Retry-After", String(UNAVAILABLE_RETRY_AFTER_SECONDS));
  return c.json({ error, error_description }, status);
}

function isOAuthRefusal(refusal: OAuthRefusal | Refusal): refusal is OAuthRefusal {
  return refusal.refused in ERRORS;
}
