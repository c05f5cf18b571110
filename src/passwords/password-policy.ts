import { PASSWORD_MAX, PASSWORD_MAX_BYTES, PASSWORD_REMAINDER_MIN } from "../policy.ts";
import type { PasswordWeakness } from "../refusal.ts";

/** A password that somebody shows: as it is compared, and as it was typed, which is what imported hashes are made of. */
export interface ShownPassword {
  normalized: string;
  typed: string;
}

/** What a new password is measured against. */
export interface PasswordRules {
  /** Length floor in code points. */
  min: number;
  /** Words an attacker tries first for this account: the service, the address and its parts. */
  contextWords: string[];
  isListed(password: string): boolean;
}

/**
 * A password as it is compared: NFKC and nothing else (SP 800-63B-4 §3.1.1.2), so that two keyboards agree on it. Case,
 * spaces and every last character stay significant. Refuses what cannot be a password before normalising it.
 */
export function normalizePassword(typed: string): string | "ill_formed" | "too_long" {
  if (!typed.isWellFormed()) return "ill_formed";
  if (new TextEncoder().encode(typed).length > PASSWORD_MAX_BYTES) return "too_long";
  const normalized = typed.normalize("NFKC");
  return codePoints(normalized) > PASSWORD_MAX ? "too_long" : normalized;
}

/** Why a normalised password may not be set, or nothing. No composition rules: length and not being guessed first. */
export function weaknessOf(password: string, rules: PasswordRules): PasswordWeakness | undefined {
  if (codePoints(password) < rules.min) return "too_short";
  if (rules.isListed(password)) return "too_common";
  return codePoints(withoutContext(password, rules.contextWords)) < PASSWORD_REMAINDER_MIN
    ? "contains_context"
    : undefined;
}

/** The words that an account and its service give away: the name of the service, the address, its local part, its host. */
export function contextWords(appName: string, email: string): string[] {
  const [localPart = "", domain = ""] = email.split("@");
  return [email, domain, localPart, domain.split(".")[0] ?? "", appName, "sallyport"]
    .map((word) => word.toLowerCase())
    .filter((word) => word.length >= SHORTEST_WORD)
    .sort((a, b) => b.length - a.length);
}

/** Shorter words are parts of too many others to mean anything. */
const SHORTEST_WORD = 4;

function withoutContext(password: string, words: string[]): string {
  return words.reduce((rest, word) => rest.replaceAll(word, ""), password.toLowerCase());
}

function codePoints(text: string): number {
  return Array.from(text).length;
}
