import { base32, newTotpSecret, otpauthUri } from "../factors/totp.ts";
import { TOTP_PENDING_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { Enroller } from "./authenticate.ts";
import { visitingBrowser } from "./browsers.ts";
import { type NewFactor, tellOfNewFactor } from "./new-factor.ts";

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
  { accountId, bearer }: Enroller,
  label: string,
): Promise<PendingAuthenticator | Refusal> {
  const secret = newTotpSecret();
  const { appName, secondFactor } = service.config;
  const [user, kept] = await Promise.all([
    service.users.findById(accountId),
    service.account(accountId).enrolTotp(bearer, secondFactor, label, secret),
  ]);
  if ("refused" in kept) return kept;
  if (!user) return { refused: "session_ended" };
  const text = base32(secret);
  return {
    factorId: kept.factorId,
    secret: text,
    otpauthUri: otpauthUri(appName, user.email, text),
    expiresInSeconds: TOTP_PENDING_TTL_MS / 1000,
  };
}

/** Activates the authenticator with its first code; the account's other sessions end. */
export async function confirmTotp(
  service: Service,
  visit: Visit,
  { accountId, bearer }: Enroller,
  factorId: string,
  code: string,
): Promise<NewFactor | Refusal> {
  const { claim } = await visitingBrowser(service, await service.keyRing(visit.now), visit);
  const activated = await service.account(accountId).confirmTotp(bearer, factorId, code, claim);
  return "refused" in activated ? activated : tellOfNewFactor(service, visit, accountId, activated);
}
