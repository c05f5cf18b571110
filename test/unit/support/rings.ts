import { type KeyRing, type KeyRingRecord, openKeyRing } from "../../../src/keys/key-ring.ts";
import { createKeyRingRecord } from "../../../src/keys/new-keys.ts";

/** A moment on a whole second: 2026-01-01T00:00:00Z, epoch milliseconds. */
export const NOW = Date.UTC(2026, 0, 1);

/** A ring of fresh random keys. `change` edits its record before it is opened, as an operator's command would. */
export async function newRing(change: (record: KeyRingRecord) => KeyRingRecord = (same) => same): Promise<KeyRing> {
  return openKeyRing(change(await createKeyRingRecord(NOW)), NOW + 300_000);
}

/** Two rings over the same keys, the second one of a later epoch: before and after an emergency drop. */
export async function ringsAcrossEpochs(): Promise<[before: KeyRing, after: KeyRing]> {
  const record = await createKeyRingRecord(NOW);
  const until = NOW + 300_000;
  return [await openKeyRing(record, until), await openKeyRing({ ...record, epoch: record.epoch + 1 }, until)];
}
