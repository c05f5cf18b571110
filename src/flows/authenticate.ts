import type { Bearer } from "../account/enrolment-owners.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { type AccessToken, verifyAccessToken } from "../tokens/access-token.ts";
import { isEnrolmentToken, verifyEnrolmentToken } from "../tokens/enrolment-token.ts";
import { onBearerRoute, readPossession } from "./possession.ts";

/** Who adds a factor: somebody signed in, or whoever holds an enrolment token. */
export interface Enroller {
  accountId: string;
  bearer: Bearer;
}

/** An access token as a request presents it (RFC 6750 §2.1, RFC 9449 §7.1). */
export interface PresentedToken {
  scheme: "Bearer" | "DPoP";
  token: string;
}

/**
 * Reads the bearer of a request. Signature, type, audience and time are checked here; that the session lives is asked
 * of the account object by whatever is done next, in the same call. A token that is bound to a key costs a call more,
 * in which its proof is spent.
 */
export async function authenticate(
  service: Service,
  visit: Visit,
  presented: PresentedToken | undefined,
): Promise<AccessToken | Refusal> {
  if (presented === undefined) return { refused: "access_token_missing" };
  const ring = await service.keyRing(visit.now);
  const { scheme, token } = presented;
  const bearer = await verifyAccessToken(ring, service.config.issuer, token, visit.now);
  if (!bearer || (scheme === "DPoP") !== (bearer.jkt !== undefined)) return { refused: "access_token_invalid" };
  if (bearer.jkt === undefined) return bearer;
  const possession = (await readPossession(service, ring, visit, token)) ?? { refused: "dpop_proof_wrong" as const };
  if ("refused" in possession) return onBearerRoute(possession);
  if (possession.jkt !== bearer.jkt) return onBearerRoute({ refused: "proof_of_another_key" });
  const spent = await service.account(bearer.accountId).spendProof(bearer.sessionId, possession);
  return "refused" in spent ? onBearerRoute(spent) : bearer;
}

/**
 * The same for the routes that add a factor, which take an enrolment token as well. One that a sign-in with a key was
 * given needs a proof of that key; that it is the same key is for the account to say.
 */
export async function authenticateEnroller(
  service: Service,
  visit: Visit,
  presented: PresentedToken | undefined,
): Promise<Enroller | Refusal> {
  if (presented === undefined || !isEnrolmentToken(presented.token)) {
    const access = await authenticate(service, visit, presented);
    return "refused" in access ? access : enrollerOf(access);
  }
  const ring = await service.keyRing(visit.now);
  const enrolment = await verifyEnrolmentToken(ring, service.config.issuer, presented.token, visit.now);
  if (!enrolment) return { refused: "enrolment_forged" };
  const { accountId, enrolmentId } = enrolment;
  const possession = await readPossession(service, ring, visit);
  if (possession && "refused" in possession) return onBearerRoute(possession);
  const spent = possession && (await service.account(accountId).spendEnrolmentProof(enrolmentId, possession));
  if (spent && "refused" in spent) return onBearerRoute(spent);
  return { accountId, bearer: { kind: "enrolment", enrolmentId, possession } };
}

function enrollerOf({ accountId, sessionId, acr, factors }: AccessToken): Enroller {
  return { accountId, bearer: { kind: "session", sessionId, acr, factors } };
}
