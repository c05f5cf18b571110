import type { Circumstances, Occurrence } from "../events/security-event.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import { endAllBut } from "./activation.ts";
import { dropPotsOfForgotten, liveSession } from "./admission.ts";
import { takeAway } from "./email-undo.ts";
import { unmetBy } from "./enrolment-owners.ts";
import { activeFactors, confirmedFactors, type Factor, type FactorView, viewOf } from "./factors.ts";
import type { SecondFactorPolicy } from "./methods.ts";
import { endRecoveryByProof } from "./recovery.ts";
import type { RecoveryCodeSet } from "./recovery-codes.ts";
import type { PresentedProof, SensitiveAction } from "./requirements.ts";
import type { Session } from "./sessions.ts";

/** The session of a verified access token. */
export interface SessionName {
  sessionId: string;
  /** For events. */
  from?: Circumstances | undefined;
}

/** The same, and what that token proves. */
export interface SessionBearer extends SessionName, PresentedProof {}

/** What was taken away. `credentialIds` are free for other accounts from now on. */
export interface RemovedFactors {
  kind: "removed";
  factors: FactorView[];
  credentialIds: string[];
}

/** Gives a factor another name. */
export function renameFactor(
  store: AccountStore,
  bearer: SessionName,
  factorId: string,
  label: string,
  now: number,
): { factor: FactorView } | Refusal {
  const guard = store.guard();
  const session = liveSession(store, guard, bearer.sessionId, now);
  if ("refused" in session) return session;
  const factor = confirmedFactors(store).find(({ id }) => id === factorId);
  if (!factor) return { refused: "unknown_factor" };
  const renamed: Factor = { ...factor, label };
  store.saveFactor(renamed);
  recordUpdate(store, bearer, "factor_renamed", factor.kind);
  return { factor: viewOf(renamed, guard) };
}

/** Removes a factor. The last one that counts stays: who wants none turns the second factor off. */
export function removeFactor(
  store: AccountStore,
  bearer: SessionBearer,
  factorId: string,
  secondFactor: SecondFactorPolicy,
  now: number,
): RemovedFactors | Refusal {
  const guard = store.guard();
  const session = mayDo(store, guard, "remove_factor", bearer, now);
  if (isRefusal(session)) return session;
  const factor = confirmedFactors(store).find(({ id }) => id === factorId);
  if (!factor) return { refused: "unknown_factor" };
  const active = activeFactors(store);
  const counting = secondFactor === "passkey" ? active.filter(({ kind }) => kind === "passkey") : active;
  const isLast = !factor.suspended && (active.length === 1 || (counting.length === 1 && counting[0]?.id === factor.id));
  if (isLast) return { refused: "last_factor" };
  recordUpdate(store, bearer, "factor_removed", factor.kind);
  return remove(store, guard, session, [factor], now);
}

/** Removes every factor and the recovery codes with them. Not where a second factor is demanded. */
export function turnOffSecondFactor(
  store: AccountStore,
  bearer: SessionBearer,
  secondFactor: SecondFactorPolicy,
  now: number,
): RemovedFactors | Refusal {
  const guard = store.guard();
  const session = mayDo(store, guard, "turn_off_second_factor", bearer, now);
  if (isRefusal(session)) return session;
  if (secondFactor !== "optional") return { refused: "second_factor_required" };
  guard.recoveryCodes = { keyId: 0, digests: [] };
  endRecoveryByProof(store, guard, bearer.from);
  recordUpdate(store, bearer, "second_factor_turned_off");
  return remove(store, guard, session, confirmedFactors(store), now);
}

/** Puts a new set of recovery codes in the place of the old one, whose codes are dead from now on. */
export function replaceRecoveryCodes(
  store: AccountStore,
  bearer: SessionBearer,
  kept: RecoveryCodeSet,
  now: number,
): { kind: "replaced" } | Refusal {
  const guard = store.guard();
  const session = mayDo(store, guard, "replace_recovery_codes", bearer, now);
  if (isRefusal(session)) return session;
  if (activeFactors(store).length === 0) return { refused: "last_factor" };
  guard.recoveryCodes = kept;
  recordUpdate(store, bearer, "recovery_codes_replaced", "recovery_code");
  store.saveGuard(guard);
  return { kind: "replaced" };
}

/** Forgets a browser: it is unrecognised from now on, and what its trust has opened must be proven. */
export function forgetBrowser(
  store: AccountStore,
  bearer: SessionBearer,
  browserId: string,
  now: number,
): { kind: "forgotten" } | Refusal {
  const guard = store.guard();
  const session = mayDo(store, guard, "forget_browser", bearer, now);
  if (isRefusal(session)) return session;
  const others = guard.browsers.filter(({ id }) => id !== browserId);
  if (others.length === guard.browsers.length) return { refused: "unknown_browser" };
  guard.browsers = others;
  guard.challenges = guard.challenges.filter(({ pot }) => pot !== browserId);
  dropPotsOfForgotten(guard);
  recordUpdate(store, bearer, "browser_forgotten");
  store.saveGuard(guard);
  return { kind: "forgotten" };
}

/** The living session of a bearer, if it may do this now. */
export function mayDo(
  store: AccountStore,
  guard: Guard,
  action: SensitiveAction,
  bearer: SessionBearer,
  now: number,
): Session | Refusal {
  const session = liveSession(store, guard, bearer.sessionId, now);
  if ("refused" in session) return session;
  return unmetBy(store, guard, action, bearer, session, now) ?? session;
}

function recordUpdate(
  store: AccountStore,
  { sessionId: session, from }: SessionName,
  reason: string,
  factor?: NonNullable<Occurrence["factor"]>,
): void {
  store.note({ kind: "user_updated", reason, session, ...(factor ? { factor } : {}) }, from);
}

function remove(store: AccountStore, guard: Guard, { id }: Session, factors: Factor[], now: number): RemovedFactors {
  const credentialIds = takeAway(store, guard, factors, now);
  endAllBut(store, guard, id);
  store.saveGuard(guard);
  return { kind: "removed", factors: factors.map((factor) => viewOf(factor, guard)), credentialIds };
}
