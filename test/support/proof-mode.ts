import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import {
  type Answer,
  answerChallenge,
  type Call,
  expectProblem,
  issuer,
  type Json,
  logIn,
  mailsTo,
  newSource,
  type Person,
  post,
  type TwoFactorPerson,
  text,
} from "./client.ts";

/** `POST /auth/proof`. */
export const askForProof = (email: string, call?: Call): Promise<Answer> => post("/auth/proof", { email }, call);

/** The tokens of the proof links mailed to an address, newest first (waits five seconds for `least` of them). */
export async function proofTokens(email: string, least = 1): Promise<string[]> {
  const link = new RegExp(`${issuer.replaceAll(".", "\\.")}/proof#token=([A-Za-z0-9._~-]+)`);
  for (let tries = 1; ; tries++) {
    const tokens = (await mailsTo(email, 0)).flatMap((mail) => link.exec(mail.text)?.[1] ?? []);
    if (tokens.length >= least || tries === 250) return tokens;
    await sleep(20);
  }
}

/** Asks for a proof and gives the token of the mail that this brings. */
export async function mailedProof(person: Person): Promise<string> {
  const before = await proofTokens(person.email, 0);
  const answer = await askForProof(person.email);
  expect(answer.status, answer.text).toBe(202);
  const tokens = await proofTokens(person.email, before.length + 1);
  if (tokens[0] === undefined || tokens.length === before.length) throw new Error("no proof was mailed");
  return tokens[0];
}

/** A sign-in from an address and a browser that nobody knows. */
export const fromElsewhere = (person: Person, more: Json = {}): Promise<Answer> =>
  logIn(person, more, { source: newSource() });

/** The same with a mailed proof. */
export const withProof = (person: Person, token: unknown): Promise<Answer> =>
  fromElsewhere(person, { proof: { kind: "mail_link", token } });

/** The challenge token that a right password from elsewhere gives. */
export const challengedElsewhere = async (person: Person): Promise<string> =>
  text(await fromElsewhere(person), "challenge_token");

/** The account's answer to a right password in proof mode. */
export function expectProofRequired(answer: Answer): void {
  expectProblem(answer, 403, "proof_required");
  expect(Object.keys(answer.body).sort()).toEqual(["code", "methods", "request_id", "status", "title", "type"]);
  expect(answer.body.methods).toEqual(["mail_link"]);
  expect(answer.headers.getSetCookie()).toEqual([]);
}

/** Opens challenges from elsewhere and answers none, until the account asks for proof. Gives those challenges. */
export async function abandonChallenges(person: Person): Promise<string[]> {
  const opened: string[] = [];
  while (opened.length < 12) {
    const answer = await fromElsewhere(person);
    if (answer.status !== 200) {
      expectProofRequired(answer);
      return opened;
    }
    opened.push(text(answer, "challenge_token"));
  }
  throw new Error("twelve challenges were opened and not answered, and no proof is asked for");
}

/**
 * Answers challenges from elsewhere with ten wrong codes, which spends the budget of unrecognised browsers. Gives the
 * last challenge, which has attempts left.
 */
export async function spendCodes(person: TwoFactorPerson): Promise<string> {
  const [first, second, third] = [
    await challengedElsewhere(person),
    await challengedElsewhere(person),
    await challengedElsewhere(person),
  ];
  for (const challenge of [first, first, first, first, second, second, second, second, third, third]) {
    expectProblem(await answerChallenge(challenge, person.authenticator.wrong()), 401, "invalid_code");
  }
  return third;
}
