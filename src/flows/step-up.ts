import type { StepUpRequest } from "../account/step-up.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import { verifyPassword } from "../passwords/password-hash.ts";
import type { ShownPassword } from "../passwords/password-policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { withHashPlace } from "./hash-place.ts";
import { audienceOf, type Issued, issue } from "./issue.ts";

/** What newer proof is asked for. */
export interface AskedStepUp {
  /** The name of a service of ours, if not the issuer. */
  audience: string | undefined;
  password: ShownPassword | undefined;
}

/**
 * Asks a living session for newer proof (RFC 9470). With a factor: a challenge. Without one, and in a session that a
 * recovery code opened: the password, judged against the session's own pot, opens one newer access token.
 */
export function stepUp(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
  { audience, password }: AskedStepUp,
): Promise<Issued | Refusal> {
  if (password === undefined) return openChallenge(service, visit, bearer, audience);
  const request = requestOf(service, visit, bearer, audience, true);
  return withHashPlace(service, visit, (place) => proveByPassword(service, visit, bearer, request, password, place));
}

async function openChallenge(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
  audience: string | undefined,
): Promise<Issued | Refusal> {
  const opened = await service.account(bearer.accountId).openStepUp(requestOf(service, visit, bearer, audience, false));
  if ("refused" in opened) return opened;
  if (opened.kind === "challenge") return issue(service, visit, bearer.accountId, opened);
  return { refused: "malformed_body", errors: [PASSWORD_NEEDED] };
}

const PASSWORD_NEEDED = { path: "password", message: "is required where there is no second factor to prove" };

async function proveByPassword(
  service: Service,
  visit: Visit,
  { accountId }: AccessToken,
  request: StepUpRequest,
  password: ShownPassword,
  place: HashPlace,
): Promise<Issued | Refusal> {
  const account = service.account(accountId);
  const opened = await account.openStepUp(request);
  if ("refused" in opened) return opened;
  if (opened.kind === "challenge") return issue(service, visit, accountId, opened);
  const [ring, user] = await Promise.all([service.keyRing(visit.now), service.users.findById(accountId)]);
  if (user?.status !== "active") return { refused: "session_ended" };
  const { right } = await place.use(() => verifyPassword(ring, user.password, password));
  const { passwordVersion } = user;
  const grant = await account.settlePasswordStepUp(request, { right, passwordVersion });
  return "refused" in grant ? grant : issue(service, visit, accountId, grant);
}

function requestOf(
  { config }: Service,
  { from }: Visit,
  { sessionId }: AccessToken,
  audience: string | undefined,
  withPassword: boolean,
): StepUpRequest {
  return { sessionId, audience: audienceOf(config, audience), secondFactor: config.secondFactor, withPassword, from };
}
