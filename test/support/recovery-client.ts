import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeJwt } from "jose";
import { expect } from "vitest";
import { Authenticator } from "./authenticator.ts";
import {
  type Answer,
  answerChallenge,
  type Call,
  challenged,
  confirm,
  enrol,
  expectProblem,
  get,
  type Json,
  type Mail,
  mailsTo,
  type Person,
  post,
  refreshed,
  type Session,
  send,
  sessionOf,
  signedIn,
  type TwoFactorPerson,
  text,
  verifiedPerson,
} from "./client.ts";

/** Crockford's base32: no I, L, O and U. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** An id of the right form that no factor, session or browser has. */
export const nobody = "00000000-0000-4000-8000-000000000000";

/** How a recovery code is shown. */
export const shownForm = /^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){5}$/;

/** A person with an authenticator app and ten recovery codes. `session` is at aal2 and fresh. */
export interface CoveredPerson extends TwoFactorPerson {
  /** Those not handed out yet by `spare`. */
  codes: string[];
  /** The access token from before the factor: of the same session, still at aal1. */
  early: string;
}

/** An authenticator app of an account, and its id. */
export interface AddedFactor {
  authenticator: Authenticator;
  id: string;
}

/** The ten codes of an answer. */
export function codesOf(answer: Answer): string[] {
  const codes = answer.body.recovery_codes;
  if (!Array.isArray(codes)) throw new Error(`expected recovery_codes, got ${answer.status} ${answer.text}`);
  return codes.map(String);
}

/** Somebody with an authenticator app, of which one code has been used, and all ten recovery codes. */
export async function coveredPerson(known: Partial<Person> = {}): Promise<CoveredPerson> {
  const person = await verifiedPerson(known);
  const first = await signedIn(person);
  const enrolment = await enrol(first.access);
  const [authenticator, factorId] = [new Authenticator(text(enrolment, "secret")), text(enrolment, "factor_id")];
  const codes = codesOf(await confirm(first.access, factorId, await authenticator.next()));
  const session = sessionOf(await refreshed(first.refresh));
  return { ...person, authenticator, factorId, session, codes, early: first.access };
}

/** A recovery code of the person that no test has sent yet. */
export function spare(person: CoveredPerson): string {
  const code = person.codes.shift();
  if (code === undefined) throw new Error("all ten recovery codes have been used");
  return code;
}

/** A well-formed recovery code of nobody. */
export function wrongRecoveryCode(): string {
  const group = () => Array.from({ length: 4 }, () => alphabet[randomInt(alphabet.length)]).join("");
  return Array.from({ length: 6 }, group).join("-");
}

/** `POST /auth/2fa/verify` with a recovery code. */
export const recover = (challengeToken: string, code: unknown, call?: Call): Promise<Answer> =>
  post("/auth/2fa/verify", { challenge_token: challengeToken, method: "recovery_code", code }, call);

/** A session opened by the password and a recovery code, from where the person always signs in. */
export const recoverySession = async (person: CoveredPerson): Promise<Session> =>
  sessionOf(await recover(await challenged(person), spare(person), { source: person.source }));

/** Enrols one more authenticator app, and does not confirm it. */
export async function pendingApp(access: string, label?: string): Promise<AddedFactor> {
  const enrolment = await enrol(access, label === undefined ? {} : { label });
  return { authenticator: new Authenticator(text(enrolment, "secret")), id: text(enrolment, "factor_id") };
}

/** Enrols and confirms one more authenticator app with a token that may do so. */
export async function addFactor(access: string, label?: string): Promise<AddedFactor> {
  const factor = await pendingApp(access, label);
  const answer = await confirm(access, factor.id, await factor.authenticator.next());
  expect(answer.status, answer.text).toBe(200);
  return factor;
}

/** `DELETE /auth/2fa/factors/{id}`. */
export const removeFactor = (access: string, id: string): Promise<Answer> =>
  send("DELETE", `/auth/2fa/factors/${id}`, undefined, { bearer: access });

