import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { publishedKeys } from "../../../src/sdk/key-set.ts";
import { KeysUnavailable } from "../../../src/sdk/refused.ts";
import { JWKS_TIMEOUT_MS, SHARED_WAIT_MS, SHARED_WAITS } from "../../../src/token-policy.ts";
import { FakeIssuer, jwksAnswer, newJwk } from "../support/fake-issuer.ts";
import { ISSUER } from "../support/forged-tokens.ts";

const first = await newJwk("first");
/** Waiting for others, and then a fetch of one's own. */
const LONGEST_MS = SHARED_WAITS * SHARED_WAIT_MS + JWKS_TIMEOUT_MS;
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
  ])("%s keeps nobody waiting for long, and is asked once a second at most", async (_, answer) => {
    const issuer = new FakeIssuer(answer);
    const keys = publishedKeys(ISSUER, { fetch: issuer.fetch, now: issuer.now });
    const waiting = Promise.allSettled(Array.from({ length: 20 }, () => keys.keyFor("first")));
    await vi.advanceTimersByTimeAsync(LONGEST_MS);
    const outcomes = await waiting;
    expect(outcomes.every((one) => one.status === "rejected" && one.reason instanceof KeysUnavailable)).toBe(true);
    expect(issuer.asked.length).toBeLessThanOrEqual(1 + SHARED_WAITS);
    expect(issuer.asked.every(({ init }) => init.signal?.aborted)).toBe(true);
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

  it("is asked by whoever is still there, when the one who asked first has been dropped", async () => {
    const issuer = new FakeIssuer(never);
    const keys = publishedKeys(ISSUER, { fetch: issuer.fetch, now: issuer.now });
    // A request that is dropped takes its timers with it: nothing of it goes on, and nothing says so.
    void keys.keyFor("first");
    vi.clearAllTimers();
    issuer.answer = jwksAnswer([first]);
    const waiting = Promise.all(Array.from({ length: 20 }, () => keys.keyFor("first")));
    await vi.advanceTimersByTimeAsync(SHARED_WAIT_MS);
    expect((await waiting).every((key) => key !== undefined)).toBe(true);
    expect(issuer.asked).toHaveLength(2);
  });

  it("is silent towards who is still there: keys that it gave before go on all the same", async () => {
    const issuer = new FakeIssuer(jwksAnswer([first]));
    const keys = publishedKeys(ISSUER, { fetch: issuer.fetch, now: issuer.now });
    await keys.keyFor("first");
    issuer.pass(300);
    issuer.answer = never;
    void keys.keyFor("first");
    vi.clearAllTimers();
    const waiting = keys.keyFor("first");
    await vi.advanceTimersByTimeAsync(LONGEST_MS);
    expect(await waiting).toBeDefined();
  });

  it("does not make an unknown id worth more than one fetch, whoever hangs up on it", async () => {
    const issuer = new FakeIssuer(jwksAnswer([first]));
    const keys = publishedKeys(ISSUER, { fetch: issuer.fetch, now: issuer.now });
    await keys.keyFor("first");
    issuer.pass(30);
    issuer.answer = never;
    void keys.keyFor("unknown");
    vi.clearAllTimers();
    for (let tries = 0; tries < 10; tries += 1) {
      const unknown = keys.keyFor("unknown");
      await vi.advanceTimersByTimeAsync(SHARED_WAIT_MS);
      expect(await unknown).toBeUndefined();
      issuer.pass(2);
    }
    expect(issuer.asked).toHaveLength(2);
  });

  it("does not bring back a key when an answer that was asked for earlier comes later", async () => {
    const second = await newJwk("second");
    const issuer = new FakeIssuer(never);
    const keys = publishedKeys(ISSUER, { fetch: issuer.fetch, now: issuer.now });
    let answerLate = (_: Response) => {};
    issuer.answer = () =>
      new Promise<Response>((resolve) => {
        answerLate = resolve;
      });
    void keys.keyFor("first");
    issuer.answer = jwksAnswer([second]);
    const waiting = keys.keyFor("second");
    await vi.advanceTimersByTimeAsync(SHARED_WAIT_MS);
    expect(await waiting).toBeDefined();
    answerLate(await jwksAnswer([first])());
    await vi.advanceTimersByTimeAsync(1);
    expect(await keys.keyFor("first")).toBeUndefined();
    expect(await keys.keyFor("second")).toBeDefined();
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
