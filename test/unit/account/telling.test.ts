import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Teller } from "../../../src/account/telling.ts";
import type { EndedSession } from "../../../src/directory/ended-sessions.ts";
import { TELLING_RETRY_WAITS_MS, TELLING_TIMEOUT_MS } from "../../../src/token-policy.ts";
import { NOW, session } from "../support/account-samples.ts";
import { storeWith } from "../support/memory-store.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});
afterEach(() => {
  vi.useRealTimers();
});

const TRIES = TELLING_RETRY_WAITS_MS.length + 1;
const LONGEST_MS = TRIES * TELLING_TIMEOUT_MS + TELLING_RETRY_WAITS_MS.reduce((sum, wait) => sum + wait, 0);

/** An account one of whose sessions has ended, and a directory that does this with what it is told. */
function accountWith(add: (ended: EndedSession[]) => Promise<void>, alarm = () => Promise.resolve()) {
  const store = storeWith({ sessions: [session()] });
  store.deleteSession("s1", store.guard());
  const reminders: number[] = [];
  const remind = async () => {
    reminders.push(Date.now() - NOW);
    await alarm();
  };
  return { store, reminders, teller: new Teller(store, { add }, remind) };
}

describe("a directory that does not answer", () => {
  it("holds nobody up for longer than its tries, and what it did not hear is kept", async () => {
    const { store, reminders, teller } = accountWith(() => new Promise(() => {}));
    const told = teller.tell();
    await vi.advanceTimersByTimeAsync(LONGEST_MS);
    expect(await told).toBe(false);
    expect(store.owed()).toHaveLength(1);
    expect(reminders).toHaveLength(TRIES);
  });

  it("has the account called again from its first failure on, in case that the object is lost meanwhile", async () => {
    const { reminders, teller } = accountWith(() => Promise.reject(new Error("away")));
    void teller.tell();
    await vi.advanceTimersByTimeAsync(1);
    expect(reminders).toEqual([0]);
    await vi.advanceTimersByTimeAsync(LONGEST_MS);
  });

  it("is told again although nobody could be asked to remind the account", async () => {
    const { teller, store } = accountWith(
      () => Promise.reject(new Error("away")),
      () => Promise.reject(new Error("no alarm")),
    );
    for (let calls = 0; calls < 2; calls += 1) {
      const told = teller.tell();
      await vi.advanceTimersByTimeAsync(LONGEST_MS);
      expect(await told).toBe(false);
    }
    expect(store.owed()).toHaveLength(1);
  });

  it("is told again by the next call, and once it has heard nothing is left", async () => {
    let isAway = true;
    const heard: EndedSession[] = [];
    const { store, teller } = accountWith(async (ended) => {
      if (isAway) throw new Error("away");
      heard.push(...ended);
    });
    const first = teller.tell();
    await vi.advanceTimersByTimeAsync(LONGEST_MS);
    expect(await first).toBe(false);
    isAway = false;
    expect(await teller.tell()).toBe(true);
    expect([heard.map(({ sid }) => sid), store.owed()]).toEqual([["s1"], []]);
  });
});
