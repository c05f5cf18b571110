import { FRESH_SECONDS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import { type Acr, type FactorTimes, strongFactorTime } from "../tokens/proof.ts";

/**
 * What a sensitive action needs (RFC 9470; SP 800-63B-4 §4.1.2.1).
 * `fresh`: a TOTP or passkey proven a moment ago. `fresh_or_password`: the same, or the password where the account has no
 * factor. `enrol`: the same again, or the password given once more in a session that a recovery code opened.
 */
export type Requirement = "fresh" | "fresh_or_password" | "enrol";

/** What each sensitive action needs: the one place that says it. */
export const REQUIREMENTS = {
  enrol_factor: "enrol",
  remove_factor: "fresh",
  turn_off_second_factor: "fresh",
  replace_recovery_codes: "fresh",
  forget_browser: "fresh_or_password",
  change_password: "fresh_or_password",
  change_email: "fresh_or_password",
  delete_account: "fresh_or_password",
  export_account: "fresh_or_password",
} as const satisfies Record<string, Requirement>;

export type SensitiveAction = keyof typeof REQUIREMENTS;

/** What the access token at hand says, so that a step-up counts for that one token alone. */
export interface PresentedProof {
  acr: Acr;
  factors: FactorTimes;
}

/** What the account says. */
export interface RequirementContext {
  /** Whether the account can be asked for more than its password. */
  hasSecondFactor: boolean;
  /** When the session gave its password once more to step-up, epoch seconds. */
  passwordAgainAt?: number | undefined;
}

/** Why an action may not be done now, or nothing when it may. `now` in epoch milliseconds. */
export function unmetRequirement(
  action: SensitiveAction,
  { acr, factors }: PresentedProof,
  { hasSecondFactor, passwordAgainAt }: RequirementContext,
  now: number,
): Refusal | undefined {
  const requirement = REQUIREMENTS[action];
  const isFresh = (at: number | undefined) => at !== undefined && now < (at + FRESH_SECONDS) * 1000;
  const isMet: Record<Requirement, () => boolean> = {
    fresh: () => acr === "aal2" && isFresh(strongFactorTime(factors)),
    fresh_or_password: () => isMet.fresh() || (!hasSecondFactor && isFresh(factors.pwd)),
    enrol: () =>
      isMet.fresh_or_password() ||
      (acr === "aal2-recovery" && isFresh(factors.pwd) && Number(factors.pwd) >= Number(passwordAgainAt ?? Infinity)),
  };
  if (isMet[requirement]()) return undefined;
  return { refused: "proof_too_old", acr: hasSecondFactor ? "aal2" : "aal1", maxAgeSeconds: FRESH_SECONDS };
}
