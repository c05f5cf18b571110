import type { KeyRing } from "../keys/key-ring.ts";
import type { Actor } from "../sdk/access-token.ts";
import { ACTOR_CHAIN_MAX } from "../token-policy.ts";
import { type IssuedClaims, issuedAt, signClaims } from "./access-token.ts";

/** For whom a token is exchanged, and for what. */
export interface Exchange {
  /** The client that asks; it acts for the subject from then on. */
  clientId: string;
  audience: string;
  /** RFC 7638 thumbprint of the client's own key, which the new token is bound to. */
  jkt: string | undefined;
}

/**
 * Signs a token for the next service along the way (RFC 8693 §2.2): the same person, session and proof, the client as
 * the actor, and never a later end. `now` in epoch milliseconds, `ttlSeconds` what any token lives. The subject's
 * claims are verified, and it has not expired.
 */
export async function signExchangedToken(
  ring: KeyRing,
  { cnf: _, ...subject }: IssuedClaims,
  { clientId, audience, jkt }: Exchange,
  now: number,
  ttlSeconds: number,
): Promise<{ accessToken: string; expiresInSeconds: number }> {
  const iat = issuedAt(now, subject);
  const exp = Math.min(subject.exp, iat + ttlSeconds);
  const bound = jkt === undefined ? {} : { cnf: { jkt } };
  const act = actorAfter(subject.act, clientId);
  const accessToken = await signClaims(ring, {
    ...subject,
    aud: audience,
    client_id: clientId,
    iat,
    exp,
    ...bound,
    act,
  });
  return { accessToken, expiresInSeconds: exp - iat };
}

/** Whether one more service may be put into the chain behind a token. */
export function hasRoomForActor({ act }: Pick<IssuedClaims, "act">): boolean {
  return chainLength(act) < ACTOR_CHAIN_MAX;
}

/** RFC 8693 §4.1: the current actor outermost, the one before it inside. */
function actorAfter(before: Actor | undefined, sub: string): Actor {
  return { sub, ...(before ? { act: before } : {}) };
}

function chainLength(actor: Actor | undefined): number {
  return actor === undefined ? 0 : 1 + chainLength(actor.act);
}
