import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { type AccessToken, verifyAccessToken } from "../tokens/access-token.ts";

/**
 * Reads the bearer of a request. Signature, type, audience and time are checked here; that the session lives is asked
 * of the account object by whatever is done next, in the same call.
 */
export async function authenticate(
  service: Service,
  visit: Visit,
  token: string | undefined,
): Promise<AccessToken | Refusal> {
  if (token === undefined) return { refused: "access_token_missing" };
  const ring = await service.keyRing(visit.now);
  const bearer = await verifyAccessToken(ring, service.config.issuer, token, visit.now);
  return bearer ?? { refused: "access_token_invalid" };
}
