/**
 * The closed union of every reason to say no. A refusal is a value: it crosses from rule to object to flow to HTTP
 * without being thrown. `refused` is precise and goes to the log; `http/problem.ts` decides what the wire may know.
 */
export type Refusal =
  | { refused: "malformed_body"; errors: FieldError[] }
  | { refused: "wrong_content_type" }
  | { refused: "body_too_large" }
  | { refused: "unknown_route" }
  | { refused: "unknown_session" }
  | { refused: "unknown_pending_factor" | "unknown_factor" | "unknown_browser" }
  | { refused: "wrong_method"; allow: string[] }
  | { refused: "wrong_host" }
  | { refused: "plain_http" }
  | { refused: "unlisted_origin" }
  | { refused: "unknown_email" | "wrong_password" | "account_not_active" | "wrong_step_up_password" }
  | { refused: "verdict_overtaken" }
  | { refused: "change_under_way"; retryAfterSeconds: number }
  | { refused: "undo_open" | "session_too_young" | "no_recovery" | "nothing_to_recover" }
  | { refused: "source_throttled" | "network_throttled" | "pair_throttled"; retryAfterSeconds: number }
  | { refused: "shielded"; retryAfterSeconds: number }
  | { refused: "second_factor_budget_spent" | "factor_kind_closed"; retryAfterSeconds: number }
  | { refused: "address_closed"; retryAfterSeconds: number }
  | { refused: "mailbox_unproven" | "address_unproven" | "bot_check_failed" }
  | { refused: "challenge_forged" | "challenge_expired" | "challenge_unknown" }
  | { refused: "challenge_exhausted" | "challenge_overtaken" }
  | { refused: "enrolment_forged" | "enrolment_unknown" }
  | { refused: "wrong_code" | "replayed_code" | "wrong_recovery_code"; attemptsRemaining: number; warning?: Warning }
  | { refused: "wrong_assertion" | "sign_count_fell"; attemptsRemaining?: number; warning?: Warning }
  | { refused: "assertion_unnamed" | "assertion_replayed" | "user_verification_unproven" }
  | { refused: "registration_unknown" | "registration_wrong" | "credential_known" }
  | { refused: "access_token_missing" | "access_token_invalid" | "session_ended" }
  | { refused: "proof_too_old"; acr: "aal1" | "aal2"; maxAgeSeconds: number }
  | { refused: "proof_below_audience"; acr: "aal1" | "aal2-recovery" | "aal2"; unfamiliar?: Unfamiliar }
  | { refused: "audience_unknown" }
  | { refused: "dpop_nonce_needed" | "dpop_proof_wrong"; isBearer?: true }
  | { refused: "proof_of_another_key" | "proof_expired" | "proof_replayed"; isBearer?: true }
  | { refused: "too_many_proofs"; retryAfterSeconds: number }
  | { refused: "refresh_token_forged" | "refresh_token_unknown" | "refresh_token_expired" }
  | { refused: "refresh_token_lost" | "refresh_token_reused" | "session_below_policy" }
  | { refused: "weak_password"; reason: PasswordWeakness }
  | { refused: "link_forged" | "link_expired" | "link_used" | "link_wrong_password" }
  | { refused: "proof_used" }
  | { refused: "address_taken" }
  | { refused: "factor_limit" }
  | { refused: "last_factor" | "second_factor_required" | "factor_kind_not_accepted" }
  | ClientRefusal
  | { refused: "client_may_not_forward" | "client_address_malformed" | "client_address_out_of_place" }
  | { refused: "not_admin" | "own_account" | "unknown_account" | "unknown_key" }
  | { refused: AdminConflict }
  | { refused: "no_hash_place"; retryAfterSeconds: number }
  | { refused: "store_unavailable"; store: string }
  | { refused: "misconfigured" | "fault" | "request_too_slow" | "keys_behind" };

/** A back end has not shown who it is. */
export type ClientRefusal = { refused: "client_unnamed" | "client_unknown" | "client_secret_wrong" };

/** Reasons that only the OAuth endpoints have. `http/oauth-problem.ts` decides what the wire may know. */
export type OAuthRefusal =
  | ClientRefusal
  | { refused: "client_named_twice" }
  | { refused: "form_malformed" }
  | { refused: "parameter_missing" | "parameter_unsupported"; parameter: string }
  | { refused: "grant_type_unsupported" }
  | { refused: "subject_token_invalid" | "subject_session_ended" | "subject_token_bound" | "actor_chain_full" }
  | { refused: "target_unlisted" | "target_needs_more" };

/** Why an admin cannot do something to an account or a key as it is; the `reason` member of its `conflict`. */
export type AdminConflict =
  | "account_not_active_now"
  | "account_not_disabled"
  | "account_changed"
  | "unfit_for_admin"
  | "never_rotated"
  | "never_dropped"
  | "too_many_keys";

/** Why a new password is not taken; the `reason` member of `weak_password`. */
export type PasswordWeakness = "too_short" | "too_long" | "too_common" | "contains_context" | "ill_formed" | "breached";

/** What of a sign-in the account had not seen before, which its owner hears of. Never on the wire. */
export type Unfamiliar = "network" | "browser" | "both";

/** What the owner of the account has to hear of, although nothing was opened. Never on the wire. */
export type Warning = "second_factor_failed" | "sign_count_fell";

/** Where a body breaks its schema. Names the place and the rule, never the value. */
export interface FieldError {
  path: string;
  message: string;
}

/** Tells a refusal from a result. */
export function isRefusal<T extends object>(answer: T | Refusal): answer is Refusal {
  return "refused" in answer;
}
