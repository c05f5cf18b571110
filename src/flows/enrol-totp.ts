import { base32, newTotpSecret, otpauthUri } from "../factors/totp.ts";
import { TOTP_PENDING_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";

/** A new authenticator, shown once. */
export interface PendingAuthenticator {
  factorId: string;
  secret: string;
  otpauthUri: string;
  expiresInSeconds: number;
}

/** Starts the enrolment of an authenticator app. The secret is worth nothing until a code of it comes back. */
export async function enrolTotp(
  service: Service,
  bearer: AccessToken,
  label: string,
): Promise<PendingAuthenticator | Refusal> {
  const secret = newTotpSecret();
  const { accountId, sessionId, factors } = bearer;
  const [user, kept] = await Promise.all([
    service.users.findById(accountId),
    service.account(accountId).enrolTotp({ sessionId, factors }, label, secret),
  ]);
  if ("refused" in kept) return kept;
  if (!user) return { refused: "session_ended" };
  const text = base32(secret);
  return {
    factorId: kept.factorId,
    secret: text,
    otpauthUri: otpauthUri(service.config.appName, user.email, text),
    expiresInSeconds: TOTP_PENDING_TTL_MS / 1000,
  };
}

/** Activates the authenticator with its first code; the account's other sessions end. */
export async function confirmTotp(
  service: Service,
  bearer: AccessToken,
  factorId: string,
  code: string,
): Promise<{ kind: "active" } | Refusal> {
  return service.account(bearer.accountId).confirmTotp(bearer.sessionId, factorId, code);
}
