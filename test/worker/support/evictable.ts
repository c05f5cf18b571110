import { evictDurableObject } from "cloudflare:test";
import { vi } from "vitest";

/** Beyond this a timer is there to keep its object in memory. */
const LONG_MS = 30_000;

/**
 * Evicts an object although it waits for a timer that `work` has set, as the end of its machine would: the timers of
 * `work` that keep an object in memory are not set.
 */
export async function evictAfter(stub: DurableObjectStub, work: () => Promise<unknown>): Promise<void> {
  const set = globalThis.setTimeout;
  const timers = vi.spyOn(globalThis, "setTimeout");
  timers.mockImplementation(((callback: () => void, ms?: number) =>
    (ms ?? 0) > LONG_MS ? 0 : Reflect.apply(set, globalThis, [callback, ms])) as typeof setTimeout);
  try {
    await work();
  } finally {
    timers.mockRestore();
  }
  await evictDurableObject(stub);
}
