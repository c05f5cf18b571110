import type { HashPlace } from "../passwords/hash-places.ts";
import { verifyPassword } from "../passwords/password-hash.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { withHashPlace } from "./hash-place.ts";
import { type IssuedChallenge, type IssuedTokens, issue } from "./issue.ts";

/**
 * Asks a living session for newer proof (RFC 9470). With a factor: a challenge. Without one: the password, judged
 * against the session's own pot, opens one newer access token.
 */
export function stepUp(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
  password: string | undefined,
): Promise<IssuedTokens | IssuedChallenge | Refusal> {
  if (password === undefined) return openChallenge(service, visit, bearer);
  return withHashPlace(service, visit, (place) => proveByPassword(service, visit, bearer, password, place));
}

async function openChallenge(
  service: Service,
  visit: Visit,
  { accountId, sessionId }: AccessToken,
): Promise<IssuedTokens | IssuedChallenge | Refusal> {
  const opened = await service.account(accountId).openStepUp(sessionId, service.config.issuer, false);
  if ("refused" in opened) return opened;
  if (opened.kind === "challenge") return issue(service, accountId, opened, visit.now);
  return { refused: "malformed_body", errors: [PASSWORD_NEEDED] };
}

const PASSWORD_NEEDED = { path: "password", message: "is required for an account without a second factor" };

async function proveByPassword(
  service: Service,
  visit: Visit,
  { accountId, sessionId }: AccessToken,
  password: string,
  place: HashPlace,
): Promise<IssuedTokens | IssuedChallenge | Refusal> {
  const account = service.account(accountId);
  const opened = await account.openStepUp(sessionId, service.config.issuer, true);
  if ("refused" in opened) return opened;
  if (opened.kind === "challenge") return issue(service, accountId, opened, visit.now);
  const [ring, user] = await Promise.all([service.keyRing(visit.now), service.users.findById(accountId)]);
  if (user?.status !== "active") return { refused: "session_ended" };
  const { right } = await place.use(() => verifyPassword(ring, user.password, password));
  const grant = await account.settlePasswordStepUp(sessionId, service.config.issuer, right, user.passwordVersion);
  return "refused" in grant ? grant : issue(service, accountId, grant, visit.now);
}
