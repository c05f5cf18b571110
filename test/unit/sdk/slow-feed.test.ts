import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KeysUnavailable } from "../../../src/sdk/refused.ts";
import { revokedSessions } from "../../../src/sdk/revoked-sessions.ts";
import { JWKS_TIMEOUT_MS, SHARED_WAIT_MS, SHARED_WAITS } from "../../../src/token-policy.ts";
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
  it("keeps nobody waiting for long, and is asked once a second at most", async () => {
    const [issuer, revoked] = watching(never);
    const waiting = Promise.allSettled(Array.from({ length: 20 }, () => revoked.isRevoked(ALIVE)));
    await vi.advanceTimersByTimeAsync(SHARED_WAITS * SHARED_WAIT_MS + JWKS_TIMEOUT_MS);
    const outcomes = await waiting;
    expect(outcomes.every((one) => one.status === "rejected" && one.reason instanceof KeysUnavailable)).toBe(true);
    expect(issuer.asked.length).toBeLessThanOrEqual(1 + SHARED_WAITS);
    expect(issuer.asked.every(({ init }) => init.signal?.aborted)).toBe(true);
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

  it("is asked by whoever is still there, where the runtime has dropped who asked, and speaks for both", async () => {
    const [issuer, revoked] = watching(now);
    await revoked.isRevoked(ALIVE);
    // A request that is dropped takes its timers with it: nothing of it goes on, and nothing says so.
    issuer.answer = never;
    issuer.pass(35);
    void revoked.isRevoked(ALIVE);
    vi.clearAllTimers();
    issuer.answer = later;
    const waiting = Promise.all(Array.from({ length: 20 }, () => revoked.isRevoked(ALIVE)));
    await vi.advanceTimersByTimeAsync(SHARED_WAIT_MS);
    expect(await waiting).toEqual(Array(20).fill(true));
    expect(issuer.asked).toHaveLength(3);
  });

  it("gives nobody who hangs up each time more than a second before the others know", async () => {
    const [issuer, revoked] = watching(now);
    await revoked.isRevoked(ALIVE);
    issuer.pass(35);
    issuer.answer = never;
    for (let hangUps = 0; hangUps < 5; hangUps += 1) {
      void revoked.isRevoked(ALIVE);
      vi.clearAllTimers();
    }
    issuer.answer = later;
    const waiting = revoked.isRevoked(ALIVE);
    await vi.advanceTimersByTimeAsync(SHARED_WAIT_MS);
    expect(await waiting).toBe(true);
  });
});
