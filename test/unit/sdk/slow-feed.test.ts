import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KeysUnavailable } from "../../../src/sdk/refused.ts";
import { revokedSessions } from "../../../src/sdk/revoked-sessions.ts";
import { FakeIssuer } from "../support/fake-issuer.ts";
import { feed, ONE_KEY } from "../support/feeds.ts";
import { ISSUER, SECONDS } from "../support/forged-tokens.ts";

const ALIVE = { sid: "alive", iat: SECONDS };
const never = () => new Promise<Response>(() => {});
const now = async () => new Response(await feed());
const later = async () => new Response(await feed({ iat: SECONDS + 35, exp: SECONDS + 155, sids: ["alive"] }));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
});

const watching = (answer: FakeIssuer["answer"]) => {
  const issuer = new FakeIssuer(answer);
  const options = { onFeedLost: "closed", fetch: issuer.fetch, now: issuer.now, keys: ONE_KEY } as const;
  return [issuer, revokedSessions(ISSUER, options)] as const;
};

describe("an issuer that does not come to an end with its list of ended sessions", () => {
  it("keeps nobody waiting for more than five seconds", async () => {
    const [issuer, revoked] = watching(never);
    const waiting = Promise.allSettled(Array.from({ length: 20 }, () => revoked.isRevoked(ALIVE)));
    await vi.advanceTimersByTimeAsync(5000);
    const outcomes = await waiting;
    expect(outcomes.every((one) => one.status === "rejected" && one.reason instanceof KeysUnavailable)).toBe(true);
    expect(issuer.asked).toHaveLength(1);
    expect(issuer.asked[0]?.init.signal?.aborted).toBe(true);
  });

  it("leaves the last word to the list before, and nobody waits again for ten seconds", async () => {
    const [issuer, revoked] = watching(now);
    await revoked.isRevoked(ALIVE);
    issuer.answer = never;
    issuer.pass(30);
    const waiting = revoked.isRevoked(ALIVE);
    await vi.advanceTimersByTimeAsync(5000);
    expect(await waiting).toBe(false);
    issuer.pass(9.999);
    expect(await revoked.isRevoked(ALIVE)).toBe(false);
    expect(issuer.asked).toHaveLength(2);
  });

  it("is asked again by the next who comes after five seconds, where the runtime has dropped who asked", async () => {
    const [issuer, revoked] = watching(now);
    await revoked.isRevoked(ALIVE);
    // A request that is dropped takes its timers with it: nothing of it goes on, and nothing says so.
    issuer.answer = never;
    issuer.pass(30);
    void revoked.isRevoked(ALIVE);
    vi.clearAllTimers();
    issuer.answer = later;
    issuer.pass(5);
    expect(await revoked.isRevoked(ALIVE)).toBe(true);
    expect(issuer.asked).toHaveLength(3);
  });

  it("does not hold up for longer who waits together with one that the runtime has dropped", async () => {
    const [issuer, revoked] = watching(now);
    await revoked.isRevoked(ALIVE);
    issuer.answer = never;
    issuer.pass(30);
    void revoked.isRevoked(ALIVE);
    vi.clearAllTimers();
    issuer.pass(1);
    const waiting = revoked.isRevoked(ALIVE);
    await vi.advanceTimersByTimeAsync(5000);
    expect(await waiting).toBe(false);
    expect(issuer.asked).toHaveLength(2);
  });
});
