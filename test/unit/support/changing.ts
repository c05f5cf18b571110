import type { AccountStore } from "../../../src/account/account-store.ts";
import {
  type Change,
  type Committed,
  commitChange,
  type Prepared,
  type Verdict,
} from "../../../src/account/changes.ts";
import { prepareDeletion, prepareDeletionCancel } from "../../../src/account/deletion.ts";
import { prepareEmailChange, prepareEmailUndo, prepareFreeze } from "../../../src/account/email-changes.ts";
import type { SessionBearer } from "../../../src/account/factor-changes.ts";
import type { Factor } from "../../../src/account/factors.ts";
import type { EmailUndo, Life } from "../../../src/account/life.ts";
import { prepareByOperator } from "../../../src/account/operator-acts.ts";
import { openReset, preparePasswordChange } from "../../../src/account/password-changes.ts";
import { isRefusal, type Refusal } from "../../../src/refusal.ts";
import {
  browser,
  challenge,
  claim,
  NOW,
  passkey,
  pendingFactor,
  session,
  TERMS,
  totpFactor,
  trust,
} from "./account-samples.ts";
import { type StoredAccount, storeWith } from "./memory-store.ts";

export const DAY = 86_400_000;
/** Long before anything in these tests happens. */
const BEFORE = NOW - 10 * DAY;

/** What the directory says of an account at this version, read at or after a moment. */
export function verdict(passwordVersion = 1, readAfter = NOW): Verdict {
  return { passwordVersion, epoch: 1, readAfter };
}

/** The access token of the session `s1`, all of it proven a moment ago. */
export const FRESH: SessionBearer = { sessionId: "s1", acr: "aal2", factors: { pwd: NOW / 1000, otp: NOW / 1000 } };

/** An app and a passkey that have been there for long. */
export const OLD_FACTORS: Factor[] = [totpFactor({ createdAt: BEFORE }), passkey({ createdAt: BEFORE + 1 })];

/** An account in the middle of everything: sessions, what they have begun, a trusted browser, and the factors of old. */
export function busyAccount({ guard = {}, ...account }: StoredAccount = {}): AccountStore {
  return storeWith({
    factors: OLD_FACTORS,
    sessions: [session(), session({ id: "s2" })],
    ...account,
    guard: {
      challenges: [challenge(), challenge({ id: "c2", purpose: "step_up", sessionId: "s1" })],
      enrolments: [{ id: "e1", expiresAt: NOW + DAY, factors: {}, terms: TERMS, passwordVersion: 1, epoch: 1 }],
      registration: { ownerId: "s1", challenge: "AAAA", until: NOW + DAY },
      pots: { s1: 2 },
      browsers: [browser({ trust: trust() })],
      recoveryCodes: { keyId: 1, digests: ["d1", "d2"] },
      accepted: { t1: { step: 10, at: NOW } },
      counters: { p1: { signCount: 7, at: NOW } },
      streaks: { failures: 3, abandoned: 1, byMethod: { totp: 3 } },
      ...guard,
    },
  });
}

/** The directory holds what the account is prepared for: its request comes back. */
export function commitPrepared(store: AccountStore): Committed {
  return commitChange(store, store.guard(), preparedKey(store));
}

/** The name of the change that is half way. */
export function preparedKey(store: AccountStore): string {
  return store.guard().life.prepared?.key ?? "nothing is prepared";
}

/** Whatever was opened or begun, by what it is called. Nothing once everybody is signed out. */
export function whatIsOpen(store: AccountStore): string[] {
  const { challenges, enrolments, registration, pots, browsers } = store.guard();
  return [
    ...store.sessions().map(({ id }) => `session ${id}`),
    ...challenges.map(({ id }) => `challenge ${id}`),
    ...enrolments.map(({ id }) => `enrolment ${id}`),
    ...(registration ? [`registration of ${registration.ownerId}`] : []),
    ...Object.keys(pots).map((id) => `pot of ${id}`),
    ...browsers.filter(({ trust: held }) => held).map(({ id }) => `trust in ${id}`),
  ];
}

