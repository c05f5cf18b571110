import { type LinkPayloads, openLink, sealLink } from "../../../src/tokens/one-time-link.ts";
import { type Answer, type Call, newGuardedPerson, newPerson, type Person, ring } from "../../support/in-worker.ts";
import {
  cancelDeletion,
  cancelRecovery,
  confirmRecovery,
  deletionLink,
  finishRecovery,
  freeze,
  linkTo,
  move,
  moveLink,
  recoveryLink,
  reset,
  resetLink,
  undoEmail,
  verifyEmail,
  waitForRecovery,
  withNewPassword,
} from "./account-life.ts";
import { DAY, HOUR, MINUTE, pass } from "./moved-clock.ts";
import { runMinute } from "./operations.ts";

/** What the links of an account are for. Those of a registration, an invitation and a proof name no account. */
export type Purpose = Exclude<keyof LinkPayloads, "register" | "invitation" | "proof">;

/** How a link comes into a mailbox, and what becomes of it. */
export interface Link<P extends Person = Person> {
  path: string;
  /** From the moment it was made. */
  livesMs: number;
  /** What its answer says the first time. */
  status: string;
  person: () => Promise<P>;
  make: (person: P) => Promise<string>;
  use: (token: unknown, options?: Call) => Promise<Answer>;
}

const link = <P extends Person>(one: Link<P>) => one;

/** One of each purpose. */
export const LINKS = {
  reset_password: link({
    path: "/auth/password/reset",
    livesMs: 30 * MINUTE,
    status: "password_reset",
    person: newPerson,
    make: resetLink,
    use: (token, options) => reset(token, undefined, options),
  }),
  change_email: link({
    path: "/auth/email/verify",
    livesMs: DAY,
    status: "verified",
    person: newPerson,
    make: (person) => moveLink(person),
    use: (token, options) => verifyEmail(token, "an ordinary long password", options),
  }),
  undo_email: link({
    path: "/auth/email/undo",
    livesMs: 3 * DAY,
    status: "email_restored",
    person: newPerson,
    make: async (person) => (await move(person)).undo,
    use: undoEmail,
  }),
  freeze: link({
    path: "/auth/freeze",
    livesMs: 3 * DAY,
    status: "frozen",
    person: newPerson,
    make: async (person) => {
      await withNewPassword(person);
      return linkTo(person.email, "freeze");
    },
    use: freeze,
  }),
  recovery_confirm: link({
    path: "/auth/recovery/confirm",
    livesMs: 30 * MINUTE,
    status: "recovery_started",
    person: () => newGuardedPerson(),
    make: recoveryLink,
    use: confirmRecovery,
  }),
  recovery_cancel: link({
    path: "/auth/recovery/cancel",
    livesMs: 4 * DAY,
    status: "recovery_cancelled",
    person: () => newGuardedPerson(),
    make: waitForRecovery,
    use: cancelRecovery,
  }),
  recovery_finish: link({
    path: "/auth/recovery/finish",
    livesMs: DAY,
    status: "factors_removed",
    person: () => newGuardedPerson(),
    make: async (person) => {
      await waitForRecovery(person);
      pass(72 * HOUR);
      await runMinute();
      return linkTo(person.email, "finish-recovery");
    },
    use: finishRecovery,
  }),
  deletion_cancel: link({
    path: "/auth/deletion/cancel",
    livesMs: 3 * DAY,
    status: "deletion_cancelled",
    person: newPerson,
    make: deletionLink,
    use: cancelDeletion,
  }),
} satisfies Record<Purpose, object>;

export const PURPOSES = Object.keys(LINKS) as Purpose[];

/** A link of a purpose in the mailbox of a new person. */
export async function mailed<K extends Purpose>(purpose: K) {
  const { make, person: newOwner, ...rest } = LINKS[purpose] as Link;
  const person = await newOwner();
  return { ...rest, person, token: await make(person) };
}

/** What a link carries, sealed again in another way; it may have expired. */
export async function resealed<K extends Purpose>(
  purpose: K,
  token: string,
  changes: { as?: keyof LinkPayloads; payload?: object; expiresAt?: number },
): Promise<string> {
  const keys = await ring();
  const payload = await openLink(keys, purpose, token, 0);
  if (typeof payload === "string") throw new Error(payload);
  const { as = purpose, expiresAt = Date.now() + DAY } = changes;
  return sealLink(keys, as, { ...payload, ...changes.payload } as never, expiresAt);
}
