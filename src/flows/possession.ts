import type { Possession } from "../account/possession.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { keyedDigest } from "../keys/keyed-digest.ts";
import type { Refusal } from "../refusal.ts";
import { readDpopProof } from "../sdk/dpop-proof.ts";
import type { Service, Visit } from "../service.ts";
import { DPOP_PROOF_AGE_SECONDS } from "../token-policy.ts";
import { isDpopNonce, makeDpopNonce } from "../tokens/dpop-nonce.ts";

/**
 * The key that a request shows to hold (RFC 9449 §4.3), or `undefined` where it brings no proof. Everything that can be
 * seen without storage is checked here; that a proof is used once is for the account to say. `accessToken`: what the
 * proof must belong to on routes that take one.
 */
export async function readPossession(
  service: Service,
  ring: KeyRing,
  { now, dpop }: Visit,
  accessToken?: string,
): Promise<Possession | undefined | Refusal> {
  if (dpop === undefined) return undefined;
  const { proof: text, method, path } = dpop;
  const about = { method, url: service.config.issuer + path, now };
  const proof = await readDpopProof(text, accessToken === undefined ? about : { ...about, accessToken });
  if ("defect" in proof) return { refused: "dpop_proof_wrong" };
  const { jkt, jti, nonce, issuedAt } = proof;
  if (nonce === undefined || !(await isDpopNonce(ring, nonce, now))) return { refused: "dpop_nonce_needed" };
  // Remembered for longer than any clock here could take it again.
  const expiresAt = (issuedAt + 2 * DPOP_PROOF_AGE_SECONDS) * 1000;
  return { jkt, proofId: await keyedDigest(ring, `dpop:${jkt}:${jti}`), expiresAt };
}

/** The same refusal on a route that takes access tokens, where RFC 9449 §7.1 asks for another status. */
export function onBearerRoute(refusal: Refusal): Refusal {
  switch (refusal.refused) {
    case "dpop_nonce_needed":
    case "dpop_proof_wrong":
    case "proof_of_another_key":
    case "proof_expired":
    case "proof_replayed":
      return { ...refusal, isBearer: true };
    default:
      return refusal;
  }
}

/** What the next proof has to repeat. */
export async function nextNonce(service: Service, { now }: Visit): Promise<string> {
  return makeDpopNonce(await service.keyRing(now), now);
}
