import type { Circumstances, Occurrence } from "../events/security-event.ts";
import { CHALLENGE_TTL_MS, RESET_LINK_TTL_MS } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import { type ChallengeGrant, grantOf, newSecret, openChallenge, type SessionGrant } from "./admission.ts";
import { endIfPotIsEmpty, takeFromPot } from "./attempts.ts";
import { type BrowserClaim, recognise } from "./browsers.ts";
import type { Challenge, SignInTerms } from "./challenges.ts";
import { admitLink, admitVerdict, commitChange, type Prepared, prepareChange, type Verdict } from "./changes.ts";
import { mayDo, type SessionBearer } from "./factor-changes.ts";
import { standingOf } from "./factors.ts";
import { isAwaited } from "./life.ts";
import { methodsFor } from "./methods.ts";
import { addressOf } from "./recording.ts";
import { replaceSecret, rotateSession } from "./sessions.ts";

/** A reset link that came back with a new password, hashed and sealed. */
export interface ResetRequest {
  linkId: string;
  /** Opaque here: the Worker has sealed the hash, and opens it when the directory is to hold it. */
  sealedPassword: string;
  terms: SignInTerms;
  claim: BrowserClaim;
}

/** A new password that the directory may hold from now on. */
export interface PreparedReset extends Omit<Prepared, "kind"> {
  kind: "reset_prepared";
  sealedPassword: string;
  /** How many recovery codes are left, where one was used. */
  recoveryCodesLeft?: number;
}

/** Makes a link the newest one. Those before it are dead. */
export function awaitReset(
  store: AccountStore,
  verdict: Verdict,
  linkId: string,
  now: number,
): { kind: "awaited" } | Refusal {
  const guard = store.guard();
  const refusal = admitLink(store, guard, verdict, now);
  if (refusal) return refusal;
  guard.life.reset = { id: linkId, expiresAt: now + RESET_LINK_TTL_MS };
  const what = { kind: "authn_token_created", reason: "reset_link", factor: "mail_link" } as const;
  store.note({ ...what, ...addressOf(verdict.address ?? "") }, verdict.from);
  store.saveGuard(guard);
  return { kind: "awaited" };
}

/**
 * A reset link came back. Where there is a second factor it is asked, and until it is proven nothing changes; the
 * mailbox that was proven has a pot of its own. Opens nothing but that.
 */
export function openReset(
  store: AccountStore,
  verdict: Verdict,
  { linkId, sealedPassword, terms, claim }: ResetRequest,
  now: number,
): ChallengeGrant | PreparedReset | Refusal {
  const guard = store.guard();
  const methods = methodsFor(terms.secondFactor, standingOf(store, guard));
  if (methods.length === 0) {
    return withPassword(prepareChange(store, guard, verdict, resetChange(linkId, now), now), sealedPassword);
  }
  const refusal = admitLink(store, guard, verdict, now);
  if (refusal) return refusal;
  if (!isAwaited(guard.life.reset, linkId, now)) return { refused: "link_used" };
  const pot = recognise(guard.browsers, claim)?.id ?? "proven";
  const reset = { linkId, sealedPassword };
  const subject = { purpose: "password_reset", pot, methods, factors: {}, terms, reset, from: verdict.from } as const;
  return openChallenge(store, guard, subject, now);
}

/** The factor of a reset has been proven. The link is the one whose challenge was answered, even if a newer one exists. */
export function settleReset(
  store: AccountStore,
  guard: Guard,
  challenge: Challenge,
  { factor, from }: { factor: NonNullable<Occurrence["factor"]>; from: Circumstances | undefined },
  now: number,
): PreparedReset | Refusal {
  const { reset } = challenge;
  if (!reset) throw new Error("a challenge of a reset carries no password");
  const { passwordVersion, epoch } = challenge;
  const verdict = { passwordVersion, epoch, readAfter: now, from };
  const askedAt = challenge.expiresAt - CHALLENGE_TTL_MS;
  const change = { ...resetChange(reset.linkId, now), factor, askedAt, isDue: () => true };
  return withPassword(prepareChange(store, guard, verdict, change, now), reset.sealedPassword);
}

/** Takes an attempt from the session's own pot before its password is compared for a change. */
export function reservePasswordChange(
  store: AccountStore,
  bearer: SessionBearer,
  now: number,
): { kind: "password_reserved" } | Refusal {
  const guard = store.guard();
  const session = mayDo(store, guard, "change_password", bearer, now);
  if (isRefusal(session)) return session;
  const refusal = takeFromPot(store, guard, session.id, bearer.from);
  if (refusal) return refusal;
  store.saveGuard(guard);
  return { kind: "password_reserved" };
}

/** Judges the password that was given for a change. Right: everybody is signed out, and this session goes on when it is made. */
export function preparePasswordChange(
  store: AccountStore,
  bearer: SessionBearer,
  { right, ...verdict }: Verdict & { right: boolean },
  now: number,
): Prepared | Refusal {
  const guard = store.guard();
  // First what the directory says: it may end this very session.
  const refusal = admitVerdict(store, guard, verdict, now);
  if (refusal) return refusal;
  const session = mayDo(store, guard, "change_password", bearer, now);
  if (isRefusal(session)) return session;
  const refuse = (reason: "wrong_step_up_password" | "verdict_overtaken"): Refusal => {
    const what = { kind: "authn_password_change_fail", reason, factor: "pwd", session: session.id } as const;
    store.note(what, bearer.from);
    return { refused: reason };
  };
  if (!right) {
    const refused = refuse("wrong_step_up_password");
    endIfPotIsEmpty(store, guard, session.id, bearer.from);
    return refused;
  }
  if (verdict.passwordVersion !== session.passwordVersion) return refuse("verdict_overtaken");
  const pwd = Math.floor(now / 1000);
  const continues = { ...session, factors: { ...session.factors, pwd } };
  const name = `password:${session.id}`;
  return prepareChange(
    store,
    guard,
    verdict,
    { name, change: { kind: "password", continues }, factor: "pwd", isDue: () => true },
    now,
  );
}

/**
 * The directory holds the new password: the session that changed it goes on, under another id and new tokens, so that no
 * token of before is good for anything.
 */
export function commitPasswordChange(store: AccountStore, key: string, now: number): SessionGrant | Refusal {
  const guard = store.guard();
  const { continues } = commitChange(store, guard, key);
  if (!continues) return { refused: "session_ended" };
  const secret = newSecret();
  const { passwordVersion } = guard;
  const id = crypto.randomUUID();
  const session = replaceSecret(rotateSession({ ...continues, id, passwordVersion }, now), secret);
  store.saveSession(session);
  return grantOf(session, secret);
}

function resetChange(linkId: string, now: number) {
  return {
    name: `reset:${linkId}`,
    change: { kind: "password" } as const,
    factor: "mail_link" as const,
    isDue: ({ reset }: Guard["life"]) => isAwaited(reset, linkId, now),
  };
}

function withPassword(prepared: Prepared | Refusal, sealedPassword: string): PreparedReset | Refusal {
  return isRefusal(prepared) ? prepared : { ...prepared, kind: "reset_prepared", sealedPassword };
}
