import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import {
  type Answer,
  type Call,
  expectProblem,
  issuer,
  type Json,
  type Mail,
  mailsTo,
  newPerson,
  type Person,
  post,
  registered,
  send,
  type sessionOf,
  signedIn,
  text,
  verifiedPerson,
} from "./client.ts";
import { type PasskeyPerson, signInByPasskey } from "./passkey-client.ts";
import { expectEnded } from "./recovery-client.ts";

/** What a mailed link is for: the path it opens. */
export type Purpose =
  | "verify-email"
  | "reset-password"
  | "undo-email"
  | "freeze"
  | "confirm-recovery"
  | "cancel-recovery"
  | "finish-recovery"
  | "cancel-deletion"
  | "accept-invitation";

/** Passwords that the service accepts and no helper gives to anybody, each different from the others. */
export const otherPasswords = Array.from({ length: 20 }, (_, i) => `three gates of which number ${i} is mine`);
export const otherPassword = "a wholly different way to come in";

/** The account of a person whose password has become `password`. */
export const withPassword = <P extends Person>(person: P, password = otherPassword): P => ({ ...person, password });

/** The account of a person whose address has become `email`. */
export const withEmail = <P extends Person>(person: P, email: string): P => ({ ...person, email });

/** An address that no account has. */
export const freeAddress = (): string => newPerson().email;

const linkOf = (purpose: Purpose) => new RegExp(`${issuer.replaceAll(".", "\\.")}/${purpose}#token=([A-Za-z0-9._~-]+)`);

/** The token of the link that a mail carries for a purpose. */
export const linkIn = (mail: Mail, purpose: Purpose): string | undefined => linkOf(purpose).exec(mail.text)?.[1];

/** The mails to an address that have a property, newest first (waits five seconds for `least` of them). */
export async function mailsWith(email: string, has: (mail: Mail) => boolean, least = 1): Promise<Mail[]> {
  for (let tries = 1; ; tries++) {
    const mails = (await mailsTo(email, 0)).filter(has);
    if (mails.length >= least || tries === 250) return mails;
    await sleep(20);
  }
}

/** The tokens of the links of one purpose mailed to an address, newest first (waits like `mailsWith`). */
export async function linkTokens(email: string, purpose: Purpose, least = 1): Promise<string[]> {
  const link = linkOf(purpose);
  const mails = await mailsWith(email, (mail) => link.test(mail.text), least);
  return mails.flatMap((mail) => link.exec(mail.text)?.[1] ?? []);
}

/** The token of the link that `act` brings to an address; what `act` asks for must not be refused. */
export async function linkCausedBy(email: string, purpose: Purpose, act: () => Promise<Answer>): Promise<string> {
  const before = await linkTokens(email, purpose, 0);
  const answer = await act();
  expect(answer.status, answer.text).toBeLessThan(300);
  const tokens = await linkTokens(email, purpose, before.length + 1);
  if (tokens[0] === undefined || tokens.length === before.length) throw new Error(`no ${purpose} link was mailed`);
  return tokens[0];
}

/** By now a mail that was to be sent has been sent: one that was asked for later has arrived. */
export async function mailsHaveLeft(): Promise<void> {
  await registered(newPerson());
  await sleep(100);
}

/** Asserts a whole answer: these members and no others, and no cookie, so nothing in it opens anything. */
export function expectPlain(answer: Answer, body: Json, status = 200): void {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.body).toEqual(body);
  expect(answer.headers.getSetCookie().filter((line) => !/max-age=0/i.test(line))).toEqual([]);
}

/** Asserts the one answer to every link that is no good. */
export const expectDeadLink = (answer: Answer): void => expectProblem(answer, 400, "invalid_link");

/** `POST /auth/password/forgot`. */
export const forgot = (email: unknown, call?: Call): Promise<Answer> => post("/auth/password/forgot", { email }, call);

/** `POST /auth/password/reset`. */
export const reset = (token: unknown, newPassword: unknown = otherPassword, call?: Call): Promise<Answer> =>
  post("/auth/password/reset", { token, new_password: newPassword }, call);

/** The token of a new reset link. */
export const resetLink = ({ email }: Person): Promise<string> =>
  linkCausedBy(email, "reset-password", () => forgot(email));

/** The challenge token that a new reset link gives to somebody with a factor. */
export const resetChallenge = async (person: Person, newPassword: string = otherPassword): Promise<string> =>
  text(await reset(await resetLink(person), newPassword), "challenge_token");

