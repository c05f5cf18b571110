import { evictDurableObject } from "cloudflare:test";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readRefreshToken } from "../../src/tokens/refresh-token.ts";
import { accountOf, call, logIn, newPerson, type Person, refresh, ring } from "../support/in-worker.ts";
import { slowCrypto } from "../support/slow-crypto.ts";
import { MINUTE, pass, SECOND, useMovedClock } from "../worker/support/moved-clock.ts";
import { mailsBy } from "../worker/support/notices.ts";

useMovedClock();

const THEFT = /session of your account .* was ended/;

/** Somebody's session, and its first refresh token. */
async function opened(): Promise<{ person: Person; token: unknown; access: unknown }> {
  const person = await newPerson();
  const { body } = await logIn(person);
  return { person, token: body.refresh_token, access: body.access_token };
}

/** The subjects of the mails that something causes. */
const subjectsOf = async (person: Person, act: () => Promise<unknown>) =>
  (await mailsBy(person, act)).map(({ subject }) => subject);

const isAlive = async (access: unknown) => (await call("/auth/me", undefined, { bearer: access })).status === 200;

describe("twenty refreshes at once", () => {
  it.each([
    ["as the runtime does them", () => () => {}],
    ["while all of Web Crypto gives up its turn", slowCrypto],
  ])("have one successor, %s, and the session goes on", async (_, slowDown) => {
    const { person, token } = await opened();
    await evictDurableObject(accountOf(person));
    const undo = slowDown();
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(token)));
    undo();
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    const successors = new Set(answers.map(({ body }) => body.refresh_token));
    expect(successors.size).toBe(1);
    const [successor] = successors;
    expect(await readRefreshToken(await ring(), String(successor))).toMatchObject({ generation: 2 });
    expect((await refresh(successor)).status).toBe(200);
  });
});

describe.each([
  ["while the object lives", false],
  ["across eviction at every step", true],
])("%s", (_, evicts) => {
  const forget = async (person: Person) => {
    if (evicts) await evictDurableObject(accountOf(person));
  };

  it("a lost answer is healed within the grace, as often as it is lost", async () => {
    const { person, token } = await opened();
    const { body: first } = await refresh(token);
    for (let lost = 0; lost < 3; lost += 1) {
      pass(3 * SECOND);
      await forget(person);
      expect((await refresh(token)).body.refresh_token).toBe(first.refresh_token);
    }
    await forget(person);
    expect((await refresh(first.refresh_token)).status).toBe(200);
  });

  it("a lost answer after the grace ends the session, and nobody is told of theft", async () => {
    const { person, token, access } = await opened();
    await refresh(token);
    await forget(person);
    pass(10 * SECOND);
    expect(await subjectsOf(person, () => refresh(token))).toEqual([]);
    await forget(person);
    expect(await isAlive(access)).toBe(false);
  });

  it.each([
    ["within the grace", SECOND],
    ["after it", MINUTE],
  ])("a thief's replay %s ends the session of both, and its owner is told", async (_, ms) => {
    const { person, token } = await opened();
    const { body: second } = await refresh(token);
    const { body: third } = await refresh(second.refresh_token);
    await forget(person);
    pass(ms);
    expect(await subjectsOf(person, () => refresh(token))).toEqual([expect.stringMatching(THEFT)]);
    await forget(person);
    expect(await isAlive(third.access_token)).toBe(false);
    expect((await refresh(third.refresh_token)).status).toBe(401);
    // Whoever comes too late finds nothing, and the owner is not told again.
    expect(await subjectsOf(person, () => refresh(second.refresh_token))).toEqual([]);
  });

  it("the owner's next refresh is what gives a thief away who was faster", async () => {
    const { person, token } = await opened();
    const { body: thiefs } = await refresh(token);
    await refresh(thiefs.refresh_token);
    pass(MINUTE);
    await forget(person);
    expect(await subjectsOf(person, () => refresh(token))).toEqual([expect.stringMatching(THEFT)]);
  });
});

/** What may happen to a chain of refresh tokens: one that was given out is shown, time passes, memory is lost. */
type Step = { shows: number } | { passes: number } | { evicts: true };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ shows: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ passes: fc.constantFrom(1, 4 * SECOND, 10 * SECOND, MINUTE) }) },
  { weight: 1, arbitrary: fc.constant({ evicts: true as const }) },
);

/** What the specification says of the token that is `behind` the newest one. */
function expected(behind: number, sinceRotation: number): "successor" | "same" | "quiet end" | "theft" {
  if (behind === 0) return "successor";
  if (behind > 1) return "theft";
  return sinceRotation < 10 * SECOND ? "same" : "quiet end";
}

it("keeps to it in any order of tokens, times and evictions", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      const { person, token } = await opened();
      const chain = [token];
      let rotatedAt = Date.now();
      for (const one of steps) {
        if ("passes" in one) pass(one.passes);
        else if ("evicts" in one) {
          await accountOf(person).checkSession("");
          await evictDurableObject(accountOf(person));
        } else {
          const behind = Math.min(one.shows, chain.length - 1);
          const shown = chain[chain.length - 1 - behind];
          const outcome = expected(behind, Date.now() - rotatedAt);
          let answer = { status: 0, body: {} as Record<string, unknown> };
          const told = await subjectsOf(person, async () => {
            answer = await refresh(shown);
          });
          expect(told).toEqual(outcome === "theft" ? [expect.stringMatching(THEFT)] : []);
          expect(answer.status).toBe(outcome === "successor" || outcome === "same" ? 200 : 401);
          if (answer.status === 401) {
            expect((await refresh(chain.at(-1))).status).toBe(401);
            return;
          }
          if (outcome === "same") expect(answer.body.refresh_token).toBe(chain.at(-1));
          else {
            expect(chain).not.toContain(answer.body.refresh_token);
            chain.push(answer.body.refresh_token);
            rotatedAt = Date.now();
          }
        }
      }
    }),
    { numRuns: 40 },
  );
});
