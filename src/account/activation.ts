import type { Refusal } from "../refusal.ts";
import { describeProof, type ProvenFactor, withProven } from "../tokens/proof.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import {
  audienceRefusal,
  dropOtherSessions,
  dropPotsOfForgotten,
  openSession,
  rememberSignIn,
  type SessionGrant,
} from "./admission.ts";
import { type BrowserClaim, recognise, withoutTrust } from "./browsers.ts";
import type { EnrolmentGrant, Owner } from "./enrolment-owners.ts";
import { type Factor, type FactorView, hasSecondFactor, viewOf } from "./factors.ts";
import { judge } from "./methods.ts";
import { hasFailures, recordSignIn } from "./recording.ts";
import { endRecoveryByProof } from "./recovery.ts";
import type { NewRecoveryCodes } from "./recovery-codes.ts";

/** A factor that counts from now on, what is shown with the first one, and the session of an enrolment token. */
export interface Activated {
  kind: "active";
  factor: FactorView;
  recoveryCodes?: string[];
  session?: SessionGrant;
}

/** What a factor is activated with. */
export interface Activation {
  factor: Factor;
  proven: ProvenFactor;
  /** Kept, and shown, only with the account's first factor. */
  codes: NewRecoveryCodes;
  claim: BrowserClaim;
}

/**
 * Makes a factor count: every other session, every challenge and every trust in a browser is over. The session that
 * asked goes on; an enrolment token has opened one.
 */
export function activate(
  store: AccountStore,
  guard: Guard,
  owner: Owner,
  activation: Activation,
  now: number,
): Activated | Refusal {
  const { factor, codes } = activation;
  const isFirst = !hasSecondFactor(store, guard);
  if ("enrolment" in owner && !isEnough(owner.enrolment, activation, now)) {
    return { refused: "factor_kind_not_accepted" };
  }
  if (isFirst) guard.recoveryCodes = codes.kept;
  if (isFirst) keepOnlyBrowserOf(guard, activation.claim);
  guard.registration = undefined;
  delete guard.life.mustEnrol;
  const { from } = activation.claim;
  endRecoveryByProof(store, guard, from);
  endAllBut(store, guard, owner.id);
  store.saveFactor(enrolledBy(owner, factor));
  const added = { reason: isFirst ? "first_factor_added" : "factor_added", factor: factor.kind } as const;
  store.note({ kind: "user_updated", ...added, ...("session" in owner ? { session: owner.id } : {}) }, from);
  const session = "session" in owner ? undefined : openEnrolled(store, guard, owner.enrolment, activation, now);
  store.saveGuard(guard);
  if ("session" in owner) raiseFromPassword(store, owner, activation, now);
  return {
    kind: "active",
    factor: viewOf(factor, guard),
    ...(isFirst ? { recoveryCodes: codes.codes } : {}),
    ...(session ? { session } : {}),
  };
}

/**
 * A factor has changed: whoever came in under the old ones comes in anew, but for the session that changed it. The
 * guard is left to be saved.
 */
export function endAllBut(store: AccountStore, guard: Guard, sessionId: string): void {
  dropOtherSessions(store, guard, sessionId);
  guard.challenges = [];
  guard.browsers = guard.browsers.map(withoutTrust);
}

/** What signed in by password alone has shown too little to be known as the owner's from the first factor on. */
function keepOnlyBrowserOf(guard: Guard, claim: BrowserClaim): void {
  const own = recognise(guard.browsers, claim);
  guard.browsers = own ? [own] : [];
  dropPotsOfForgotten(guard);
}

/** Whether the new factor, beside the password, is what the operator demands. */
function isEnough({ factors, terms }: EnrolmentGrant, { proven }: Activation, now: number): boolean {
  const none = { totp: 0, passkeys: 0, recoveryCodes: 0 };
  return judge(terms.secondFactor, none, withProven(factors, proven, now)) === "session";
}

/** A session that a recovery code opened cannot use what it enrols to raise itself. */
function enrolledBy(owner: Owner, factor: Factor): Factor {
  const isRecovered = "session" in owner && describeProof(owner.session.factors).acr === "aal2-recovery";
  return isRecovered ? { ...factor, enrolledAfterRecoveryBy: owner.id } : factor;
}

/** A session by password alone has now proven both; a stronger one keeps the proof it has. */
function raiseFromPassword(
  store: AccountStore,
  { session }: Extract<Owner, { session: unknown }>,
  { proven }: Activation,
  now: number,
): void {
  if (describeProof(session.factors).acr !== "aal1") return;
  store.saveSession({ ...session, factors: withProven(session.factors, proven, now) });
}

/** The session that an enrolment token was waiting for. */
function openEnrolled(
  store: AccountStore,
  guard: Guard,
  { factors, terms }: EnrolmentGrant,
  { proven, claim }: Activation,
  now: number,
): SessionGrant | undefined {
  const both = withProven(factors, proven, now);
  // The factor counts all the same; who has it signs in for another service, or with another one for this.
  if (audienceRefusal(both, terms.audienceNeeds)) return undefined;
  const afterFailures = hasFailures(guard.streaks);
  const seen = rememberSignIn(guard, claim, terms, now);
  const opened = openSession(store, guard, both, terms, now);
  const { sessionId } = opened;
  const { emailDigest } = terms;
  recordSignIn(store, { sessionId, factor: proven.method, emailDigest, afterFailures, from: claim.from });
  return { ...opened, ...seen };
}
