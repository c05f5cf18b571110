import type { Service, Visit } from "../service.ts";
import { readEndedToken } from "../tokens/refresh-token.ts";
import { authenticate, type PresentedToken } from "./authenticate.ts";

/** Whatever a client holds of its session; an access token may be the only thing left. */
export interface Credentials {
  refreshToken: string | undefined;
  accessToken: PresentedToken | undefined;
}

/** Ends the sessions that the credentials name. Says nothing about which of them were good. */
export async function logOut(service: Service, visit: Visit, credentials: Credentials): Promise<void> {
  const ring = await service.keyRing(visit.now);
  const { refreshToken, accessToken } = credentials;
  const ending = { reason: "logged_out", from: visit.from } as const;
  const refresh = refreshToken === undefined ? undefined : await readEndedToken(ring, refreshToken);
  if (refresh) await service.account(refresh.accountId).endByRefreshToken(refresh.sessionId, refresh.secret, ending);
  if (accessToken === undefined) return;
  const bearer = await authenticate(service, visit, accessToken);
  if (!("refused" in bearer)) await service.account(bearer.accountId).endByAccessToken(bearer.sessionId, ending);
}