/** An undo that is open for three days from `NOW` on. */
export function undoOf(changes: Partial<EmailUndo> = {}): EmailUndo {
  const recoveryCodes = { keyId: 1, digests: ["d1", "d2"] };
  return { id: "undo", factorIds: ["t1", "p1"], expiresAt: NOW + 3 * DAY, removed: [], recoveryCodes, ...changes };
}

const AWAITED = { id: "link", expiresAt: NOW + 1_800_000 };

/** A change as the flows ask for it, and the account it can be asked of. */
export interface Sample {
  account: StoredAccount & { guard: { life: Life } };
  prepare: (store: AccountStore, verdict: Verdict, now: number) => Prepared | Refusal;
  /** Whether the same may be asked for again, as with a link that is used twice. */
  isLink: boolean;
}

const NO_FACTORS = { factors: [], sessions: [session({ factors: { pwd: NOW / 1000 } })] };
const NO_CODES = { keyId: 0, digests: [] };
const changePassword = (store: AccountStore, said: Verdict, now: number) =>
  preparePasswordChange(store, FRESH, { ...said, right: true }, now);
const reset = (store: AccountStore, said: Verdict, now: number): Prepared | Refusal => {
  const request = { linkId: "link", sealedPassword: "sealed", terms: TERMS, claim: claim() };
  const opened = openReset(store, said, request, now);
  if (isRefusal(opened)) return opened;
  if (opened.kind !== "reset_prepared") throw new Error("a factor was asked");
  return { kind: "prepared", key: opened.key, version: opened.version };
};

const byOperator = (kind: "status" | "roles") => (store: AccountStore, said: Verdict, now: number) =>
  prepareByOperator(store, said, kind, { actor: "ada", reason: kind }, now);

/** Every kind of change; the password in both its ways. */
export const SAMPLES: Record<Change["kind"] | "reset", Sample> = {
  reset: {
    account: { ...NO_FACTORS, guard: { recoveryCodes: NO_CODES, life: { reset: AWAITED } } },
    prepare: reset,
    isLink: true,
  },
  password: { account: { guard: { life: {} } }, prepare: changePassword, isLink: false },
  email: {
    account: { guard: { life: { emailChange: AWAITED } } },
    prepare: (store, said, now) => prepareEmailChange(store, said, "link", now),
    isLink: true,
  },
  email_undo: {
    account: { guard: { life: { undo: undoOf() } } },
    prepare: (store, said, now) => prepareEmailUndo(store, said, "undo", now),
    isLink: true,
  },
  freeze: {
    account: { guard: { life: {} } },
    prepare: (store, said, now) => prepareFreeze(store, said, NOW - 1000, now),
    isLink: true,
  },
  status: { account: { guard: { life: {} } }, prepare: byOperator("status"), isLink: false },
  roles: { account: { guard: { life: {} } }, prepare: byOperator("roles"), isLink: false },
  deletion: {
    account: { guard: { life: {} } },
    prepare: (store, said, now) => prepareDeletion(store, FRESH, said, { id: "del", deletesAt: NOW + 3 * DAY }, now),
    isLink: false,
  },
  deletion_cancel: {
    account: { guard: { life: { deletion: { id: "del", deletesAt: NOW + 3 * DAY } } } },
    prepare: (store, said, now) => prepareDeletionCancel(store, said, "del", now),
    isLink: true,
  },
};

/** The account of a sample, and the key under which the change has been prepared at `NOW`. */
export function prepared(kind: keyof typeof SAMPLES): { store: AccountStore; key: string; sample: Sample } {
  const sample = SAMPLES[kind];
  const store = busyAccount({ ...sample.account, guard: sample.account.guard });
  const answer = sample.prepare(store, verdict(), NOW);
  if (isRefusal(answer)) throw new Error(`the sample is not one: ${answer.refused}`);
  return { store, key: answer.key, sample };
}

/** A factor of each kind that somebody added at a moment, with names of its own. */
export const addedAt = (createdAt: number) => ({
  totp: totpFactor({ id: "t2", label: "Stranger's phone", createdAt }),
  passkey: passkey({ id: "p2", label: "Stranger's key", createdAt }, { id: "BAUG" }),
  pending: pendingFactor("s1", { createdAt }),
});
