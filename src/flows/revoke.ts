import type { Client } from "../audiences.ts";
import type { Service, Visit } from "../service.ts";
import { verifyIssuedToken } from "../tokens/access-token.ts";
import { readEndedToken } from "../tokens/refresh-token.ts";

/**
 * Ends the session of a token everywhere (RFC 7009 §2.1): of a refresh token, or of an access token that is for the
 * client. Says nothing about which it was. One storage round trip; a forged token costs none.
 */
export async function revoke(service: Service, { now, from }: Visit, client: Client, token: string): Promise<void> {
  const ring = await service.keyRing(now);
  const ending = { reason: "revoked_by_client", client: client.id, from } as const;
  const refresh = await readEndedToken(ring, token);
  if (refresh) return service.account(refresh.accountId).endByRefreshToken(refresh.sessionId, refresh.secret, ending);
  const claims = await verifyIssuedToken(ring, service.config.issuer, token, now, client.audience);
  if (claims) await service.account(claims.sub).endByAccessToken(claims.sid, ending);
}
