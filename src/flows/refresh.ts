import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { readRefreshToken } from "../tokens/refresh-token.ts";
import { type IssuedChallenge, type IssuedTokens, issue } from "./issue.ts";

/** Uses a refresh token. One storage round trip; a forged token costs none. */
export async function refresh(
  service: Service,
  visit: Visit,
  refreshToken: string,
): Promise<IssuedTokens | IssuedChallenge | Refusal> {
  const ring = await service.keyRing(visit.now);
  const parts = await readRefreshToken(ring, refreshToken);
  if (!parts) return { refused: "refresh_token_forged" };
  const { accountId, sessionId, generation, secret } = parts;
  const { factorMaxAgeMs } = service.config.sessions;
  const request = { sessionId, generation, secret, epoch: ring.epoch, factorMaxAgeMs };
  const grant = await service.account(accountId).refresh(request);
  return "refused" in grant ? grant : issue(service, accountId, grant, visit.now);
}
