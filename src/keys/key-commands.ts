import type { KeyList } from "./key-list.ts";
import type { KeyRingRecord } from "./key-ring.ts";
import type { KeyRingBindings, KeyRingStore } from "./key-ring-store.ts";
import { changesAt, type KeyRefusal, keysOf, nameOf, purposeOf, type RotationRequest } from "./key-rotation.ts";

/** What came of a command. Moments in epoch milliseconds. */
export type KeyOutcome =
  | ({ kind: "keys" } & KeyList)
  /** The key is in use since `at`. */
  | { kind: "rotated"; key: string; at: number }
  /** The key is published, and comes into use at `at`. */
  | { kind: "waits"; key: string; at: number }
  | { kind: "dropped"; key: string; at: number; epoch: number; signing_key: string }
  | { kind: "rewrapped"; version: number }
  | { refused: KeyRefusal };

/**
 * What operators do to the key ring. Each may be executed twice for one operation (`by`) and then does nothing the second
 * time, but answers the same. `now` in epoch milliseconds.
 */
export interface KeyCommands {
  list(now: number): Promise<KeyOutcome>;
  rotate(purpose: string, by: string, now: number): Promise<KeyOutcome>;
  drop(key: string, by: string, now: number): Promise<KeyOutcome>;
  rewrap(now: number): Promise<KeyOutcome>;
}

/** The commands over one ring. `periodMs`: how long an active key serves. */
export function keyCommandsOf(store: KeyRingStore, bindings: KeyRingBindings, periodMs: number): KeyCommands {
  return {
    list: async (now) => ({ kind: "keys", ...(await store.list(bindings, periodMs, now)) }),
    async rotate(purpose, by, now) {
      const ring = await store.rotate(bindings, { purpose, by }, periodMs, now);
      return typeof ring === "string" ? { refused: ring } : rotation(ring, { purpose, by }, periodMs);
    },
    async drop(key, by, now) {
      const ring = await store.drop(bindings, { key, by }, now);
      return typeof ring === "string" ? { refused: ring } : dropOf(ring, by);
    },
    async rewrap(now) {
      const ring = await store.rewrap(bindings, now);
      return typeof ring === "string" ? { refused: ring } : { kind: "rewrapped", version: ring.version };
    },
  };
}

function rotation(ring: KeyRingRecord, { purpose, by }: RotationRequest, periodMs: number): KeyOutcome {
  const key = keysOf(ring).find((one) => purposeOf(one) === purpose && one.askedBy?.includes(by));
  if (!key) throw new Error("the key ring does not know who asked for its key");
  if (key.state !== "next") return { kind: "rotated", key: nameOf(key), at: key.activeAt ?? key.createdAt };
  return { kind: "waits", key: nameOf(key), at: changesAt(ring, key, periodMs) ?? key.createdAt };
}

function dropOf(ring: KeyRingRecord, by: string): KeyOutcome {
  const drop = ring.drops?.find((one) => one.by === by);
  const signing = ring.signing.find(({ state }) => state === "active");
  if (!drop || !signing) throw new Error("the key ring does not know what was dropped");
  return { kind: "dropped", key: drop.key, at: drop.at, epoch: ring.epoch, signing_key: signing.kid };
}
