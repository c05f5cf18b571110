import type { Circumstances, Occurrence } from "../events/security-event.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Proof } from "../tokens/proof.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import {
  audienceRefusal,
  type ChallengeGrant,
  type EnrolmentRequired,
  openChallenge,
  openSession,
  recogniseFromNowOn,
  rememberSignIn,
  type SessionGrant,
  sweepChallenges,
} from "./admission.ts";
import { type BrowserClaim, recognise, trustedBrowser } from "./browsers.ts";
import type { SignInTerms } from "./challenges.ts";
import { admitVerdict, type Verdict } from "./changes.ts";
import { openEnrolment } from "./enrolment-owners.ts";
import { standingOf } from "./factors.ts";
import { becomeFamiliar } from "./familiarity.ts";
import { judge, methodsFor, type SecondFactorPolicy } from "./methods.ts";
import { type Possession, withSpentAtSignIn } from "./possession.ts";
import { isProofMode } from "./proof-mode.ts";
import { addressOf, hasFailures, recordSignIn } from "./recording.ts";

/** Who knocks after a right password. */
export interface Knock extends BrowserClaim {
  /** Whether the mailbox has been proven for this very sign-in. */
  isProven: boolean;
  /** The key that everything the sign-in opens shall be bound to. */
  possession?: Possession | undefined;
}

/** Those who administer others are asked every time. */
const NEVER_TRUSTED_ROLE = "admin";

/** A right password was shown. What it opens is `judge`'s to say; here it is opened. */
export function openFirstDoor(
  store: AccountStore,
  verdict: Verdict,
  askedTerms: SignInTerms,
  knock: Knock,
  now: number,
): SessionGrant | ChallengeGrant | EnrolmentRequired | Refusal {
  const guard = store.guard();
  const spent = withSpentAtSignIn(guard.spentProofs, knock.possession, now);
  if (isRefusal(spent)) return refuseKnock(store, spent, askedTerms, knock);
  guard.spentProofs = spent;
  // A password that is about to be replaced is as wrong as any other.
  if (admitVerdict(store, guard, verdict, now)) {
    return refuseKnock(store, { refused: "verdict_overtaken" }, askedTerms, knock);
  }
  const terms = { ...askedTerms, secondFactor: demandOf(guard, askedTerms.secondFactor) };
  guard.roles = terms.roles;
  const factors = { pwd: Math.floor(now / 1000) };
  const tooLittle = audienceRefusal(factors, terms.audienceNeeds);
  // Trust stands in for a factor only where the password alone would do for the service.
  const trusted = mayBeTrusted(terms) && !tooLittle ? trustedBrowser(guard, knock, now) : undefined;
  switch (judge(terms.secondFactor, standingOf(store, guard), factors, trusted !== undefined)) {
    case "challenge":
      return openSignInChallenge(store, guard, terms, knock, now);
    case "enrolment":
      // Who could answer no challenge could not show who he is either.
      if (mustProveMailbox(guard, knock)) return refuseKnock(store, { refused: "mailbox_unproven" }, terms, knock);
      return requireEnrolment(store, guard, { factors, terms, factor: "pwd", from: knock.from }, now);
    case "session":
      if (tooLittle) return refuseTooLittle(store, guard, refuseKnock(store, tooLittle, terms, knock), knock, now);
      return openByPassword(store, guard, terms, knock, trusted?.id, now);
  }
}

/** Records that a right password has opened nothing. The guard is left to be saved. */
function refuseKnock(store: AccountStore, refusal: Refusal, { emailDigest }: SignInTerms, { from }: Knock): Refusal {
  const what = { kind: "authn_login_fail", factor: "pwd", reason: refusal.refused } as const;
  store.note({ ...what, ...addressOf(emailDigest) }, from);
  return refusal;
}

/** Told like a sign-in: nobody shall find out in silence that a password is right. */
function refuseTooLittle(store: AccountStore, guard: Guard, refusal: Refusal, knock: Knock, now: number): Refusal {
  const unfamiliar = becomeFamiliar(guard, knock, now);
  store.saveGuard(guard);
  return unfamiliar ? ({ ...refusal, unfamiliar } as Refusal) : refusal;
}

/** A session for the password alone, where nothing more is demanded or a browser is trusted. */
function openByPassword(
  store: AccountStore,
  guard: Guard,
  terms: SignInTerms,
  knock: Knock,
  trustedBy: string | undefined,
  now: number,
): SessionGrant {
  // Trust is not a proof: what is held against strangers is still held against them.
  const remember = trustedBy === undefined ? rememberSignIn : recogniseFromNowOn;
  const afterFailures = hasFailures(guard.streaks);
  const seen = remember(guard, knock, terms, now);
  const opened = openSession(store, guard, { pwd: Math.floor(now / 1000) }, terms, now, trustedBy);
  const { sessionId } = opened;
  const reason = trustedBy === undefined ? undefined : "trusted_browser";
  const { emailDigest } = terms;
  recordSignIn(store, { sessionId, factor: "pwd", emailDigest, afterFailures, reason, from: knock.from });
  store.saveGuard(guard);
  return { ...opened, ...seen };
}

/** Who has lost every factor adds one first, even where others need none. */
function demandOf({ life }: Guard, asked: SecondFactorPolicy): SecondFactorPolicy {
  return life.mustEnrol && asked === "optional" ? "required" : asked;
}

/** Whether this person can be told that a browser will not be asked. */
export function mayBeTrusted({ roles }: SignInTerms): boolean {
  return !roles.includes(NEVER_TRUSTED_ROLE);
}

/** What was shown by whoever has to add a factor first; `factor` is what was shown last. */
export interface ShownSoFar {
  factors: Proof;
  terms: SignInTerms;
  factor: NonNullable<Occurrence["factor"]>;
  from: Circumstances | undefined;
}

/** Writes an enrolment grant: a factor first, then a session. */
export function requireEnrolment(
  store: AccountStore,
  guard: Guard,
  { factors, terms, factor, from }: ShownSoFar,
  now: number,
): EnrolmentRequired {
  const { id, expiresAt } = openEnrolment(guard, factors, terms, now);
  const what = { kind: "authn_token_created", reason: "enrolment", factor } as const;
  store.note({ ...what, ...addressOf(terms.emailDigest) }, from);
  store.saveGuard(guard);
  const methods: EnrolmentRequired["methods"] = terms.secondFactor === "passkey" ? ["passkey"] : ["totp", "passkey"];
  return { kind: "enrolment", enrolmentId: id, methods, expiresAt };
}

/** In proof mode an unrecognised browser gets nothing before the mailbox is proven. */
function mustProveMailbox({ browsers, streaks }: Guard, knock: Knock): boolean {
  return isProofMode(streaks) && !knock.isProven && recognise(browsers, knock) === undefined;
}

function openSignInChallenge(
  store: AccountStore,
  guard: Guard,
  terms: SignInTerms,
  knock: Knock,
  now: number,
): ChallengeGrant | Refusal {
  const swept = sweepChallenges(store, guard, now);
  if (mustProveMailbox(guard, knock)) {
    const refusal = refuseKnock(store, { refused: "mailbox_unproven" }, terms, knock);
    store.saveGuard(guard);
    return refusal;
  }
  const pot = recognise(guard.browsers, knock)?.id ?? (knock.isProven ? "proven" : "unrecognised");
  const factors = { pwd: Math.floor(now / 1000) };
  const methods = methodsFor(terms.secondFactor, standingOf(store, guard));
  return openChallenge(store, guard, { purpose: "login", pot, methods, factors, terms, from: knock.from }, now, swept);
}
