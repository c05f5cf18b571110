import { createHash } from "node:crypto";
import { EVENT_AGENT_DIGITS } from "../event-policy.ts";
import { logLine } from "../log.ts";

/**
 * What can happen, in the words of the OWASP Logging Vocabulary Cheat Sheet. `reason` says precisely what it was, often in
 * the words of `refusal.ts`.
 */
export const EVENT_KINDS = [
  /** A first door was opened: a challenge, an enrolment token or a step-up token. Not a sign-in yet. */
  "authn_token_created",
  "authn_login_success",
  "authn_login_successafterfail",
  "authn_login_fail",
  /** A budget of attempts is used up. */
  "authn_login_fail_max",
  /** A way in is closed, or asks for a proof of the mailbox, until something is shown. */
  "authn_login_lock",
  "authn_password_change",
  "authn_password_change_fail",
  /** A session or a token was ended on purpose. */
  "authn_token_revoked",
  "authn_token_reuse",
  "authz_fail",
  /** An operator has done something. */
  "authz_admin",
  "privilege_permissions_changed",
  "excess_rate_limit_exceeded",
  "input_validation_fail",
  "malicious_cors",
  "session_renewed",
  "session_expired",
  "session_use_after_expire",
  "user_created",
  /** Factors, recovery codes, the address, or what is under way with them. */
  "user_updated",
  "user_archived",
  "user_deleted",
  "sensitive_read",
  "sensitive_update",
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** What is part of every sign-in: counted and kept, in no index of its own, and in no hurry. */
const ROUTINE: readonly EventKind[] = ["authn_token_created", "authn_login_success", "session_renewed"];

/** Where something came from, as far as an event may say it. */
export interface Circumstances {
  /** The group of its source: IPv4 /24 or IPv6 /48, or `unknown`. Never an address. */
  source: string;
  /** As the platform guesses them from the address. `place`: whole degrees, which are coarse enough for a map of a country. */
  country?: string;
  /** Number of the network (autonomous system). */
  asn?: number;
  place?: { lat: number; lon: number };
  /** Digest of the name that the program gives itself. */
  agent?: string;
  /** The request's own id, which is in its answer and in the log. */
  request?: string;
}

/** What an event is about, beside its kind and its circumstances. No secret, code, token, password or address of a person. */
export interface Occurrence {
  kind: EventKind;
  /** Id of the account, where there is one and it is known. */
  account?: string;
  /** Keyed digest of the email key that was named, known or not. */
  address?: string;
  factor?: "pwd" | "totp" | "passkey" | "recovery_code" | "mail_link" | "turnstile" | "refresh_token";
  reason?: string;
  session?: string;
  /**
   * How many tries this one event stands for, if more than one, and how many different addresses they have named that
   * their minute had not.
   */
  count?: number;
  addresses?: number;
  /** Who has done it, where that is an operator: an account id, or the name given to a command. */
  actor?: string;
  /** The few facts that one kind has beside these. */
  about?: Record<string, string | number>;
}

/** One event. `at` in epoch milliseconds. */
export interface SecurityEvent extends Occurrence, Partial<Circumstances> {
  /** UUIDv7 (RFC 9562 §5.7): what makes it arrive once, however often it is shipped. */
  id: string;
  at: number;
}

/** Makes an event of what has happened, and writes it to the log as one line. Whoever calls this also keeps it. */
export function securityEvent(occurrence: Occurrence, from: Circumstances | undefined, now: number): SecurityEvent {
  const event = { id: eventId(now), at: now, ...occurrence, ...from };
  logLine({ level: "info", event: "security", ...event });
  return event;
}

/** A name for the program that asks: who claims to be the same has the same, and nobody reads it back. */
export function agentDigest(userAgent: string): string {
  return createHash("sha256").update(userAgent).digest("hex").slice(0, EVENT_AGENT_DIGITS);
}

/** Whether an event is part of everyday sign-ins. */
export function isRoutine({ kind }: Pick<SecurityEvent, "kind">): boolean {
  return ROUTINE.includes(kind);
}

/** A UUIDv7 (RFC 9562 §5.7): 48 bits of time, the rest random. */
export function eventId(now: number): string {
  const time = now.toString(16).padStart(12, "0");
  const [, , , variant, node] = crypto.randomUUID().split("-");
  const random = crypto.randomUUID().slice(0, 3);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random}-${variant}-${node}`;
}

/** What sorts before every id of this time, and behind every earlier one: what a list by ids begins or ends at. */
export function earliestIdAt(at: number): string {
  const time = at.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-`;
}
