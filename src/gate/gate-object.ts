import { DurableObject } from "cloudflare:workers";
import { RESERVATION_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Subject } from "./subjects.ts";
import { WindowStore } from "./window-store.ts";
import {
  type FailureWindow,
  forgettableAt,
  isUsedUp,
  type SubjectKind,
  usedUpProof,
  waitMs,
  withFailure,
} from "./windows.ts";

/** How a reserved try ended. `released`: it was never judged, because something else refused it first. */
export type Outcome = "right" | "wrong" | "released";

const REFUSED = {
  source: "source_throttled",
  network: "network_throttled",
  assertions_from_source: "source_throttled",
  assertions_from_network: "network_throttled",
  pair: "pair_throttled",
  mails_from_source: "source_throttled",
  mails_from_network: "network_throttled",
  mails_to_address: "pair_throttled",
  proofs_to_address: "pair_throttled",
} as const;

/**
 * One shard of the gates: counts failures by subject. A try is reserved before any hash runs and settled after it. Open
 * reservations live in memory and may be lost; failures are rows, so a good sign-in writes nothing. Only a mailed proof
 * is a row from the start: its few attempts are all there will ever be, so none of them may be forgotten.
 */
export class GateObject extends DurableObject<Env> {
  #open = new Map<string, Map<string, number>>();
  #windows = new WindowStore(this.ctx.storage.sql);

  /** Takes a try for all subjects or for none. Refused: how long the one that must wait longest has to. */
  reserve(subjects: Subject[]): { reservation: string } | Refusal {
    const now = Date.now();
    const waits = subjects.filter(mayRefuse).map(({ kind, key }) => ({
      kind,
      wait: waitMs(kind, this.#windows.read(key), this.#openCount(key, now), now),
    }));
    const [longest] = waits.filter(({ wait }) => wait > 0).sort((a, b) => b.wait - a.wait);
    if (longest) return refusalOf(longest.kind, longest.wait);
    const reservation = crypto.randomUUID();
    for (const { key } of subjects.filter(isSettled)) this.#openOf(key).set(reservation, now);
    this.#count(subjects.filter(isSpent), now);
    return { reservation };
  }

  /**
   * Ends a try. Wrong writes the failure, right forgets the failures of its own email key and source and nobody
   * else's. A reservation that was lost is settled all the same; a proof's attempt stays spent. A right try uses its
   * proof up, and is refused when another one already has: whoever brings a proof waits for this answer.
   */
  settle(reservation: string, subjects: Subject[], outcome: Outcome): Refusal | undefined {
    const now = Date.now();
    for (const { key } of subjects) this.#close(key, reservation);
    if (outcome === "wrong") this.#count(subjects.filter(isSettled), now);
    if (outcome !== "right") return undefined;
    const proof = subjects.find(isSpent);
    if (proof && isUsedUp(this.#windows.read(proof.key))) return { refused: "proof_used" };
    if (proof) this.#write(proof.kind, proof.key, usedUpProof(now), now);
    this.forgive(subjects);
    return undefined;
  }

  /** Forgets the failures of an address from one client. Those of the client itself stay. */
  forgive(subjects: Subject[]): void {
    for (const { kind, key } of subjects) if (kind === "pair") this.#windows.forget(key);
  }

  /**
   * Counts something that has no try of its own, if it may happen: a mail, or a malformed body. False, and nothing is
   * written, when one of the subjects is at its limit; so one client alone never uses up what its surroundings have.
   */
  spend(subjects: Subject[]): boolean {
    const now = Date.now();
    const mayHappen = subjects
      .filter(mayRefuse)
      .every(({ kind, key }) => waitMs(kind, this.#windows.read(key), 0, now) === 0);
    if (mayHappen) this.#count(subjects, now);
    return mayHappen;
  }

  /** Answers, which is all that readiness asks of a shard. */
  ping(): true {
    return true;
  }

  #count(subjects: Subject[], now: number): void {
    for (const { kind, key } of subjects) this.#write(kind, key, withFailure(kind, this.#windows.read(key), now), now);
  }

  #write(kind: SubjectKind, key: string, window: FailureWindow, now: number): void {
    this.#windows.write(key, window, forgettableAt(kind, window));
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

function refusalOf(kind: SubjectKind, wait: number): Refusal {
  if (kind === "proof") return { refused: "proof_used" };
  return { refused: REFUSED[kind], retryAfterSeconds: Math.ceil(wait / 1000) };
}

function mayRefuse({ onlyCounted }: Subject): boolean {
  return !onlyCounted;
}

/** Spent by the reservation itself, before anything is judged. */
function isSpent({ kind }: Subject): boolean {
  return kind === "proof";
}

/** Open until it is settled, and a failure only then. */
function isSettled(subject: Subject): boolean {
  return !isSpent(subject);
}
