import type { Bearer } from "../account/enrolment-owners.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { type AccessToken, verifyAccessToken } from "../tokens/access-token.ts";
import { isEnrolmentToken, verifyEnrolmentToken } from "../tokens/enrolment-token.ts";

/** Who adds a factor: somebody signed in, or whoever holds an enrolment token. */
export interface Enroller {
  accountId: string;
  bearer: Bearer;
}

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

/** The same for the routes that add a factor, which take an enrolment token as well. */
export async function authenticateEnroller(
  service: Service,
  visit: Visit,
  token: string | undefined,
): Promise<Enroller | Refusal> {
  if (token === undefined || !isEnrolmentToken(token)) {
    const access = await authenticate(service, visit, token);
    return "refused" in access ? access : enrollerOf(access);
  }
  const ring = await service.keyRing(visit.now);
  const enrolment = await verifyEnrolmentToken(ring, service.config.issuer, token, visit.now);
  if (!enrolment) return { refused: "enrolment_forged" };
  const { accountId, enrolmentId } = enrolment;
  return { accountId, bearer: { kind: "enrolment", enrolmentId } };
}

function enrollerOf({ accountId, sessionId, acr, factors }: AccessToken): Enroller {
  return { accountId, bearer: { kind: "session", sessionId, acr, factors } };
}
