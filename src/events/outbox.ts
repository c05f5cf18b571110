import { SHIPMENT_CHARACTERS, SHIPMENT_RETRY_MS, SHIPMENT_TIMEOUT_MS } from "../event-policy.ts";
import { logLine } from "../log.ts";
import type { EventStore } from "./event-store.ts";
import type { SecurityEvent } from "./security-event.ts";

/** Events that wait to be shipped together. `forget` is called once they have arrived. */
export interface Shipment {
  events: SecurityEvent[];
  forget(): void;
}

/**
 * The rows in which an object keeps events that have not been shipped: written in the turn of the decision that they are
 * about, gone when they have arrived. The table is made by the first one.
 */
export class OutboxRows {
  #sql: SqlStorage;
  #exists: boolean;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#exists = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").toArray().length > 0;
  }

  /** Keeps events: one row. */
  keep(events: readonly SecurityEvent[]): void {
    if (!this.#exists) this.#sql.exec("CREATE TABLE outbox (seq INTEGER PRIMARY KEY, events TEXT NOT NULL)");
    this.#exists = true;
    this.#sql.exec("INSERT INTO outbox (events) VALUES (?)", JSON.stringify(events));
  }

  /** The oldest rows, or nothing: as many as travel together, and at least one. */
  next(): Shipment | undefined {
    if (!this.#exists) return undefined;
    const events: SecurityEvent[] = [];
    let [last, size] = [0, 0];
    // Row by row: after a flood and an outage, all of them together would not fit into memory.
    for (const row of this.#sql.exec<{ seq: number; events: string }>("SELECT seq, events FROM outbox ORDER BY seq")) {
      size += row.events.length;
      if (last > 0 && size > SHIPMENT_CHARACTERS) break;
      events.push(...(JSON.parse(row.events) as SecurityEvent[]));
      last = row.seq;
    }
    return last === 0
      ? undefined
      : { events, forget: () => void this.#sql.exec("DELETE FROM outbox WHERE seq <= ?", last) };
  }
}

/** How often shipments have failed in a row. */
export interface FailureStreak {
  read(): number;
  /** `waitMs`: how long nothing is tried now. */
  keep(failures: number, waitMs: number): void;
}

/** An object without work loses its memory after ten seconds: what waits for longer is a row, and nothing else is. */
const FORGOTTEN_AFTER_MS = 10_000;
const STREAK_KEY = "shipments-failed";

/** The streak of an object. Without its row, whoever waits for long would begin with the shortest pause each time. */
export function streakOf(kv: SyncKvStorage): FailureStreak {
  let failures: number | undefined;
  let isStored = false;
  return {
    read() {
      if (failures !== undefined) return failures;
      failures = kv.get<number>(STREAK_KEY) ?? 0;
      isStored = failures > 0;
      return failures;
    },
    keep(count, waitMs) {
      failures = count;
      if (waitMs >= FORGOTTEN_AFTER_MS) kv.put(STREAK_KEY, count);
      else if (isStored) kv.delete(STREAK_KEY);
      isStored = waitMs >= FORGOTTEN_AFTER_MS;
    },
  };
}

/** Ships what an object's outbox holds, one shipment at a time however often it is called. */
export class Shipper {
  #next: () => Shipment | undefined;
  #store: Pick<EventStore, "add">;
  #streak: FailureStreak;
  #running: Promise<unknown> | undefined;

  constructor(next: () => Shipment | undefined, store: Pick<EventStore, "add">, streak: FailureStreak) {
    this.#next = next;
    this.#store = store;
    this.#streak = streak;
  }

  /**
   * Ships until nothing is left. What has arrived is forgotten; a crash in between ships it again, and the store takes
   * each event once. When the store fails: how long to wait before the next try, milliseconds.
   */
  async ship(): Promise<{ retryAfterMs: number } | undefined> {
    // Two at once would take the same rows, and the slower one forget others that have their numbers by then.
    while (this.#running) await this.#running;
    const running = this.#shipAll();
    this.#running = running;
    try {
      return await running;
    } finally {
      this.#running = undefined;
    }
  }

  async #shipAll(): Promise<{ retryAfterMs: number } | undefined> {
    try {
      for (let shipment = this.#next(); shipment; shipment = this.#next()) {
        await inTime(this.#store.add(shipment.events));
        shipment.forget();
        // Of a store that fails now and then it is the failures in a row that say how long to leave it alone.
        if (this.#streak.read() > 0) this.#streak.keep(0, 0);
      }
      return undefined;
    } catch (error) {
      logLine({ level: "error", event: "events_not_shipped", error: String(error) });
      const failures = this.#streak.read();
      const retryAfterMs = Math.min(SHIPMENT_RETRY_MS.first * 2 ** failures, SHIPMENT_RETRY_MS.longest);
      this.#streak.keep(failures + 1, retryAfterMs);
      return { retryAfterMs };
    }
  }
}

async function inTime(arrived: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the event store did not answer in time")), SHIPMENT_TIMEOUT_MS);
  });
  try {
    await Promise.race([arrived, late]);
  } finally {
    clearTimeout(timer);
  }
}
