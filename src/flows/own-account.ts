import type { BrowserView, FactorList, SessionView } from "../account/views.ts";
import { ACTIVITY_EVENTS_MAX } from "../event-policy.ts";
import type { StoredEvent } from "../events/event-store.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { visitingBrowser } from "./browsers.ts";

/** Who is signed in. */
export interface Profile {
  id: string;
  email: string;
  emailVerified: boolean;
  roles: string[];
  /** While somebody waits to have every factor removed: when the wait is over, epoch milliseconds. */
  recovery?: { finishAfter: number };
}

/** The account behind a living session: the session is asked of the object while D1 reads the user. */
export async function readProfile(
  service: Service,
  { accountId, sessionId, roles }: AccessToken,
): Promise<Profile | Refusal> {
  const [user, session] = await Promise.all([
    service.users.findById(accountId),
    service.account(accountId).checkSession(sessionId),
  ]);
  if ("refused" in session) return session;
  if (user?.status !== "active") return { refused: "session_ended" };
  const { id, email, emailVerified } = user;
  return { id, email, emailVerified, roles, ...(session.recovery ? { recovery: session.recovery } : {}) };
}

/** The account's active factors. */
export async function listFactors(
  service: Service,
  { accountId, sessionId }: AccessToken,
): Promise<FactorList | Refusal> {
  return service.account(accountId).listFactors(sessionId);
}

/** The browsers that the account recognises. */
export async function listBrowsers(
  service: Service,
  visit: Visit,
  { accountId, sessionId }: AccessToken,
): Promise<{ browsers: BrowserView[] } | Refusal> {
  const { claim } = await visitingBrowser(service, await service.keyRing(visit.now), visit);
  return service.account(accountId).listBrowsers(sessionId, claim);
}

/** The account's living sessions. */
export async function listSessions(
  service: Service,
  { accountId, sessionId }: AccessToken,
): Promise<{ sessions: SessionView[] } | Refusal> {
  return service.account(accountId).listSessions(sessionId);
}

/** The newest security events of the account, those of a moment ago among them. */
export async function listActivity(
  service: Service,
  { accountId, sessionId }: AccessToken,
): Promise<{ events: StoredEvent[] } | Refusal> {
  const shipped = await service.account(accountId).shipEvents(sessionId);
  if ("refused" in shipped) return shipped;
  return { events: await service.events.ofAccount(accountId, ACTIVITY_EVENTS_MAX) };
}

/** Ends one session of the account. One of another account is as unknown as one that never was. */
export async function endSession(
  service: Service,
  { from }: Visit,
  { accountId, sessionId }: AccessToken,
  target: string,
): Promise<{ kind: "ended" } | Refusal> {
  return service.account(accountId).endSession(sessionId, target, from);
}

/** Ends all sessions of the account but the one that asks. */
export async function endOtherSessions(
  service: Service,
  { from }: Visit,
  { accountId, sessionId }: AccessToken,
): Promise<{ kind: "ended" } | Refusal> {
  return service.account(accountId).endOtherSessions(sessionId, from);
}
