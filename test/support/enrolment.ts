import { expect } from "vitest";
import { Authenticator } from "./authenticator.ts";
import {
  type Answer,
  confirm,
  enrol,
  logIn,
  type Person,
  sessionOf,
  type TwoFactorPerson,
  text,
  verifiedPerson,
} from "./client.ts";

/** A pending authenticator app. */
export interface Pending {
  factorId: string;
  authenticator: Authenticator;
}

/** The answer to a right password under enforcement: exactly this, and no cookie. */
export function expectEnrolmentRequired(answer: Answer, methods: readonly string[]): void {
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body).toEqual({
    status: "enrolment_required",
    enrolment_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    expires_in: 600,
    methods,
  });
  expect(answer.headers.getSetCookie()).toEqual([]);
}

/** The enrolment token that a right password gives. */
export const enrolmentToken = async (person: Person): Promise<string> => text(await logIn(person), "enrolment_token");

/** Starts to enrol an authenticator app with an enrolment token, or with an access token. */
export async function pendingApp(token: string): Promise<Pending> {
  const answer = await enrol(token);
  expect(answer.status, answer.text).toBe(201);
  return { factorId: text(answer, "factor_id"), authenticator: new Authenticator(text(answer, "secret")) };
}

/** Confirms it with its next code. */
export const confirmed = async (token: string, { factorId, authenticator }: Pending): Promise<Answer> =>
  confirm(token, factorId, await authenticator.next());

/** Nothing in the answer opens anything. */
export function expectNoTokens(answer: Answer): void {
  for (const member of ["access_token", "refresh_token", "session_id"]) expect(answer.body).not.toHaveProperty(member);
  expect(answer.text).not.toContain('"rt_');
  expect(answer.headers.getSetCookie().filter((line) => !/max-age=0/i.test(line))).toEqual([]);
}

/** The members of a token answer outside a browser, without `status`. */
export const tokenMembers = [
  "access_token",
  "expires_in",
  "refresh_expires_in",
  "refresh_token",
  "session_id",
  "token_type",
];

/** Somebody who enrolled an authenticator app when a second factor was required; one code of it has been used. */
export async function enrolledPerson(): Promise<TwoFactorPerson> {
  const person = await verifiedPerson();
  const token = await enrolmentToken(person);
  const pending = await pendingApp(token);
  return { ...person, ...pending, session: sessionOf(await confirmed(token, pending)) };
}
