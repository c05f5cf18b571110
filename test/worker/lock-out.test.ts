import { expect, it } from "vitest";
import { type Answer, answer, call, challengeOf, logIn, recover, refresh, signIn } from "../support/in-worker.ts";
import { Browser } from "./support/browser.ts";
import { HOUR, MINUTE, pass, useMovedClock } from "./support/moved-clock.ts";
import {
  type ArmedPerson,
  answerByPasskey,
  newArmedPerson,
  sendAssertion,
  signInByPasskey,
} from "./support/passkeys.ts";
import { isProofMode, mailedProof } from "./support/proof-mode.ts";

useMovedClock();

/** Somebody with the right password of another person, 2,000 addresses and no factor. */
class Besieger {
  readonly #victim: ArmedPerson;
  #challenges: unknown[] = [];
  #requests = 0;

  constructor(victim: ArmedPerson) {
    this.#victim = victim;
  }

  /** The next of the 2,000 addresses, each in a network of its own; every one is used before any comes again. */
  #source(): string {
    this.#requests += 1;
    const number = (this.#requests * 7) % 2_000;
    return `172.${16 + (number >> 8)}.${number & 0xff}.1`;
  }

  /** Shows the password, and keeps the challenge if there is one. */
  async #knock(): Promise<Answer> {
    const knocked = await logIn(this.#victim, { source: this.#source() });
    if (knocked.body.status === "challenge") this.#challenges.push(knocked.body.challenge_token);
    return knocked;
  }

  /** A wrong answer of every kind in turn, to every challenge there is. */
  async #guess(round: number): Promise<Answer> {
    const { key, wrongCode } = this.#victim;
    const challenge = this.#challenges.at(-1 - (round % 3));
    const from = { source: this.#source() };
    if (round % 3 === 0) return answer(challenge, wrongCode(), from);
    if (round % 3 === 1) return recover(challenge, "0".repeat(24), from);
    return sendAssertion(challenge, await key.assert({ challenge: "A".repeat(43) }), from);
  }

  /** Leaves a challenge open. */
  async abandon(): Promise<void> {
    await this.#knock();
  }

  /** Everything there is against somebody who is about to sign in. */
  async storm(): Promise<void> {
    for (let i = 0; i < 3; i += 1) await this.#knock();
    for (let i = 0; i < 15; i += 1) expect((await this.#guess(i)).status).toBeGreaterThanOrEqual(400);
    const { email } = this.#victim;
    for (let i = 0; i < 4; i += 1) await call("/auth/proof", { email }, { source: this.#source() });
    await logIn({ ...this.#victim, password: "not the right password" }, { source: this.#source() });
    expect((await this.#knock()).body.code).toBe("proof_required");
  }
}

it("nobody with the password, 2,000 addresses and a day keeps the owner out", { timeout: 120_000 }, async () => {
  const [owner, browser] = [await newArmedPerson(), new Browser()];
  await signIn(owner, 0, { browser });
  let session = (await signInByPasskey(owner.key)).body;
  const besieger = new Besieger(owner);
  const proven = async () => challengeOf(owner, { proof: await mailedProof(owner) });
  const known = () => challengeOf(owner, { browser });
  const code = () => owner.recoveryCodes.pop();
  const ways: Record<string, () => Promise<Answer>> = {
    "a recognised browser and a code": async () => answer(await known(), owner.codeNow()),
    "a passkey alone": () => signInByPasskey(owner.key),
    "a mailed proof and a code": async () => answer(await proven(), owner.codeNow()),
    "a mailed proof and a recovery code": async () => recover(await proven(), code()),
    "a mailed proof and a passkey": async () => answerByPasskey(await proven(), owner.key),
    "a recognised browser and a recovery code": async () => recover(await known(), code()),
    "a recognised browser and a passkey": async () => answerByPasskey(await known(), owner.key),
    "a code after one was mistyped": async () => {
      const challenge = await known();
      await answer(challenge, owner.wrongCode());
      return answer(challenge, owner.codeNow());
    },
  };
  for (const [way, enter] of Object.entries(ways)) {
    for (let hour = 0; hour < 3; hour += 1) {
      await besieger.abandon();
      pass(HOUR - MINUTE);
    }
    await besieger.storm();
    expect(await isProofMode(owner), way).toBe(true);
    // Whoever is signed in already stays so.
    session = (await refresh(session.refresh_token)).body;
    const asked = await call("/auth/step-up", {}, { bearer: session.access_token });
    expect((await answerByPasskey(asked.body.challenge_token, owner.key)).status, way).toBe(200);
    const entered = await enter();
    expect(entered.body.status, `${way}: ${entered.text}`).toBe("authenticated");
  }
  pass(HOUR);
  await besieger.storm();
  const asked = await refresh(session.refresh_token);
  expect(asked.body.status).toBe("challenge");
  expect((await answerByPasskey(asked.body.challenge_token, owner.key)).body.status).toBe("authenticated");
});
