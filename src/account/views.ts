import { isRefusal, type Refusal } from "../refusal.ts";
import type { AccountStore } from "./account-store.ts";
import { type BrowserClaim, isTrusted, recognise } from "./browsers.ts";
import { mayDo, type SessionBearer } from "./factor-changes.ts";
import { confirmedFactors, type FactorView, viewOf } from "./factors.ts";
import { runningRecovery } from "./recovery.ts";
import { isAlive } from "./sessions.ts";

/** A session as its owner sees it. Times in epoch milliseconds. */
export interface SessionView {
  id: string;
  createdAt: number;
  lastUsedAt: number;
  expiresAt: number;
  userAgent: string;
  current: boolean;
}

/** A recognised browser as its owner sees it. Times in epoch milliseconds. */
export interface BrowserView {
  id: string;
  userAgent: string;
  createdAt: number;
  lastUsedAt: number;
  trustedUntil?: number;
  current: boolean;
}

/** The account's factors and codes. */
export interface FactorList {
  factors: FactorView[];
  recoveryCodesRemaining: number;
}

/** Everything that an account object knows of its account and may tell. */
export interface AccountCopy extends FactorList {
  sessions: SessionView[];
  browsers: BrowserView[];
  recovery?: { finishAfter: number };
}

/** What the account knows, for its owner to take along. */
export function copyOf(
  store: AccountStore,
  bearer: SessionBearer,
  claim: BrowserClaim,
  now: number,
): AccountCopy | Refusal {
  const guard = store.guard();
  const session = mayDo(store, guard, "export_account", bearer, now);
  if (isRefusal(session)) return session;
  store.note({ kind: "sensitive_read", reason: "account_exported", session: session.id }, bearer.from);
  const running = runningRecovery(guard, now);
  return {
    ...factorList(store),
    sessions: sessionViews(store, session.id, now),
    browsers: browserViews(store, claim, now),
    ...(running ? { recovery: { finishAfter: running.finishAfter } } : {}),
  };
}

/** The living sessions, oldest first. */
export function sessionViews(store: AccountStore, currentId: string, now: number): SessionView[] {
  const guard = store.guard();
  const alive = store.sessions().filter((session) => isAlive(session, guard, now));
  return alive.map(({ id, createdAt, lastUsedAt, idleExpiresAt, terms }) => ({
    id,
    createdAt,
    lastUsedAt,
    expiresAt: idleExpiresAt,
    userAgent: terms.userAgent,
    current: id === currentId,
  }));
}

/** The recognised browsers, the one used last first. */
export function browserViews(store: AccountStore, claim: BrowserClaim, now: number): BrowserView[] {
  const guard = store.guard();
  const current = recognise(guard.browsers, claim);
  const newestFirst = guard.browsers.toSorted((a, b) => b.lastUsedAt - a.lastUsedAt);
  return newestFirst.map((browser) => {
    const { id, userAgent, createdAt, lastUsedAt, trust } = browser;
    const view = { id, userAgent, createdAt, lastUsedAt, current: browser === current };
    return trust && isTrusted(browser, guard, claim.trustTerms, now)
      ? { ...view, trustedUntil: Math.min(trust.until, trust.grantedAt + claim.trustTerms.trustForMs) }
      : view;
  });
}

/** The factors, oldest first, and the number of unused recovery codes. */
export function factorList(store: AccountStore): FactorList {
  const guard = store.guard();
  const factors = confirmedFactors(store).map((factor) => viewOf(factor, guard));
  return { factors, recoveryCodesRemaining: guard.recoveryCodes.digests.length };
}
