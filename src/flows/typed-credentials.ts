import { emailKey } from "../directory/email-key.ts";
import { normalizeRecoveryCode } from "../factors/recovery-code.ts";
import { normalizePassword, type ShownPassword } from "../passwords/password-policy.ts";

/** Whether a text is an address this service takes. */
export function isEmailAddress(typed: string): boolean {
  return emailKey(typed) !== undefined;
}

/** A typed password as it is compared, or nothing when no account can have it. */
export function comparablePassword(typed: string): ShownPassword | undefined {
  const normalized = normalizePassword(typed);
  return normalized === "ill_formed" || normalized === "too_long" ? undefined : { normalized, typed };
}

/** A typed recovery code in its normal form, or nothing when it cannot be one. */
export function comparableRecoveryCode(typed: string): string | undefined {
  return normalizeRecoveryCode(typed);
}
