import { DurableObject } from "cloudflare:workers";
import { RESERVATION_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Subject } from "./subjects.ts";
import { WindowStore } from "./window-store.ts";
import { forgettableAt, waitMs, withFailure } from "./windows.ts";

/** How a reserved try ended. `released`: it was never judged, because something else refused it first. */
export type Outcome = "right" | "wrong" | "released";

const REFUSED = {
  source: "source_throttled",
  network: "network_throttled",
  pair: "pair_throttled",
  mails_from_source: "source_throttled",
  mails_from_network: "network_throttled",
  mails_to_address: "pair_throttled",
} as const;

/**
 * One shard of the gates: counts failures by subject. A try is reserved before any hash runs and settled after it. Open
 * reservations live in memory and may be lost; failures are rows, so a good sign-in writes nothing.
 */
export class GateObject extends DurableObject<Env> {
  #open = new Map<string, Map<string, number>>();
  #windows = new WindowStore(this.ctx.storage.sql);

  /** Takes a try for all subjects or for none. Refused: how long the one that must wait longest has to. */
  reserve(subjects: Subject[]): { reservation: string } | Refusal {
    const now = Date.now();
    const waits = subjects.map(({ kind, key }) => ({
      kind,
      wait: waitMs(kind, this.#windows.read(key), this.#openCount(key, now), now),
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
    if (outcome === "wrong") this.#count(subjects, Date.now());
    if (outcome !== "right") return;
    for (const { kind, key } of subjects) if (kind === "pair") this.#windows.forget(key);
  }

  /**
   * Counts something that has no try of its own, if it may happen: a mail, or a malformed body. False, and nothing is
   * written, when one of the subjects is at its limit; so one client alone never uses up what its surroundings have.
   */
  spend(subjects: Subject[]): boolean {
    const now = Date.now();
    const mayHappen = subjects.every(({ kind, key }) => waitMs(kind, this.#windows.read(key), 0, now) === 0);
    if (mayHappen) this.#count(subjects, now);
    return mayHappen;
  }

  /** Answers, which is all that readiness asks of a shard. */
  ping(): true {
    return true;
  }

  #count(subjects: Subject[], now: number): void {
    for (const { kind, key } of subjects) {
      const window = withFailure(kind, this.#windows.read(key), now);
      this.#windows.write(key, window, forgettableAt(kind, window));
    }
    this.#windows.sweep(now);
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
}
