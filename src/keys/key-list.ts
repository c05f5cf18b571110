import { type KeyPurpose, PURPOSE_RULES } from "./key-purposes.ts";
import type { KeyRingRecord, KeyState } from "./key-ring.ts";
import { changesAt, type KeyRecord, keysOf, nameOf, purposeOf } from "./key-rotation.ts";

/** What may be said of a key: its name and its life, never what it is. Epoch milliseconds. */
export interface ListedKey {
  key: string;
  purpose: KeyPurpose;
  state: KeyState;
  since: number;
  /** When it moves on to the next state by itself; `null`: it does not. */
  changes_at: number | null;
  /** An operator wants it to come into use as soon as it may. */
  asked_for?: true;
}

/** What may be said of the ring. */
export interface KeyList {
  version: number;
  epoch: number;
  /** Epoch milliseconds of the last emergency drop, 0 when there was none. */
  not_before: number;
  /** Which of the secrets in ROOT_SECRET seals it. */
  sealed_by: "first" | "other";
  root_secrets: number;
  keys: ListedKey[];
}

const PURPOSES = Object.keys(PURPOSE_RULES);
const STATES: KeyState[] = ["active", "next", "retired"];

/** Lists the keys of a record by purpose and state. `periodMs`: how long an active key serves. */
export function listKeys(record: KeyRingRecord, periodMs: number): Omit<KeyList, "sealed_by" | "root_secrets"> {
  const rank = (key: KeyRecord) => PURPOSES.indexOf(purposeOf(key)) * STATES.length + STATES.indexOf(key.state);
  const keys = keysOf(record).toSorted((one, other) => rank(one) - rank(other));
  return {
    version: record.version,
    epoch: record.epoch,
    not_before: record.notBefore ?? 0,
    keys: keys.map((key) => listed(record, key, periodMs)),
  };
}

function listed(record: KeyRingRecord, key: KeyRecord, periodMs: number): ListedKey {
  const since = { next: undefined, active: key.activeAt, retired: key.retiredAt }[key.state] ?? key.createdAt;
  return {
    key: nameOf(key),
    purpose: purposeOf(key),
    state: key.state,
    since,
    changes_at: changesAt(record, key, periodMs) ?? null,
    ...(key.state === "next" && key.askedBy ? { asked_for: true } : {}),
  };
}
