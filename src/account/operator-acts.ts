import type { Circumstances, Occurrence } from "../events/security-event.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { AccountStore } from "./account-store.ts";
import { endEverything } from "./admission.ts";
import { type Change, type Prepared, prepareChange, type Verdict } from "./changes.ts";
import { confirmedFactors, type FactorView, viewOf } from "./factors.ts";
import { demandingProof, isMethodClosed, isProofMode, NO_STREAKS } from "./proof-mode.ts";
import { resetFactors, runningRecovery } from "./recovery.ts";
import { isAlive } from "./sessions.ts";

/** What an operator does to an account, as it is recorded: `actor` is an account id, or the name given to a command. */
export interface OperatorAct {
  actor: string;
  reason: string;
  about?: NonNullable<Occurrence["about"]>;
  /** Where the operator was; nothing for a command that the cron executes. */
  from?: Circumstances | undefined;
}

/** What operators see of an account beside what the directory has. */
export interface AccountOverview {
  factors: FactorView[];
  recoveryCodesRemaining: number;
  sessions: number;
  /** Whether a right password from an unrecognised browser must bring a proof of the mailbox. */
  asksForProof: boolean;
  /** Kinds of factor that have failed so often that unrecognised browsers may not try them. */
  closedMethods: string[];
  recovery?: { finishAfter: number };
}

/** What the account knows of itself, for operators: names and times, and nothing that opens anything. */
export function overviewOf(store: AccountStore, now: number): AccountOverview {
  const guard = store.guard();
  const running = runningRecovery(guard, now);
  const methods = ["totp", "passkey", "recovery_code"] as const;
  return {
    factors: confirmedFactors(store).map((factor) => viewOf(factor, guard)),
    recoveryCodesRemaining: guard.recoveryCodes.digests.length,
    sessions: store.sessions().filter((session) => isAlive(session, guard, now)).length,
    asksForProof: isProofMode(guard.streaks),
    closedMethods: methods.filter((method) => isMethodClosed(guard.streaks, method)),
    ...(running ? { recovery: { finishAfter: running.finishAfter } } : {}),
  };
}

/** Writes down what an operator has done, with whatever else this turn writes. */
export function recordAct(store: AccountStore, { from, ...act }: OperatorAct): void {
  store.note({ kind: "authz_admin", ...act }, from);
}

/**
 * An operator changes status or roles: first of three steps, after which everybody is signed out. Recorded here and not
 * at the end, since this much has happened whatever becomes of the rest.
 */
export function prepareByOperator(
  store: AccountStore,
  verdict: Verdict,
  kind: Extract<Change["kind"], "status" | "roles">,
  act: OperatorAct,
  now: number,
): Prepared | Refusal {
  const asked = { name: `${kind}:${crypto.randomUUID()}`, change: { kind }, isDue: () => true };
  const prepared = prepareChange(store, store.guard(), verdict, asked, now);
  if (isRefusal(prepared)) return prepared;
  recordAct(store, act);
  const { from, ...permissions } = act;
  if (kind === "roles") store.note({ kind: "privilege_permissions_changed", ...permissions }, from);
  return prepared;
}

/** Removes every factor. Executed again for one request it changes nothing and records nothing. */
export function resetByOperator(
  store: AccountStore,
  verdict: Verdict,
  requestId: string,
  act: OperatorAct,
  now: number,
): { credentialIds: string[] } | Refusal {
  const isRepeated = store.guard().life.lastReset?.requestId === requestId;
  const removed = resetFactors(store, verdict, requestId, now);
  if (!isRefusal(removed) && !isRepeated) recordAct(store, act);
  return removed;
}

/** Signs everybody out, and ends what is half way and the trust in browsers. */
export function signOutEverybody(store: AccountStore, act: OperatorAct): void {
  const guard = store.guard();
  recordAct(store, act);
  endEverything(store, guard);
  store.saveGuard(guard);
}

/**
 * Forgives what went wrong in a row: proof mode ends and closed kinds of factor open. The attempts of the rolling hour
 * stay spent, since they are all that stands between a guesser and the codes, and are whole again within the hour. Where
 * the factors were reset the mailbox must still be proven: the password alone would add the next one.
 */
export function unlockAccount(store: AccountStore, act: OperatorAct): void {
  const guard = store.guard();
  recordAct(store, act);
  const none = structuredClone(NO_STREAKS);
  guard.streaks = guard.life.mustEnrol ? demandingProof(none) : none;
  store.saveGuard(guard);
}
