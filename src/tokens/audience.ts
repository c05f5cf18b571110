import { ACRS, type Acr, type ProofClaims } from "./proof.ts";

/** What has to be proven before a service gets an access token of somebody. */
export interface AudienceNeeds {
  minAcr?: Acr;
  /** Each of these has to be among the token's `amr` (RFC 8176). */
  requireAmr?: string[];
}

/** A service that an access token can be for. */
export interface Audience extends AudienceNeeds {
  /** The token's `aud`. */
  name: string;
}

/** Whether a proof is enough for a service. */
export function suffices({ acr, amr }: Pick<ProofClaims, "acr" | "amr">, needs: AudienceNeeds): boolean {
  const { minAcr = "aal1", requireAmr = [] } = needs;
  return ACRS.indexOf(acr) >= ACRS.indexOf(minAcr) && requireAmr.every((value) => amr.includes(value));
}
