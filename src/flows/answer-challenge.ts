import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { verifyChallengeToken } from "../tokens/challenge-token.ts";
import { type IssuedTokens, issueTokens } from "./issue.ts";

/**
 * The second door, for every purpose a challenge can have. The token is checked here, before any object wakes; the
 * account object judges the rest. One storage round trip.
 */
export async function answerChallenge(
  service: Service,
  visit: Visit,
  challengeToken: string,
  code: string,
): Promise<IssuedTokens | Refusal> {
  const ring = await service.keyRing(visit.now);
  const challenge = await verifyChallengeToken(ring, service.config.issuer, challengeToken, visit.now);
  if (!challenge) return { refused: "challenge_forged" };
  const { accountId, challengeId, purpose } = challenge;
  const grant = await service.account(accountId).answerWithTotp(challengeId, purpose, code);
  return "refused" in grant ? grant : issueTokens(service, accountId, grant, visit.now);
}
