import type { Config } from "../config.ts";
import { ADMIN_READ_FACTOR_MAX_AGE_SECONDS } from "../event-policy.ts";
import { FRESH_SECONDS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { passkeyTime, strongFactorTime } from "../tokens/proof.ts";

/** The role of those who administer others. */
export const ADMIN_ROLE = "admin";

/** How new the factor of an admin must be, seconds: what is looked at needs less than what is done. */
const MAX_AGE_SECONDS = { read: ADMIN_READ_FACTOR_MAX_AGE_SECONDS, write: FRESH_SECONDS } as const;
export type AdminNeed = keyof typeof MAX_AGE_SECONDS;

/**
 * Whether somebody may administer now: the session lives, the directory says `admin` at this moment (what the token says
 * of roles is as old as the sign-in), and a factor was proven lately. In this order, so that nobody without the role
 * learns what would be asked of him with it. `now` in epoch milliseconds.
 */
export async function admitAdmin(
  service: Service,
  { accountId, sessionId, ...proof }: AccessToken,
  need: AdminNeed,
  now: number,
): Promise<{ kind: "admitted" } | Refusal> {
  const [user, session] = await Promise.all([
    service.users.findById(accountId),
    service.account(accountId).checkSession(sessionId),
  ]);
  if ("refused" in session) return session;
  if (user?.status !== "active") return { refused: "session_ended" };
  if (!user.roles.includes(ADMIN_ROLE)) return { refused: "not_admin" };
  return unmetProof(proof, service.config.adminFactor, need, now) ?? { kind: "admitted" };
}

/** What an admin has not shown: a TOTP or a passkey that is new enough, or a passkey where nothing else counts. */
export function unmetProof(
  { acr, factors }: Pick<AccessToken, "acr" | "factors">,
  adminFactor: Config["adminFactor"],
  need: AdminNeed,
  now: number,
): Refusal | undefined {
  const maxAgeSeconds = MAX_AGE_SECONDS[need];
  const provenAt = adminFactor === "passkey" ? passkeyTime(factors) : strongFactorTime(factors);
  const isNew = provenAt !== undefined && now < (provenAt + maxAgeSeconds) * 1000;
  return acr === "aal2" && isNew ? undefined : { refused: "proof_too_old", acr: "aal2", maxAgeSeconds };
}
