import type { Refusal } from "../refusal.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import {
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
import { judge, methodsFor, type SecondFactorPolicy } from "./methods.ts";
import { isProofMode } from "./proof-mode.ts";

/** Who knocks after a right password. */
export interface Knock extends BrowserClaim {
  /** Whether the mailbox has been proven for this very sign-in. */
  isProven: boolean;
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
  // A password that is about to be replaced is as wrong as any other.
  if (admitVerdict(store, guard, verdict, now)) return { refused: "verdict_overtaken" };
  const terms = { ...askedTerms, secondFactor: demandOf(guard, askedTerms.secondFactor) };
  guard.roles = terms.roles;
  const factors = { pwd: Math.floor(now / 1000) };
  const trusted = mayBeTrusted(terms) ? trustedBrowser(guard, knock, now) : undefined;
  switch (judge(terms.secondFactor, standingOf(store, guard), factors, trusted !== undefined)) {
    case "challenge":
      return openSignInChallenge(store, guard, terms, knock, now);
    case "enrolment":
      // Who could answer no challenge could not show who he is either.
      if (mustProveMailbox(guard, knock)) return { refused: "mailbox_unproven" };
      return requireEnrolment(store, guard, factors, terms, now);
    case "session": {
      // Trust is not a proof: what is held against strangers is still held against them.
      const remember = trusted ? recogniseFromNowOn : rememberSignIn;
      const seen = remember(guard, knock, terms, now);
      store.saveGuard(guard);
      return { ...openSession(store, guard, factors, terms, now, trusted?.id), ...seen };
    }
  }
}

/** Who has lost every factor adds one first, even where others need none. */
function demandOf({ life }: Guard, asked: SecondFactorPolicy): SecondFactorPolicy {
  return life.mustEnrol && asked === "optional" ? "required" : asked;
}

/** Whether this person can be told that a browser will not be asked. */
export function mayBeTrusted({ roles }: SignInTerms): boolean {
  return !roles.includes(NEVER_TRUSTED_ROLE);
}

/** Writes an enrolment grant: a factor first, then a session. */
export function requireEnrolment(
  store: AccountStore,
  guard: Guard,
  factors: Parameters<typeof openEnrolment>[1],
  terms: SignInTerms,
  now: number,
): EnrolmentRequired {
  const { id, expiresAt } = openEnrolment(guard, factors, terms, now);
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
  const swept = sweepChallenges(guard, now);
  if (mustProveMailbox(guard, knock)) {
    store.saveGuard(guard);
    return { refused: "mailbox_unproven" };
  }
  const pot = recognise(guard.browsers, knock)?.id ?? (knock.isProven ? "proven" : "unrecognised");
  const factors = { pwd: Math.floor(now / 1000) };
  const methods = methodsFor(terms.secondFactor, standingOf(store, guard));
  return openChallenge(store, guard, { purpose: "login", pot, methods, factors, terms }, now, swept);
}
