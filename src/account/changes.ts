import type { Circumstances, Occurrence } from "../events/security-event.ts";
import { PREPARED_CHANGE_DEADLINE_MS, PREPARED_CHANGE_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { AccountStore, Guard } from "./account-store.ts";
import { admit, endEverything } from "./admission.ts";
import { distrustWhatCameSince, openUndo, undoEmailChange } from "./email-undo.ts";
import type { Life } from "./life.ts";
import { NO_STREAKS } from "./proof-mode.ts";
import { recordChange } from "./recording.ts";
import type { Floor, Session } from "./sessions.ts";

/** What the directory said of an account, and a moment after which it said so (epoch milliseconds). */
export interface Verdict extends Floor {
  readAfter: number;
  /** For events: who has had it asked, and the keyed digest of the address where one was named. */
  from?: Circumstances | undefined;
  address?: string;
}

/** A change of what the directory holds, as far as the account object has a part in it. */
export type Change =
  | { kind: "password"; continues?: Session }
  | { kind: "email"; undoId: string }
  | { kind: "email_undo" }
  | { kind: "freeze"; since: number }
  | { kind: "deletion"; id: string; deletesAt: number }
  | { kind: "deletion_cancel" }
  /** By an operator. Nothing but its ends stays of it: what the directory says counts. */
  | { kind: "status" | "roles" };

/** A change that the object is ready for and the directory may or may not hold yet. */
export interface PreparedChange {
  /** Requests with one key ask for the same change; the directory decides which of them makes it. */
  key: string;
  /** The password version that the directory has once it is made. */
  version: number;
  at: number;
  /** When the request came in; what happened before that is known to whoever asked. */
  askedAt: number;
  change: Change;
  /** Who has asked, and what was shown for it: for the event of its end, which somebody else may bring about. */
  from?: Circumstances | undefined;
  factor?: Occurrence["factor"];
}

/** Says that the directory may be changed now, from one version to the next. */
export interface Prepared {
  kind: "prepared";
  key: string;
  version: number;
}

/**
 * Admits what somebody was found to be by the directory. A change that the directory holds by now is finished here, if
 * whoever asked for it never came back; one that it does not hold a minute later is rolled back.
 */
export function admitVerdict(store: AccountStore, guard: Guard, verdict: Verdict, now: number): Refusal | undefined {
  const { prepared } = guard.life;
  if (prepared && verdict.passwordVersion >= prepared.version) finish(store, guard, prepared);
  else if (prepared && hasLapsed(prepared, verdict)) rollBack(store, guard, prepared);
  if (guard.life.prepared !== prepared) store.saveGuard(guard);
  const refusal = admit(guard, verdict);
  return refusal?.refused === "verdict_overtaken" && guard.life.prepared ? underWay(guard.life.prepared, now) : refusal;
}

/** The same for whoever comes by a link: one that the account has moved on from is like any that was used. */
export function admitLink(store: AccountStore, guard: Guard, verdict: Verdict, now: number): Refusal | undefined {
  const refusal = admitVerdict(store, guard, verdict, now);
  return refusal === undefined || refusal.refused === "change_under_way" ? refusal : { refused: "link_used" };
}

/** A change that is asked for, and made only while `isDue` says so. */
export interface AskedChange {
  /** Requests of one name ask for the same. */
  name: string;
  /** When its request came in, epoch milliseconds; with its verdict unless it says otherwise. */
  askedAt?: number;
  change: Change;
  /** What was shown for it. */
  factor?: Occurrence["factor"];
  isDue: (life: Life) => boolean;
}

/**
 * First of three steps (docs/architecture.md): everybody is signed out and the floor is raised, so that nothing of the
 * time before lives on, whether the second step, in the directory, happens or not. The guard is saved.
 */
export function prepareChange(
  store: AccountStore,
  guard: Guard,
  verdict: Verdict,
  { name, change, factor, isDue, askedAt = verdict.readAfter }: AskedChange,
  now: number,
): Prepared | Refusal {
  // Its request would come too late to the directory, so nobody is signed out for it.
  if (now >= verdict.readAfter + PREPARED_CHANGE_DEADLINE_MS / 2) return { refused: "request_too_slow" };
  const version = verdict.passwordVersion + 1;
  const key = `${name}@${version}`;
  // Those that ask for the same change go on together: the floor is raised already, and the directory takes one of them.
  const { prepared } = guard.life;
  const joins = prepared?.key === key;
  const refusal = joins ? undefined : admitLink(store, guard, verdict, now);
  if (refusal) return refusal;
  if (!isDue(guard.life)) return { refused: "link_used" };
  const { from } = verdict;
  const asked = { askedAt, change, ...(from ? { from } : {}), ...(factor ? { factor } : {}) };
  if (!joins) recordChange(store, "prepared", asked);
  guard.life.prepared = joins ? { ...prepared, at: now } : { key, version, at: now, ...asked };
  guard.passwordVersion = version;
  endEverything(store, guard);
  store.saveGuard(guard);
  return { kind: "prepared", key, version };
}

/** What a change that was made has left to be done. */
export interface Committed {
  /** The session that goes on, for its caller to write anew. */
  continues?: Session | undefined;
  /** Passkeys that other accounts may have from now on. */
  credentialIds: string[];
}

/** Third step: the directory holds the change. */
export function commitChange(store: AccountStore, guard: Guard, key: string): Committed {
  const { prepared } = guard.life;
  if (prepared?.key !== key) return { credentialIds: [] };
  const credentialIds = finish(store, guard, prepared);
  store.saveGuard(guard);
  return { credentialIds, continues: prepared.change.kind === "password" ? prepared.change.continues : undefined };
}

/** The directory has refused the change and stays as it was. */
export function abandonChange(store: AccountStore, guard: Guard, key: string): void {
  const { prepared } = guard.life;
  if (prepared?.key !== key) return;
  rollBack(store, guard, prepared);
  store.saveGuard(guard);
}

/** Another change is half way, or its request has died in the middle: then it lapses. */
function underWay({ at }: PreparedChange, now: number): Refusal {
  const lapsesInMs = at + PREPARED_CHANGE_TTL_MS - now;
  return { refused: "change_under_way", retryAfterSeconds: Math.max(1, Math.ceil(lapsesInMs / 1000)) };
}

/** The directory was read long after the change was prepared, and does not hold it: it never will. */
function hasLapsed({ version, at }: PreparedChange, verdict: Verdict): boolean {
  return verdict.passwordVersion === version - 1 && verdict.readAfter >= at + PREPARED_CHANGE_TTL_MS;
}

function rollBack(store: AccountStore, guard: Guard, prepared: PreparedChange): void {
  const { version } = prepared;
  recordChange(store, "abandoned", prepared);
  delete guard.life.prepared;
  guard.passwordVersion = version - 1;
}

/**
 * What a change leaves behind. Links that were bound to the login before it are dead, whichever change it was. Answers
 * which passkeys are free now.
 */
function finish(store: AccountStore, guard: Guard, prepared: PreparedChange): string[] {
  const { change, askedAt, at } = prepared;
  recordChange(store, "made", prepared);
  const { prepared: _p, reset: _r, emailChange: _e, recoveryRequest: _q, ...life } = guard.life;
  guard.life = life;
  // Whoever came in between the steps came in by what was, or by what will be shown again.
  endEverything(store, guard);
  if (change.kind === "password") afterPassword(guard, change, askedAt);
  if (change.kind === "email") return openUndo(store, guard, change.undoId, at);
  if (change.kind === "freeze") afterFreeze(store, guard, change.since, askedAt);
  if (change.kind === "deletion") guard.life.deletion = { id: change.id, deletesAt: change.deletesAt };
  if (change.kind === "deletion_cancel") delete guard.life.deletion;
  if (change.kind !== "email_undo") return [];
  const credentialIds = undoEmailChange(store, guard);
  guard.life = whatStays(guard.life);
  return credentialIds;
}

/** Nobody who knew the old password knows the new one. */
function afterPassword(guard: Guard, { continues }: Change & { kind: "password" }, askedAt: number): void {
  guard.streaks = structuredClone(NO_STREAKS);
  if (!continues) guard.life.settledAt = askedAt;
}

/** Its own link is used up with those of all earlier notices. */
function afterFreeze(store: AccountStore, guard: Guard, since: number, askedAt: number): void {
  const { recovery: _r, deletion: _d, ...life } = guard.life;
  guard.life = { ...life, settledAt: Math.max(askedAt, since) + 1 };
  distrustWhatCameSince(store, guard, since);
}

/** Without what somebody else may have set going: the owner takes the account back. */
function whatStays({ undo: _u, recovery: _r, deletion: _d, ...life }: Life): Life {
  return life;
}
