import type { HashPlace } from "../passwords/hash-places.ts";
import { verifyPassword } from "../passwords/password-hash.ts";
import { HASH_RETRY_AFTER_SECONDS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { type IssuedChallenge, type IssuedTokens, issue } from "./issue.ts";

/**
 * Asks a living session for newer proof (RFC 9470). With a factor: a challenge. Without one: the password, judged
 * against the session's own pot, opens one newer access token.
 */
export async function stepUp(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
  password: string | undefined,
): Promise<IssuedTokens | IssuedChallenge | Refusal> {
  const place = password === undefined ? undefined : service.takeHashPlace();
  if (password !== undefined && !place) {
    return { refused: "no_hash_place", retryAfterSeconds: HASH_RETRY_AFTER_SECONDS };
  }
  try {
    const account = service.account(bearer.accountId);
    const opened = await account.openStepUp(bearer.sessionId, service.config.issuer, password !== undefined);
    if ("refused" in opened) return opened;
    if (opened.kind === "challenge") return issue(service, bearer.accountId, opened, visit.now);
    if (password === undefined || !place) return { refused: "malformed_body", errors: [PASSWORD_NEEDED] };
    return await proveByPassword(service, visit, bearer, password, place);
  } finally {
    place?.giveBack();
  }
}

const PASSWORD_NEEDED = { path: "password", message: "is required for an account without a second factor" };

async function proveByPassword(
  service: Service,
  visit: Visit,
  { accountId, sessionId }: AccessToken,
  password: string,
  place: HashPlace,
): Promise<IssuedTokens | IssuedChallenge | Refusal> {
  const [ring, user] = await Promise.all([service.keyRing(visit.now), service.users.findById(accountId)]);
  if (user?.status !== "active") return { refused: "session_ended" };
  const comparison = place.use(() => verifyPassword(ring, user.password, password));
  service.waitUntil(comparison);
  const { right } = await comparison;
  const grant = await service
    .account(accountId)
    .settlePasswordStepUp(sessionId, service.config.issuer, right, user.passwordVersion);
  return "refused" in grant ? grant : issue(service, accountId, grant, visit.now);
}
