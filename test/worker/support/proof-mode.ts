import { PROOF_MODE_FAILURES } from "../../../src/policy.ts";
import { answer, call, challengeOf, logIn, type Person } from "../../support/in-worker.ts";

/** Gives wrong codes to these challenges in turn. */
export async function spend(challenges: unknown[], count: number, wrongCode = "000000"): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const { body, text } = await answer(challenges[i % challenges.length], wrongCode);
    if (body.code !== "invalid_code") throw new Error(`not a wrong code: ${text}`);
  }
}

/** Ten wrong codes in a row, from browsers that nobody knows. */
export async function enterProofMode(person: Person): Promise<void> {
  await spend([await challengeOf(person), await challengeOf(person)], PROOF_MODE_FAILURES);
}

/** Whether a right password from a browser that nobody knows is asked to prove the mailbox. */
export async function isProofMode(person: Person): Promise<boolean> {
  const { status, body } = await logIn(person);
  if (body.status === "challenge") return false;
  if (status !== 403 || body.code !== "proof_required") throw new Error(`neither: ${JSON.stringify(body)}`);
  return true;
}

/** Asks for a proof, and reads the newest one in the mailbox. */
export async function mailedProof(person: Person): Promise<string> {
  await call("/auth/proof", { email: person.email });
  return newestProof(person);
}

/** The newest proof in a mailbox, whoever asked for it. */
export async function newestProof({ email }: Person): Promise<string> {
  const { body } = await call(`/dev/mailbox?to=${encodeURIComponent(email)}`);
  const mails = body.messages as { text: string }[];
  const tokens = mails.map(({ text }) => /\/proof#token=([A-Za-z0-9._~-]+)/.exec(text)?.[1]);
  const newest = tokens.find((token) => token !== undefined);
  if (newest === undefined) throw new Error("no proof has been mailed");
  return newest;
}
