import { ENROLMENT_TTL_MS, LIVE_ENROLMENTS } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Proof } from "../tokens/proof.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import { admit, liveSession } from "./admission.ts";
import type { SignInTerms } from "./challenges.ts";
import { hasSecondFactor } from "./factors.ts";
import { bindingRefusal } from "./possession.ts";
import { type PresentedProof, type SensitiveAction, unmetRequirement } from "./requirements.ts";
import type { Floor, Session } from "./sessions.ts";

/** Who asks: the session of a verified access token and what that token proves, or an enrolment token. */
export type Bearer =
  | ({ kind: "session"; sessionId: string } & PresentedProof)
  | { kind: "enrolment"; enrolmentId: string; possession?: { jkt: string } | undefined };

/** A right password where a second factor is demanded and none exists. Times in epoch milliseconds. */
export interface EnrolmentGrant extends Floor {
  id: string;
  expiresAt: number;
  factors: Proof;
  terms: SignInTerms;
}

/** A passkey registration under way: of whom, and with which WebAuthn challenge. */
export interface PendingRegistration {
  ownerId: string;
  challenge: string;
  until: number;
}

/** Whom a pending factor belongs to. */
export type Owner = { id: string; session: Session } | { id: string; enrolment: EnrolmentGrant };

/** Lets the holder of an enrolment token add a factor. The oldest of too many goes. */
export function openEnrolment(guard: Guard, factors: Proof, terms: SignInTerms, now: number): EnrolmentGrant {
  const { passwordVersion, epoch } = guard;
  const id = crypto.randomUUID();
  const added = { id, expiresAt: now + ENROLMENT_TTL_MS, factors, terms, passwordVersion, epoch };
  const live = guard.enrolments.filter(({ expiresAt }) => now < expiresAt);
  guard.enrolments = [...live.slice(-(LIVE_ENROLMENTS - 1)), added];
  return added;
}

/** The living session or enrolment of a bearer. */
export function ownerOf(store: AccountStore, guard: Guard, bearer: Bearer, now: number): Owner | Refusal {
  if (bearer.kind === "session") {
    const session = liveSession(store, guard, bearer.sessionId, now);
    return isRefusal(session) ? session : { id: session.id, session };
  }
  const enrolment = guard.enrolments.find(({ id }) => id === bearer.enrolmentId);
  if (!enrolment || now >= enrolment.expiresAt || admit(guard, enrolment)) return { refused: "enrolment_unknown" };
  const unbound = bindingRefusal(enrolment.terms.jkt, bearer.possession);
  return unbound ? ({ ...unbound, isBearer: true } as Refusal) : { id: enrolment.id, enrolment };
}

/** The owner, if it may start to add a factor: a fresh session, or whoever holds an enrolment token. */
export function enrollingOwner(store: AccountStore, guard: Guard, bearer: Bearer, now: number): Owner | Refusal {
  const owner = ownerOf(store, guard, bearer, now);
  if (isRefusal(owner) || bearer.kind === "enrolment" || !("session" in owner)) return owner;
  return unmetBy(store, guard, "enrol_factor", bearer, owner.session, now) ?? owner;
}

/** Why a session may not do something sensitive now, or nothing when it may. */
export function unmetBy(
  store: AccountStore,
  guard: Guard,
  action: SensitiveAction,
  presented: PresentedProof,
  { passwordAgainAt }: Session,
  now: number,
): Refusal | undefined {
  return unmetRequirement(action, presented, { hasSecondFactor: hasSecondFactor(store, guard), passwordAgainAt }, now);
}
