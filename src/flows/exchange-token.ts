import type { Possession } from "../account/possession.ts";
import type { Client } from "../audiences.ts";
import { isRefusal, type OAuthRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { type IssuedClaims, verifyIssuedToken } from "../tokens/access-token.ts";
import { suffices } from "../tokens/audience.ts";
import { hasRoomForActor, signExchangedToken } from "../tokens/exchanged-token.ts";
import { readPossession } from "./possession.ts";

/** The grant type of an exchange (RFC 8693 §2.1). */
export const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";

/** What a client asks an exchange for. */
export interface ExchangeRequest {
  subjectToken: string;
  audience: string;
}

/** A token for the next service along the way. */
export interface ExchangedToken {
  accessToken: string;
  tokenType: "Bearer" | "DPoP";
  expiresInSeconds: number;
}

/**
 * Exchanges a token that a client has received for one of a service that the client calls (RFC 8693): for the same
 * person and session, with no newer or stronger proof and no later end. With a DPoP proof the new token is bound to its
 * key, which is the client's own. One storage round trip, which asks whether the session lives and spends the proof; a
 * forged token costs none.
 */
export async function exchangeToken(
  service: Service,
  visit: Visit,
  client: Client,
  { subjectToken, audience }: ExchangeRequest,
): Promise<ExchangedToken | OAuthRefusal | Refusal> {
  const { config } = service;
  const { now } = visit;
  const target = client.exchange.has(audience) ? config.audiences.get(audience) : undefined;
  if (!target) return { refused: "target_unlisted" };
  const ring = await service.keyRing(now);
  const possession = await readPossession(service, ring, visit);
  if (possession && isRefusal(possession)) return possession;
  const subject = await verifyIssuedToken(ring, config.issuer, subjectToken, now, client.audience);
  if (!subject || hasExpired(subject, now)) return { refused: "subject_token_invalid" };
  // Without a key of its own in its place, whoever steals the new token could use it: no downgrade (RFC 9449 §6).
  if (subject.cnf && !possession) return { refused: "subject_token_bound" };
  if (!hasRoomForActor(subject)) return { refused: "actor_chain_full" };
  if (!suffices(subject, target)) return { refused: "target_needs_more" };
  const refusal = await sessionRefusal(service, subject, possession);
  if (refusal) return refusal;
  const exchange = { clientId: client.id, audience, jkt: possession?.jkt };
  const issued = await signExchangedToken(ring, subject, exchange, now, config.accessTokenTtlSeconds);
  return { ...issued, tokenType: possession ? "DPoP" : "Bearer" };
}

/** Asks the account whether the session lives; in the same call, whether the proof is a new one. */
async function sessionRefusal(
  service: Service,
  { sub, sid }: IssuedClaims,
  possession: Possession | undefined,
): Promise<OAuthRefusal | Refusal | undefined> {
  const account = service.account(sub);
  const answer = possession ? await account.spendProof(sid, possession) : await account.checkSession(sid);
  if (!isRefusal(answer)) return undefined;
  return answer.refused === "session_ended" ? { refused: "subject_session_ended" } : answer;
}

/** Without the tolerance that verifiers have for clocks that differ: the end of the subject is that of the new token. */
function hasExpired({ exp }: IssuedClaims, now: number): boolean {
  return exp <= Math.floor(now / 1000);
}
