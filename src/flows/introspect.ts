import type { Client } from "../audiences.ts";
import { isRefusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { type IssuedClaims, verifyIssuedToken } from "../tokens/access-token.ts";

/**
 * Whether a token is good at this moment (RFC 7662 §2.2), for the client that it is for: its claims, or nothing for any
 * other token. One storage round trip, which asks whether the session lives; a forged token costs none.
 */
export async function introspect(
  service: Service,
  { now }: Visit,
  client: Client,
  token: string,
): Promise<IssuedClaims | undefined> {
  const ring = await service.keyRing(now);
  const claims = await verifyIssuedToken(ring, service.config.issuer, token, now, client.audience);
  // By our own clock, which is the one that issued it.
  if (!claims || claims.exp * 1000 <= now) return undefined;
  const session = await service.account(claims.sub).checkSession(claims.sid);
  return isRefusal(session) ? undefined : claims;
}
