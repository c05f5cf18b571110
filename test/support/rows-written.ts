import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";

/**
 * Counts the rows that all objects of this isolate write while `work` runs: `exec` is wrapped where every SQL storage
 * inherits it.
 */
export async function rowsWritten(work: () => Promise<unknown>): Promise<number> {
  const prototype = await runInDurableObject(
    env.GATES.getByName("rows"),
    (_, state) => Object.getPrototypeOf(state.storage.sql) as SqlStorage,
  );
  const original = prototype.exec;
  let rows = 0;
  prototype.exec = function exec(this: SqlStorage, ...parameters: Parameters<SqlStorage["exec"]>) {
    const cursor = Reflect.apply(original, this, parameters) as SqlStorageCursor<Record<string, SqlStorageValue>>;
    rows += cursor.rowsWritten;
    return cursor;
  } as SqlStorage["exec"];
  try {
    await work();
  } finally {
    prototype.exec = original;
  }
  return rows;
}

/** Counts the alarms that all objects of this isolate set while `work` runs: each is a row more, which no cursor tells of. */
export async function alarmsSet(work: () => Promise<unknown>): Promise<number> {
  const prototype = await runInDurableObject(
    env.GATES.getByName("rows"),
    (_, state) => Object.getPrototypeOf(state.storage) as DurableObjectStorage,
  );
  const original = prototype.setAlarm;
  let alarms = 0;
  prototype.setAlarm = function setAlarm(this: DurableObjectStorage, ...parameters) {
    alarms += 1;
    return Reflect.apply(original, this, parameters) as Promise<void>;
  };
  try {
    await work();
  } finally {
    prototype.setAlarm = original;
  }
  return alarms;
}
