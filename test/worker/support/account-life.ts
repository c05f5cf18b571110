import { env } from "cloudflare:workers";
import { expect } from "vitest";
import { type User, usersOf } from "../../../src/directory/users.ts";
import { readMailbox } from "../../../src/mail/mailbox.ts";
import { sealLink } from "../../../src/tokens/one-time-link.ts";
import {
  type Answer,
  answer,
  type Call,
  call,
  type GuardedPerson,
  logIn,
  type Person,
  ring,
} from "../../support/in-worker.ts";
import { guardOf } from "./account.ts";
import { DAY, pass, SECOND } from "./moved-clock.ts";

/** A password that the service accepts and that no account has to begin with. */
export const NEW_PASSWORD = "quite another passphrase 7";

/** The pages that mailed links lead to. */
export type Page =
  | "verify-email"
  | "reset-password"
  | "undo-email"
  | "freeze"
  | "confirm-recovery"
  | "cancel-recovery"
  | "finish-recovery"
  | "cancel-deletion";

/** The tokens of the links to a page that a mailbox holds, the newest first. */
export function linksTo(email: string, page: Page): string[] {
  const link = new RegExp(`^http://localhost/${page}#token=([A-Za-z0-9._~-]+)$`, "m");
  return readMailbox(email).flatMap(({ text }) => link.exec(text)?.[1] ?? []);
}

/** The newest of them. */
export function linkTo(email: string, page: Page): string {
  const [token] = linksTo(email, page);
  if (token === undefined) throw new Error(`no link to ${page} was mailed to ${email}`);
  return token;
}

/** The subjects of the mails to an address, the newest first. */
export const subjectsTo = (email: string) => readMailbox(email).map(({ subject }) => subject);

/** An answer without what differs from request to request. */
export const shown = ({ status, text, body }: Answer) =>
  `${status} ${text.replace(String(body.request_id ?? "-"), "-")}`;

/** What the directory holds of an account. */
export const userOf = ({ id }: Person): Promise<User | undefined> => usersOf(env.DB).findById(id);

/** Whether both stores agree, with no change half way; the version they are at. */
export async function settledVersion(person: Person): Promise<number> {
  const [user, { passwordVersion, life }] = await Promise.all([userOf(person), guardOf(person)]);
  expect(life.prepared).toBeUndefined();
  expect(user?.passwordVersion).toBe(passwordVersion);
  return passwordVersion;
}

/** The app of somebody who has one shows a new code. */
export function nextCode(person: GuardedPerson): string {
  pass(30 * SECOND);
  return person.codeNow();
}

/** The answer to a complete sign-in a moment ago, with the app where there is one. */
export async function signInNow(person: Person | GuardedPerson, options: Call = {}): Promise<Answer> {
  const first = await logIn(person, options);
  if (first.body.status !== "challenge") return first;
  return answer(first.body.challenge_token, nextCode(person as GuardedPerson), options);
}

/** An access token that may do everything. */
export async function freshBearer(person: Person | GuardedPerson): Promise<string> {
  const { body, text } = await signInNow(person);
  if (typeof body.access_token !== "string") throw new Error(`no token: ${text}`);
  return body.access_token;
}

export const forgot = ({ email }: Person, options: Call = {}) => call("/auth/password/forgot", { email }, options);

export const reset = (token: unknown, new_password = NEW_PASSWORD, options: Call = {}) =>
  call("/auth/password/reset", { token, new_password }, options);

export const changePassword = (bearer: unknown, current_password: string, options: Call = {}) =>
  call("/auth/password/change", { current_password, new_password: NEW_PASSWORD }, { ...options, bearer });

export const askEmailChange = (bearer: unknown, new_email: string, options: Call = {}) =>
  call("/auth/email/change", { new_email }, { ...options, bearer });

export const verifyEmail = (token: unknown, password: string, options: Call = {}) =>
  call("/auth/email/verify", { token, password }, options);

export const deleteMe = (bearer: unknown, options: Call = {}) =>
  call("/auth/me", undefined, { ...options, bearer, method: "DELETE" });

/** Uses a link that needs nothing but its token. */
export const open =
  (path: string) =>
  (token: unknown, options: Call = {}) =>
    call(path, { token }, options);

export const undoEmail = open("/auth/email/undo");
export const freeze = open("/auth/freeze");
export const confirmRecovery = open("/auth/recovery/confirm");
export const cancelRecovery = open("/auth/recovery/cancel");
export const finishRecovery = open("/auth/recovery/finish");
export const cancelDeletion = open("/auth/deletion/cancel");

/** A link by which somebody resets the password. */
export async function resetLink(person: Person): Promise<string> {
  await forgot(person);
  return linkTo(person.email, "reset-password");
}

/** The link of "this was not me" of a notice that is mailed at this moment. */
export async function noticeOf({ id, email }: Person, at = Date.now()): Promise<string> {
  return sealLink(await ring(), "freeze", { accountId: id, email, at }, at + 3 * DAY);
}

/** The address that somebody moves to. */
export const newAddressOf = ({ email }: Person) => `moved.${email}`;

/** The link that moves somebody to another address. */
export async function moveLink(
  person: Person | GuardedPerson,
  email = newAddressOf(person),
  bearer: Promise<unknown> = freshBearer(person),
): Promise<string> {
  const asked = await askEmailChange(await bearer, email);
  if (asked.status !== 202) throw new Error(`no change: ${asked.text}`);
  return linkTo(email, "verify-email");
}

/** Moves somebody to another address; gives the person there and the link that takes it back. */
export async function move<P extends Person>(
  person: P,
  bearer?: Promise<unknown>,
): Promise<{ there: P; undo: string }> {
  const moved = await verifyEmail(await moveLink(person, undefined, bearer), person.password);
  if (moved.status !== 200) throw new Error(`not moved: ${moved.text}`);
  return { there: { ...person, email: newAddressOf(person) }, undo: linkTo(person.email, "undo-email") };
}

/** Changes the password; gives the person with the new one, and the answer with the session that goes on. */
export async function withNewPassword<P extends Person>(person: P): Promise<{ person: P; session: Answer["body"] }> {
  const { status, body, text } = await changePassword(await freshBearer(person), person.password);
  if (status !== 200) throw new Error(`not changed: ${text}`);
  return { person: { ...person, password: NEW_PASSWORD }, session: body };
}

export const startRecovery = ({ email, password }: Person, options: Call = {}) =>
  call("/auth/recovery/start", { email, password }, options);

/** The link that starts the wait of a recovery. */
export async function recoveryLink(person: Person): Promise<string> {
  await startRecovery(person);
  return linkTo(person.email, "confirm-recovery");
}

/** Starts the wait; answers the link that calls it off. */
export async function waitForRecovery(person: Person): Promise<string> {
  const started = await confirmRecovery(await recoveryLink(person));
  if (started.status !== 200) throw new Error(`not started: ${started.text}`);
  return linkTo(person.email, "cancel-recovery");
}

/** Asks that the account be deleted; answers the link that keeps it. */
export async function deletionLink(person: Person | GuardedPerson): Promise<string> {
  const closed = await deleteMe(await freshBearer(person));
  if (closed.status !== 202) throw new Error(`not scheduled: ${closed.text}`);
  return linkTo(person.email, "cancel-deletion");
}
