import type { SessionBearer } from "../account/factor-changes.ts";
import type { FactorView } from "../account/factors.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { credentialDigest } from "./enrol-passkey.ts";
import { tellOwner } from "./notices.ts";

/** Gives a factor another name. */
export async function renameFactor(
  service: Service,
  { from }: Visit,
  { accountId, sessionId }: AccessToken,
  factorId: string,
  label: string,
): Promise<{ factor: FactorView } | Refusal> {
  return service.account(accountId).renameFactor({ sessionId, from }, factorId, label);
}

/** Removes a factor; the account's other sessions end. */
export async function removeFactor(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
  factorId: string,
): Promise<{ kind: "removed" } | Refusal> {
  const { secondFactor } = service.config;
  const removed = await service.account(bearer.accountId).removeFactor(proofOf(bearer, visit), factorId, secondFactor);
  if ("refused" in removed) return removed;
  await releasePasskeys(service, visit, bearer.accountId, removed.credentialIds);
  for (const { kind, label } of removed.factors) {
    tellOwner(service, visit, bearer.accountId, { notice: "factor_removed", kind, label });
  }
  return { kind: "removed" };
}

/** Removes every factor and all recovery codes; the account's other sessions end. */
export async function turnOffSecondFactor(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
): Promise<{ kind: "removed" } | Refusal> {
  const { secondFactor } = service.config;
  const removed = await service.account(bearer.accountId).turnOffSecondFactor(proofOf(bearer, visit), secondFactor);
  if ("refused" in removed) return removed;
  await releasePasskeys(service, visit, bearer.accountId, removed.credentialIds);
  tellOwner(service, visit, bearer.accountId, { notice: "second_factor_turned_off" });
  return { kind: "removed" };
}

/** Puts ten new recovery codes in the place of the old ones. */
export async function replaceRecoveryCodes(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
): Promise<{ codes: string[] } | Refusal> {
  const replaced = await service.account(bearer.accountId).replaceRecoveryCodes(proofOf(bearer, visit));
  if (isRefusal(replaced)) return replaced;
  tellOwner(service, visit, bearer.accountId, { notice: "recovery_codes_replaced" });
  return replaced;
}

/** Forgets a browser of the account. */
export async function forgetBrowser(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
  browserId: string,
): Promise<{ kind: "forgotten" } | Refusal> {
  return service.account(bearer.accountId).forgetBrowser(proofOf(bearer, visit), browserId);
}

/**
 * Before the answer, since whoever has it may register the same passkey anew. A claim that could not be given up does no
 * harm: it keeps other accounts from a credential that was never theirs.
 */
export async function releasePasskeys(service: Service, visit: Visit, accountId: string, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  const ring = await service.keyRing(visit.now);
  const digests = await Promise.all(ids.map((id) => credentialDigest(ring, id)));
  const released = service.passkeyOwners.release(digests, accountId);
  service.waitUntil(released);
  await Promise.allSettled([released]);
}

/** The session of an access token, what that token proves, and where from. */
export function proofOf({ sessionId, acr, factors }: AccessToken, { from }: Visit): SessionBearer {
  return { sessionId, acr, factors, from };
}
