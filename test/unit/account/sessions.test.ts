import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  hasSecret,
  isAlive,
  judgeGeneration,
  needsReproof,
  replaceSecret,
  rotateSession,
  type Session,
} from "../../../src/account/sessions.ts";
import { NOW, SECRET, session, TERMS } from "../support/account-samples.ts";

const DAY = 86_400_000;
const FLOOR = { passwordVersion: 1, epoch: 1 };

describe("what a presented generation means", () => {
  // RFC 9700 §4.14.2, with ten seconds of grace for an answer that was lost on its way.
  it.each([
    ["the current one", 5, 0, "current"],
    ["the current one, a week later", 5, 7 * DAY, "current"],
    ["the one before, at once", 4, 0, "retry"],
    ["the one before, in the last moment of the grace", 4, 9_999, "retry"],
    ["the one before, after the grace", 4, 10_000, "lost"],
    ["the one before, a day later", 4, DAY, "lost"],
    ["an older one, at once", 3, 0, "reused"],
    ["an older one, a day later", 3, DAY, "reused"],
    ["the first one", 1, 0, "reused"],
    ["a later one than was ever given out", 6, 0, "from_the_future"],
    ["a much later one", 2 ** 32 - 1, 0, "from_the_future"],
  ] as const)("%s", (_, presented, later, meaning) => {
    expect(judgeGeneration(session({ generation: 5, rotatedAt: NOW }), presented, NOW + later)).toBe(meaning);
  });

  it("is a retry, and no more, when the clock has gone back since the rotation", () => {
    const rotated = session({ generation: 5, rotatedAt: NOW });
    expect(judgeGeneration(rotated, 4, NOW - 60_000)).toBe("retry");
    expect(judgeGeneration(rotated, 3, NOW - 60_000)).toBe("reused");
  });

  it("never gives one generation two successors, nor lets one back in after its successor was used", () => {
    const attempts = fc.array(fc.tuple(fc.nat({ max: 30 }), fc.nat({ max: 15_000 })), { maxLength: 40 });
    fc.assert(
      fc.property(attempts, (steps) => {
        const successors = new Map<number, number>();
        let current = session();
        let newestUsed = 0;
        let now = NOW;
        for (const [back, later] of steps) {
          now += later;
          // Mostly near the current generation, where the rules meet.
          const presented = Math.max(1, current.generation + 1 - (back % 4));
          const meaning = judgeGeneration(current, presented, now);
          if (meaning !== "current" && meaning !== "retry") continue;
          expect(presented).toBeGreaterThanOrEqual(newestUsed);
          if (meaning === "current") current = rotateSession(current, now);
          expect(successors.get(presented) ?? current.generation).toBe(current.generation);
          successors.set(presented, current.generation);
          newestUsed = Math.max(newestUsed, presented);
        }
        expect(new Set(successors.values()).size).toBe(successors.size);
      }),
    );
  });
});

describe("a use", () => {
  it("moves the generation by one and the idle time along", () => {
    const used = rotateSession(session(), NOW + 1000);
    expect(used).toEqual({
      ...session(),
      generation: 2,
      rotatedAt: NOW + 1000,
      lastUsedAt: NOW + 1000,
      idleExpiresAt: NOW + 1000 + DAY,
    });
  });

  it("never moves the absolute end, and idle time stops there", () => {
    const uses = fc.array(fc.integer({ min: 0, max: DAY - 1 }), { maxLength: 60 });
    fc.assert(
      fc.property(uses, (gaps) => {
        let current = session();
        let now = NOW;
        for (const gap of gaps) {
          now += gap;
          if (!isAlive(current, FLOOR, now)) break;
          current = rotateSession(current, now);
          expect(current.absoluteExpiresAt).toBe(NOW + 14 * DAY);
          expect(current.idleExpiresAt).toBeLessThanOrEqual(current.absoluteExpiresAt);
        }
        expect(isAlive(current, FLOOR, NOW + 14 * DAY)).toBe(false);
      }),
    );
  });

  it("proves nothing anew", () => {
    expect(rotateSession(session(), NOW + DAY / 2).factors).toEqual(session().factors);
  });
});

