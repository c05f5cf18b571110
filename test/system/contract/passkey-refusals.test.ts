import { beforeAll, describe, expect, it } from "vitest";
import { type Answer, challenged, distinguishable } from "../../support/client.ts";
import {
  answerWithPasskey,
  credentialOf,
  type PasskeyPerson,
  passkeyPerson,
  request,
  secondFactorOptions,
  securityKey,
  signInByPasskey,
  usernamelessOptions,
  verifyPasskey,
} from "../../support/passkey-client.ts";
import { flagged, type Mutate, mutations } from "../../support/passkey-mutations.ts";
import type { RequestOptions } from "../../support/software-authenticator.ts";

/** What a refusal looks like, the count of attempts left out: it says how many there were, not why. */
const looks = (answer: Answer) => {
  const text = answer.text.replace(/"attempts_remaining":\d+/, '"attempts_remaining":0');
  const headers = [...answer.headers].filter(([name]) => name !== "content-length");
  return distinguishable({ ...answer, text, headers: new Headers(headers) });
};
const summary = ({ status, body }: Answer) => `${status} ${body.code}`;

let other: PasskeyPerson;
beforeAll(async () => {
  other = await passkeyPerson();
});

async function mutated(mutate: Mutate, options: RequestOptions, person: PasskeyPerson) {
  const { edits = {}, change } = mutate(options, credentialOf(person.passkey), credentialOf(other.passkey));
  const answer = await person.passkey.assert(options, edits);
  return change?.(answer) ?? answer;
}

const inGroups = <T>(all: T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(size * i, size * (i + 1)));

/** The names of those that were not refused as all should be. */
const unlike = (answers: [string, Answer][]) => {
  const [, first] = answers[0] ?? [];
  const differing = answers.filter(
    ([, answer]) =>
      summary(answer) !== "401 invalid_code" || JSON.stringify(looks(answer)) !== JSON.stringify(first && looks(first)),
  );
  return differing.map(([name, answer]) => `${name}: ${summary(answer)}`);
};

describe("an assertion with one thing wrong", () => {
  it("is refused without a user name, always in the same words", async () => {
    const person = await passkeyPerson();
    const answers: [string, Answer][] = [];
    const handleless: Mutate = () => ({ edits: { userHandle: null } });
    const more = { "no user handle": handleless, "a user not verified": flagged({ uv: false }) };
    for (const [name, mutate] of Object.entries({ ...mutations, ...more })) {
      const response = await mutated(mutate, request(await usernamelessOptions()), person);
      answers.push([name, await verifyPasskey(response)]);
    }
    expect(unlike(answers)).toEqual([]);
    for (const [, answer] of answers) expect(answer.body).not.toHaveProperty("attempts_remaining");
    for (const { passkey } of [person, other]) {
      expect((await signInByPasskey(passkey)).body.status).toBe("authenticated");
    }
  });

  it("is refused as a second factor, always in the same words, and each costs one attempt", async () => {
    const stranger: Mutate = (_, __, others) => ({ edits: { credential: others } });
    const handleless: Mutate = (_, __, others) => ({ edits: { credential: others, userHandle: null } });
    const more = { "somebody else's answer": stranger, "the same without a user handle": handleless };
    const all = Object.entries({ ...mutations, ...more });
    const groups = inGroups(all, 16);
    const answers = await Promise.all(groups.map(refusedFourAtATime));
    expect(unlike(answers.flat())).toEqual([]);
  });

  /** Four a challenge, then the right answer: nothing but the mutation was wrong. */
  async function refusedFourAtATime(group: [string, Mutate][]): Promise<[string, Answer][]> {
    const person = await passkeyPerson();
    const answers: [string, Answer][] = [];
    for (const four of inGroups(group, 4)) {
      const challenge = await challenged(person);
      for (const [i, [name, mutate]] of four.entries()) {
        const response = await mutated(mutate, request(await secondFactorOptions(challenge)), person);
        const answer = await answerWithPasskey(challenge, response);
        expect({ name, ...answer.body }).toHaveProperty("attempts_remaining");
        expect(answer.body.attempts_remaining, name).toBeLessThanOrEqual(4 - i);
        answers.push([name, answer]);
      }
      const right = await person.passkey.assert(request(await secondFactorOptions(challenge)));
      expect((await answerWithPasskey(challenge, right)).body.status).toBe("authenticated");
    }
    return answers;
  }
});

describe("an assertion of a hardware key", () => {
  it("is refused when the key says that it may be backed up after all", async () => {
    const person = await passkeyPerson(securityKey());
    const answers: [string, Answer][] = [];
    for (const flags of [{ be: true }, { be: true, bs: true }, { bs: true }]) {
      answers.push([JSON.stringify(flags), await signInByPasskey(person.passkey, { flags })]);
    }
    expect(unlike(answers)).toEqual([]);
    expect((await signInByPasskey(person.passkey)).body.status).toBe("authenticated");
  });
});