/** Gives an account without a factor a new password by mail. */
export async function resetByMail<P extends Person>(person: P): Promise<P> {
  expectPlain(await reset(await resetLink(person)), { status: "password_reset" });
  return withPassword(person);
}

/** `POST /auth/password/change`, from the password of the person. */
export const changePassword = (
  access: string,
  person: Person,
  newPassword: string = otherPassword,
  call: Call = {},
): Promise<Answer> =>
  post(
    "/auth/password/change",
    { current_password: person.password, new_password: newPassword },
    { source: person.source, ...call, bearer: access },
  );

/** `POST /auth/email/change`. */
export const changeEmail = (access: string, newEmail: unknown): Promise<Answer> =>
  post("/auth/email/change", { new_email: newEmail }, { bearer: access });

/** `POST /auth/email/verify`. */
export const verifyEmail = (token: unknown, password: unknown): Promise<Answer> =>
  post("/auth/email/verify", { token, password });

/** The token that a change of email brings to the new address. */
export const changeLink = (access: string, newEmail: string): Promise<string> =>
  linkCausedBy(newEmail, "verify-email", () => changeEmail(access, newEmail));

/** Moves an account to an address; gives it there, and the token of the link that takes the change back. */
export async function moved<P extends Person>(
  person: P,
  access: string,
  newEmail = freeAddress(),
): Promise<{ there: P; undo: string }> {
  const token = await changeLink(access, newEmail);
  const undo = await linkCausedBy(person.email, "undo-email", () => verifyEmail(token, person.password));
  return { there: withEmail(person, newEmail), undo };
}

/** `POST /auth/email/undo`. */
export const undoEmail = (token: unknown): Promise<Answer> => post("/auth/email/undo", { token });

/** `POST /auth/freeze`. */
export const freeze = (token: unknown): Promise<Answer> => post("/auth/freeze", { token });

/** The token of a freeze link, from the notice of a change of password; the account's other sessions have ended. */
export const freezeLink = (person: Person, access: string): Promise<string> =>
  linkCausedBy(person.email, "freeze", () => changePassword(access, person));

/** `POST /auth/recovery/start`, from the person's own address. */
export const startRecovery = (person: Person, call: Call = {}): Promise<Answer> =>
  post("/auth/recovery/start", { email: person.email, password: person.password }, { source: person.source, ...call });

/** `POST /auth/recovery/confirm`. */
export const confirmRecovery = (token: unknown): Promise<Answer> => post("/auth/recovery/confirm", { token });

/** `POST /auth/recovery/cancel` with a token. */
export const cancelRecovery = (token: unknown): Promise<Answer> => post("/auth/recovery/cancel", { token });

/** The token of the mail that a right password brings to somebody who says that the factors are lost. */
export const recoveryLink = (person: Person): Promise<string> =>
  linkCausedBy(person.email, "confirm-recovery", () => startRecovery(person));

/** Starts the waiting time; gives the token that cancels it, and its end. */
export async function waitingForRecovery(person: Person): Promise<{ cancel: string; finishAfter: string }> {
  const token = await recoveryLink(person);
  let finishAfter = "";
  const cancel = await linkCausedBy(person.email, "cancel-recovery", async () => {
    const answer = await confirmRecovery(token);
    finishAfter = text(answer, "finish_after");
    return answer;
  });
  return { cancel, finishAfter };
}

/** `DELETE /auth/me`. */
export const deleteAccount = (access: string): Promise<Answer> =>
  send("DELETE", "/auth/me", undefined, { bearer: access });

/** `POST /auth/deletion/cancel`. */
export const cancelDeletion = (token: unknown): Promise<Answer> => post("/auth/deletion/cancel", { token });

/** Has an account deleted; gives the token that takes it back. */
export const deletionLink = (person: Person, access: string): Promise<string> =>
  linkCausedBy(person.email, "cancel-deletion", () => deleteAccount(access));

/** An access token of somebody without a factor that may do everything. */
export const freshAccess = async (person: Person): Promise<string> => (await signedIn(person)).access;

/** An access token by passkey alone that may do everything; it uses up no code. */
export const freshByPasskey = async (person: PasskeyPerson): Promise<string> =>
  text(await signInByPasskey(person.passkey), "access_token");

/** Asserts that every session given has ended, at both of its tokens. */
export async function expectAllEnded(...sessions: Parameters<typeof expectEnded>[0][]): Promise<void> {
  for (const session of sessions) await expectEnded(session);
}

/** Somebody without a factor, and a session. */
export async function plainPerson(): Promise<Person & { session: ReturnType<typeof sessionOf> }> {
  const person = await verifiedPerson();
  return { ...person, session: await signedIn(person) };
}
