import type { Refusal } from "../refusal.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import {
  admit,
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
import { openEnrolment } from "./enrolment-owners.ts";
import { standingOf } from "./factors.ts";
import { judge, methodsFor } from "./methods.ts";
import { isProofMode } from "./proof-mode.ts";
import type { Floor } from "./sessions.ts";

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
  verdict: Floor,
  terms: SignInTerms,
  knock: Knock,
  now: number,
): SessionGrant | ChallengeGrant | EnrolmentRequired | Refusal {
  const guard = store.guard();
  const refusal = admit(guard, verdict);
  if (refusal) return refusal;
  guard.roles = terms.roles;
  const factors = { pwd: Math.floor(now / 1000) };
  const trusted = mayBeTrusted(terms) ? trustedBrowser(guard, knock, now) : undefined;
  switch (judge(terms.secondFactor, standingOf(store, guard), factors, trusted !== undefined)) {
    case "challenge":
      return openSignInChallenge(store, guard, terms, knock, now);
    case "enrolment":
      return requireEnrolment(store, guard, factors, terms, now);
    case "session": {
      // Trust is not a proof: what is held against strangers is still held against them.
      const remember = trusted ? recogniseFromNowOn : rememberSignIn;
      const browser = remember(guard, knock, terms, now);
      store.saveGuard(guard);
      const grant = openSession(store, guard, factors, terms, now, trusted?.id);
      return browser ? { ...grant, browser } : grant;
    }
  }
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

/** In proof mode an unrecognised browser gets no challenge before the mailbox is proven. */
function openSignInChallenge(
  store: AccountStore,
  guard: Guard,
  terms: SignInTerms,
  knock: Knock,
  now: number,
): ChallengeGrant | Refusal {
  const pot = recognise(guard.browsers, knock)?.id ?? (knock.isProven ? "proven" : "unrecognised");
  sweepChallenges(guard, now);
  if (pot === "unrecognised" && isProofMode(guard.streaks)) {
    store.saveGuard(guard);
    return { refused: "mailbox_unproven" };
  }
  const factors = { pwd: Math.floor(now / 1000) };
  const methods = methodsFor(terms.secondFactor, standingOf(store, guard));
  return openChallenge(store, guard, { purpose: "login", pot, methods, factors, terms }, now);
}
