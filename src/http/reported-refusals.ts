import type { Context } from "hono";
import type { EventKind } from "../events/security-event.ts";
import { reportRefusal } from "../flows/report-refusal.ts";
import type { OAuthRefusal, Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { Api } from "./context.ts";

type Reason = Refusal["refused"] | OAuthRefusal["refused"];

/** What an object has recorded in the turn in which it decided. */
const BY_OBJECT = undefined;
/** What everybody meets who uses the service as it is meant; the log has a line of it. */
const EVERYDAY = undefined;

/**
 * Which refusals are security events that no object has seen, and of what kind (OWASP Logging Vocabulary). Complete by
 * its type: a new reason does not compile until somebody has chosen.
 */
const KIND_OF: Record<Reason, EventKind | undefined> = {
  malformed_body: "input_validation_fail",
  wrong_content_type: "input_validation_fail",
  body_too_large: "input_validation_fail",
  form_malformed: "input_validation_fail",
  client_named_twice: "input_validation_fail",
  client_address_malformed: "input_validation_fail",
  client_address_out_of_place: "input_validation_fail",
  unlisted_origin: "malicious_cors",
  shielded: "excess_rate_limit_exceeded",
  too_many_proofs: "excess_rate_limit_exceeded",
  bot_check_failed: "authz_fail",
  challenge_forged: "authz_fail",
  challenge_expired: "authz_fail",
  challenge_unknown: "authz_fail",
  challenge_exhausted: "authz_fail",
  challenge_overtaken: "authz_fail",
  enrolment_forged: "authz_fail",
  enrolment_unknown: "authz_fail",
  access_token_invalid: "authz_fail",
  session_ended: "session_use_after_expire",
  dpop_proof_wrong: "authz_fail",
  proof_of_another_key: "authz_fail",
  proof_replayed: "authz_fail",
  refresh_token_forged: "authz_fail",
  refresh_token_unknown: "authz_fail",
  link_forged: "authz_fail",
  link_expired: "authz_fail",
  link_used: "authz_fail",
  client_unnamed: "authz_fail",
  client_unknown: "authz_fail",
  client_secret_wrong: "authz_fail",
  client_may_not_forward: "authz_fail",
  subject_token_invalid: "authz_fail",
  subject_session_ended: "session_use_after_expire",
  subject_token_bound: "authz_fail",
  target_unlisted: "authz_fail",
  not_admin: "authz_fail",
  unknown_email: BY_OBJECT,
  wrong_password: BY_OBJECT,
  account_not_active: BY_OBJECT,
  wrong_step_up_password: BY_OBJECT,
  verdict_overtaken: BY_OBJECT,
  source_throttled: BY_OBJECT,
  network_throttled: BY_OBJECT,
  pair_throttled: BY_OBJECT,
  address_closed: BY_OBJECT,
  address_unproven: BY_OBJECT,
  mailbox_unproven: BY_OBJECT,
  second_factor_budget_spent: BY_OBJECT,
  factor_kind_closed: BY_OBJECT,
  wrong_code: BY_OBJECT,
  replayed_code: BY_OBJECT,
  wrong_recovery_code: BY_OBJECT,
  wrong_assertion: BY_OBJECT,
  sign_count_fell: BY_OBJECT,
  assertion_unnamed: BY_OBJECT,
  assertion_replayed: BY_OBJECT,
  user_verification_unproven: BY_OBJECT,
  proof_below_audience: BY_OBJECT,
  refresh_token_expired: BY_OBJECT,
  refresh_token_lost: BY_OBJECT,
  refresh_token_reused: BY_OBJECT,
  link_wrong_password: BY_OBJECT,
  proof_used: BY_OBJECT,
  unknown_route: EVERYDAY,
  unknown_session: EVERYDAY,
  unknown_pending_factor: EVERYDAY,
  unknown_factor: EVERYDAY,
  unknown_browser: EVERYDAY,
  unknown_account: EVERYDAY,
  unknown_key: EVERYDAY,
  own_account: EVERYDAY,
  wrong_method: EVERYDAY,
  // Whoever scans addresses for any service at all; nothing of this one was asked.
  wrong_host: EVERYDAY,
  plain_http: EVERYDAY,
  change_under_way: EVERYDAY,
  undo_open: EVERYDAY,
  session_too_young: EVERYDAY,
  no_recovery: EVERYDAY,
  nothing_to_recover: EVERYDAY,
  registration_unknown: EVERYDAY,
  registration_wrong: EVERYDAY,
  credential_known: EVERYDAY,
  access_token_missing: EVERYDAY,
  proof_too_old: EVERYDAY,
  audience_unknown: EVERYDAY,
  dpop_nonce_needed: EVERYDAY,
  proof_expired: EVERYDAY,
  session_below_policy: EVERYDAY,
  weak_password: EVERYDAY,
  address_taken: EVERYDAY,
  factor_limit: EVERYDAY,
  last_factor: EVERYDAY,
  second_factor_required: EVERYDAY,
  factor_kind_not_accepted: EVERYDAY,
  account_not_active_now: EVERYDAY,
  account_not_disabled: EVERYDAY,
  account_changed: EVERYDAY,
  unfit_for_admin: EVERYDAY,
  never_rotated: EVERYDAY,
  never_dropped: EVERYDAY,
  too_many_keys: EVERYDAY,
  grant_type_unsupported: EVERYDAY,
  parameter_missing: EVERYDAY,
  parameter_unsupported: EVERYDAY,
  actor_chain_full: EVERYDAY,
  target_needs_more: EVERYDAY,
  no_hash_place: EVERYDAY,
  store_unavailable: EVERYDAY,
  misconfigured: EVERYDAY,
  fault: EVERYDAY,
  request_too_slow: EVERYDAY,
  keys_behind: EVERYDAY,
};

/** Reports a refusal after its answer, if it is a security event that nobody else records. */
export function reportIfNotable(c: Context<Api>, reason: Reason): void {
  const kind = KIND_OF[reason];
  // A service with wrong settings has neither.
  const [service, visit]: [Service | undefined, Visit | undefined] = [c.get("service"), c.get("visit")];
  if (kind && service && visit) reportRefusal(service, visit, kind, reason);
}
