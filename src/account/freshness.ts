import { FRESH_SECONDS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { FactorTimes } from "../tokens/access-token.ts";

/**
 * Whether a proof is new enough for a sensitive action (RFC 9470): the second factor where the account has one, its
 * password where it has none. `proven` comes from the access token, so a step-up counts for that one token alone.
 */
export function requireFresh(proven: FactorTimes, hasFactor: boolean, now: number): Refusal | undefined {
  const provenAt = hasFactor ? proven.otp : proven.pwd;
  if (provenAt !== undefined && now < (provenAt + FRESH_SECONDS) * 1000) return undefined;
  return { refused: "proof_too_old", acr: hasFactor ? "aal2" : "aal1", maxAgeSeconds: FRESH_SECONDS };
}
