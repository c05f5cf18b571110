import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { publishedKeys } from "../../../src/sdk/key-set.ts";
import { KeysUnavailable } from "../../../src/sdk/refused.ts";
import { FakeIssuer, jwksAnswer, newJwk } from "../support/fake-issuer.ts";
import { ISSUER } from "../support/forged-tokens.ts";

const first = await newJwk("first");
const never = () => new Promise<Response>(() => {});
/** An answer whose first byte comes, and no other. */
const stuck = () => new Response(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode("{")) }));
/** What `fetch` of the platforms does. */
const listening = ({ signal }: RequestInit) =>
  new Promise<Response>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe("an issuer that is slow", () => {
  it.each([
    ["and never answers", never],
    ["and stops in the middle", stuck],
    ["and is given up", listening],
  ])("%s keeps nobody waiting for more than five seconds", async (_, answer) => {
    const issuer = new FakeIssuer(answer);
    const keys = publishedKeys(ISSUER, { fetch: issuer.fetch, now: issuer.now });
    const waiting = Promise.allSettled(Array.from({ length: 20 }, () => keys.keyFor("first")));
    await vi.advanceTimersByTimeAsync(5000);
    const outcomes = await waiting;
    expect(outcomes.every((one) => one.status === "rejected" && one.reason instanceof KeysUnavailable)).toBe(true);
    expect(issuer.asked).toHaveLength(1);
    expect(issuer.asked[0]?.init.signal?.aborted).toBe(true);
  });

  it.each([
    ["never answers", never],
    ["stops in the middle", stuck],
    ["is given up", listening],
  ])("and %s is silent: keys that it gave before go on", async (_, answer) => {
    const issuer = new FakeIssuer(jwksAnswer([first]));
    const keys = publishedKeys(ISSUER, { fetch: issuer.fetch, now: issuer.now });
    await keys.keyFor("first");
    issuer.answer = answer;
    issuer.pass(300);
    const key = keys.keyFor("first");
    await vi.advanceTimersByTimeAsync(5000);
    expect(await key).toBeDefined();
    // And nobody else waits until it is time to ask again.
    issuer.pass(5);
    expect(await keys.keyFor("first")).toBeDefined();
    expect(issuer.asked).toHaveLength(2);
  });

  it("does not keep known keys from anybody while an unknown one is looked for", async () => {
    const issuer = new FakeIssuer(jwksAnswer([first]));
    const keys = publishedKeys(ISSUER, { fetch: issuer.fetch, now: issuer.now });
    await keys.keyFor("first");
    issuer.pass(30);
    issuer.answer = never;
    const unknown = keys.keyFor("unknown");
    expect(await keys.keyFor("first")).toBeDefined();
    await vi.advanceTimersByTimeAsync(5000);
    expect(await unknown).toBeUndefined();
  });
});