/** `PATCH /auth/2fa/factors/{id}`. */
export const renameFactor = (access: string, id: string, body: unknown): Promise<Answer> =>
  send("PATCH", `/auth/2fa/factors/${id}`, body, { bearer: access });

/** `POST /auth/2fa/recovery-codes`. */
export const regenerate = (access: string, body: unknown = {}): Promise<Answer> =>
  post("/auth/2fa/recovery-codes", body, { bearer: access });

/** `POST /auth/2fa/turn-off`. */
export const turnOff = (access: string, body: unknown = {}): Promise<Answer> =>
  post("/auth/2fa/turn-off", body, { bearer: access });

/** `POST /auth/step-up`. */
export const stepUp = (access: string, body: unknown = {}): Promise<Answer> =>
  post("/auth/step-up", body, { bearer: access });

/** The one access token of a step-up answered with the next code of an app. */
export async function steppedUp(access: string, authenticator: Authenticator): Promise<string> {
  const challenge = text(await stepUp(access), "challenge_token");
  return text(await answerChallenge(challenge, await authenticator.next()), "access_token");
}

/** The one access token of a step-up answered with the password. */
export const steppedUpByPassword = async (access: string, person: Person): Promise<string> =>
  text(await stepUp(access, { password: person.password }), "access_token");

/** `GET /auth/2fa`. */
export async function factorsOf(access: string): Promise<{ factors: Json[]; remaining: unknown }> {
  const answer = await get("/auth/2fa", { bearer: access });
  expect(answer.status, answer.text).toBe(200);
  return { factors: answer.body.factors as Json[], remaining: answer.body.recovery_codes_remaining };
}

/** A moment that the whole seconds of a token can show. */
export const aSecond = (): Promise<void> => sleep(1_100);

/** What a token says about the proof behind it. */
export interface Proof {
  acr: unknown;
  amr: unknown;
  auth_time: unknown;
  factors: Record<string, number>;
}

/** The proof in an access token, read without looking at the signature. */
export function proofIn(access: string): Proof {
  const { acr, amr, auth_time, factors } = decodeJwt(access);
  return { acr, amr, auth_time, factors: factors as Record<string, number> };
}

/** Asserts RFC 9470's refusal with what would satisfy it. */
export function expectInsufficient(answer: Answer, acr = "aal2"): void {
  expectProblem(answer, 401, "insufficient_user_authentication");
  const header = answer.headers.get("www-authenticate") ?? "";
  expect(header).toMatch(/^Bearer /);
  expect(header).toContain('error="insufficient_user_authentication"');
  expect(header).toContain(`acr_values="${acr}"`);
  expect(header).toMatch(/\bmax_age="?300"?(,|$)/);
}

/** "An answer to step_up has no refresh members and sets no cookie." Gives the token. */
export function accessTokenAlone(answer: Answer): string {
  expect(answer.status, answer.text).toBe(200);
  const members = Object.keys(answer.body).filter((member) => member !== "session_id");
  expect(members.sort()).toEqual(["access_token", "expires_in", "status", "token_type"]);
  expect(answer.headers.getSetCookie()).toEqual([]);
  return text(answer, "access_token");
}

/** Asserts that neither token of a session opens anything any more. */
export async function expectEnded(session: Session): Promise<void> {
  expectProblem(await get("/auth/me", { bearer: session.access }), 401, "invalid_token");
  expectProblem(await refreshed(session.refresh), 401, "invalid_refresh_token");
}

/**
 * The mails that arrive because of `act`. `before` is how many the address must have had until then, so that a late one
 * is not taken for an answer to it.
 */
export async function mailsCausedBy(email: string, before: number, act: () => Promise<unknown>): Promise<Mail[]> {
  const known = new Set((await mailsTo(email, before)).map((mail) => mail.id));
  expect(known.size).toBeGreaterThanOrEqual(before);
  await act();
  await mailsTo(email, known.size + 1);
  await sleep(100);
  return (await mailsTo(email)).filter((mail) => !known.has(mail.id));
}