describe("a session", () => {
  it.each([
    ["at its start", session(), NOW, true],
    ["in its last idle moment", session(), NOW + DAY - 1, true],
    ["when its idle time is over", session(), NOW + DAY, false],
    ["in its very last moment", inUse(), NOW + 14 * DAY - 1, true],
    ["at its absolute end", inUse(), NOW + 14 * DAY, false],
  ])("%s", (_, current, now, alive) => {
    expect(isAlive(current, FLOOR, now)).toBe(alive);
  });

  it.each([
    ["an older password", { passwordVersion: 2, epoch: 1 }, false],
    ["an older epoch", { passwordVersion: 1, epoch: 2 }, false],
    ["the very floor", { passwordVersion: 1, epoch: 1 }, true],
    ["more than the floor", { passwordVersion: 0, epoch: 0 }, true],
  ])("of %s", (_, floor, alive) => {
    expect(isAlive(session(), floor, NOW)).toBe(alive);
  });

  it("whose terms are longer idle than absolute ends at the absolute end", () => {
    const terms = { ...TERMS, idleMs: 30 * DAY };
    expect(rotateSession(session({ terms }), NOW).idleExpiresAt).toBe(NOW + 14 * DAY);
  });

  it("keeps a digest of its secret and knows it by that", () => {
    expect(JSON.stringify(session())).not.toContain(Buffer.from(SECRET).toString("hex"));
    expect(session().secretDigest).toMatch(/^[0-9a-f]{64}$/);
    expect(hasSecret(session(), SECRET)).toBe(true);
    expect(hasSecret(session(), SECRET.toReversed())).toBe(false);
    expect(hasSecret(session(), new Uint8Array())).toBe(false);
  });

  it("with a new secret no longer knows the old one", () => {
    const replaced = replaceSecret(session(), SECRET.toReversed());
    expect(hasSecret(replaced, SECRET)).toBe(false);
    expect(hasSecret(replaced, SECRET.toReversed())).toBe(true);
  });

  it("proves nothing anew when it is used, so its second factor grows old all the same", () => {
    expect(needsReproof(rotateSession(session(), NOW + DAY), DAY, NOW + DAY + 1)).toBe(true);
  });
});

describe("the periodic re-proof", () => {
  const at = NOW / 1000;
  const old = at - 10 * 86_400;

  it.each([
    ["a code", { pwd: at, otp: at }],
    ["a passkey", { pwd: at, swk: at }],
    ["a security key", { pwd: at, hwk: at }],
    ["a passkey alone", { swk: at, uv: at }],
    ["a recovery code", { pwd: at, recovery_code: at }],
    ["the newest of several factors", { pwd: old, otp: at, swk: old, hwk: old, uv: old }],
  ])("is due a day after %s, and not a millisecond before", (_, factors) => {
    expect(needsReproof(session({ factors }), DAY, NOW + DAY)).toBe(false);
    expect(needsReproof(session({ factors }), DAY, NOW + DAY + 1)).toBe(true);
  });

  it("is not put off by a newer password, nor by when the user was verified", () => {
    expect(needsReproof(session({ factors: { pwd: at, otp: old } }), DAY, NOW)).toBe(true);
    expect(needsReproof(session({ factors: { pwd: at, swk: old, uv: at } }), DAY, NOW)).toBe(true);
  });

  it("is never due where there was no second factor", () => {
    expect(needsReproof(session({ factors: { pwd: at } }), DAY, NOW + 10 * DAY)).toBe(false);
  });

  it("is due as often as the operator says, whatever the session's own lifetimes", () => {
    expect(needsReproof(session(), DAY / 2, NOW + DAY / 2)).toBe(false);
    expect(needsReproof(session(), DAY / 2, NOW + DAY / 2 + 1)).toBe(true);
  });
});

/** A session that was used every half day until its end. */
function inUse(): Session {
  let current = session();
  for (let now = NOW; now < NOW + 14 * DAY; now += DAY / 2) current = rotateSession(current, now);
  return current;
}
