import { DurableObject } from "cloudflare:workers";
import { GATE_SWEEP_MS, RESERVATION_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Subject } from "./subjects.ts";
import { type FailureWindow, forgettableAt, waitMs, withFailure } from "./windows.ts";

/** How a reserved try ended. `released`: it was never judged, because something else refused it first. */
export type Outcome = "right" | "wrong" | "released";

const REFUSED = { source: "source_throttled", network: "network_throttled", pair: "pair_throttled" } as const;

/**
 * One shard of the gates: counts failures by subject. A try is reserved before any hash runs and settled after it. Open
 * reservations live in memory and may be lost; failures are rows, so a good sign-in writes nothing.
 */
export class GateObject extends DurableObject<Env> {
  #open = new Map<string, Map<string, number>>();
  #sweptAt = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS windows (key TEXT PRIMARY KEY, state TEXT NOT NULL, forgettable_at INTEGER NOT NULL) WITHOUT ROWID",
    );
  }

  /** Takes a try for all subjects or for none. Refused: how long the one that must wait longest has to. */
  reserve(subjects: Subject[]): { reservation: string } | Refusal {
    const now = Date.now();
    const waits = subjects.map(({ kind, key }) => ({
      kind,
      wait: waitMs(kind, this.#window(key), this.#openCount(key, now), now),
    }));
    const longest = waits.reduce((a, b) => (b.wait > a.wait ? b : a));
    if (longest.wait > 0) return { refused: REFUSED[longest.kind], retryAfterSeconds: Math.ceil(longest.wait / 1000) };
    const reservation = crypto.randomUUID();
    for (const { key } of subjects) this.#openOf(key).set(reservation, now);
    return { reservation };
  }

  /**
   * Ends a try. Wrong writes the failure, right forgets the failures of its own email key and source and nobody
   * else's. A reservation that was lost is settled all the same.
   */
  settle(reservation: string, subjects: Subject[], outcome: Outcome): void {
    for (const { key } of subjects) this.#close(key, reservation);
    if (outcome === "wrong") this.fail(subjects);
    if (outcome !== "right") return;
    for (const { kind, key } of subjects) if (kind === "pair") this.#forget(key);
  }

  /** Counts a failure that had no try reserved for it, such as a malformed body. */
  fail(subjects: Subject[]): void {
    const now = Date.now();
    for (const { kind, key } of subjects) {
      const window = withFailure(kind, this.#window(key), now);
      this.ctx.storage.sql.exec(
        "INSERT INTO windows VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET state = ?2, forgettable_at = ?3",
        key,
        JSON.stringify(window),
        forgettableAt(kind, window),
      );
    }
    this.#sweep(now);
  }

  /** Answers, which is all that readiness asks of a shard. */
  ping(): true {
    return true;
  }

  #window(key: string): FailureWindow {
    const [row] = this.ctx.storage.sql
      .exec<{ state: string }>("SELECT state FROM windows WHERE key = ?", key)
      .toArray();
    return row ? (JSON.parse(row.state) as FailureWindow) : { failures: [], inARow: 0 };
  }

  #forget(key: string): void {
    this.ctx.storage.sql.exec("DELETE FROM windows WHERE key = ?", key);
  }

  #openOf(key: string): Map<string, number> {
    const open = this.#open.get(key) ?? new Map<string, number>();
    this.#open.set(key, open);
    return open;
  }

  #openCount(key: string, now: number): number {
    const open = this.#open.get(key);
    if (!open) return 0;
    for (const [reservation, at] of open) if (now >= at + RESERVATION_TTL_MS) open.delete(reservation);
    if (open.size === 0) this.#open.delete(key);
    return open.size;
  }

  #close(key: string, reservation: string): void {
    const open = this.#open.get(key);
    open?.delete(reservation);
    if (open?.size === 0) this.#open.delete(key);
  }

  #sweep(now: number): void {
    if (now < this.#sweptAt + GATE_SWEEP_MS) return;
    this.#sweptAt = now;
    this.ctx.storage.sql.exec("DELETE FROM windows WHERE forgettable_at <= ?", now);
  }
}
