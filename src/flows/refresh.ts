import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { readRefreshToken } from "../tokens/refresh-token.ts";
import { trustTerms } from "./browsers.ts";
import { type Issued, issue } from "./issue.ts";
import { tellOwner } from "./notices.ts";
import { readPossession } from "./possession.ts";

/** Uses a refresh token. One storage round trip; a forged token costs none. */
export async function refresh(
  service: Service,
  visit: Visit,
  refreshToken: string,
  audience: string | undefined,
): Promise<Issued | Refusal> {
  const ring = await service.keyRing(visit.now);
  const parts = await readRefreshToken(ring, refreshToken);
  if (!parts) return { refused: "refresh_token_forged" };
  if ("laterEpoch" in parts) return { refused: "keys_behind" };
  const possession = await readPossession(service, ring, visit);
  if (possession && "refused" in possession) return possession;
  const { accountId, sessionId, generation, secret } = parts;
  const { issuer, audiences, sessions } = service.config;
  const terms = { epoch: ring.epoch, factorMaxAgeMs: sessions.factorMaxAgeMs, trustTerms: trustTerms(service.config) };
  const services = { audience, audiences: [{ name: issuer }, ...audiences.values()] };
  const request = { sessionId, generation, secret, possession, ...services, ...terms, from: visit.from };
  const grant = await service.account(accountId).refresh(request);
  if (!isRefusal(grant)) return issue(service, visit, accountId, grant);
  const { refused } = grant;
  if (refused === "refresh_token_reused") tellOwner(service, visit, accountId, { notice: refused });
  return grant;
}
