import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import { type Answer, call, newPerson, newSource, ring } from "../support/in-worker.ts";
import { useMovedClock } from "./support/moved-clock.ts";
import { answerBotChecks, knock, THROTTLE_STATES, type ThrottleState } from "./support/throttle-states.ts";

// The clock stands still, so that waits are the same to the second.
useMovedClock();
beforeEach(answerBotChecks);
afterEach(() => vi.restoreAllMocks());

const WRONG = "not the right password";

/** Every byte of an answer but the id of its request. */
function bytesOf({ status, headers, text }: Answer): string {
  const id = headers.get("X-Request-Id") ?? "none";
  return JSON.stringify([status, [...headers], text]).replaceAll(id, "<request id>");
}

/** Brings the gates to a state for an address, knocks, and gives the answer with the work that it was. */
async function tried(state: ThrottleState, email: string, password: string) {
  const source = newSource();
  await state.enter(email, source);
  const pepper = (await ring()).active("pepper").key;
  const counted = countingBindings();
  const sign = vi.spyOn(crypto.subtle, "sign");
  const answer = await knock(state, email, password, source, { bindings: counted.bindings });
  // Every hash ends with the pepper, so its uses count the hashes.
  const hashes = sign.mock.calls.filter(([, key]) => key === pepper).length;
  sign.mockRestore();
  return { answer, hashes, storage: counted.names().sort(), sequential: counted.sequential() };
}

describe.each(THROTTLE_STATES.map((state) => [state.name, state] as const))("who knocks while %s", (_, state) => {
  it("hears the same bytes for the same work, whether the address has an account or not", async () => {
    await call("/.well-known/jwks.json");
    const unknown = await tried(state, `nobody.${crypto.randomUUID()}@example.com`, WRONG);
    const known = await tried(state, (await newPerson()).email, WRONG);
    expect({ status: known.answer.status, code: known.answer.body.code, hashes: known.hashes }).toEqual({
      status: state.status,
      code: state.code,
      hashes: state.hashes,
    });
    expect(bytesOf(unknown.answer)).toBe(bytesOf(known.answer));
    const work = ({ hashes, storage, sequential }: typeof known) => ({ hashes, storage, sequential });
    expect(work(unknown)).toEqual(work(known));
  });

  it.runIf(state.hashes === 0)("and does not hear whether the password was right", async () => {
    const { email, password } = await newPerson();
    const right = await tried(state, email, password);
    const wrong = await tried(state, (await newPerson()).email, WRONG);
    expect(bytesOf(right.answer)).toBe(bytesOf(wrong.answer));
    expect([right.hashes, wrong.hashes]).toEqual([0, 0]);
  });
});
