import { DurableObject } from "cloudflare:workers";
import { NOTABLE_EVENT_DELAY_MS } from "../event-policy.ts";
import { EarliestAlarm } from "../events/earliest-alarm.ts";
import { eventStoreOf } from "../events/event-store.ts";
import { OutboxRows, Shipper, streakOf } from "../events/outbox.ts";
import { type Circumstances, type Occurrence, securityEvent } from "../events/security-event.ts";
import { GATE_SWEEP_MS, GATE_SWEPT_AT_LEAST_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import {
  addressForgettableAt,
  askingForProof,
  beganWith,
  holdsBack,
  isClearedBySession,
  withAddressFailure,
} from "./address.ts";
import type { Attempt, FailedAttempt } from "./attempt.ts";
import { clientsOf } from "./network.ts";
import { OpenReservations } from "./open-tries.ts";
import { refusalOf } from "./refusing.ts";
import type { Subject } from "./subjects.ts";
import { type Tallied, Tallies } from "./tallies.ts";
import { WindowStore } from "./window-store.ts";
import {
  addressesTouched,
  type FailureWindow,
  forgettableAt,
  isUsedUp,
  refusedUntil,
  usedUpProof,
  withFailure,
} from "./windows.ts";

/** How a reserved try ended. `released`: it was never judged, because something else refused it first. */
export type Outcome = "right" | "wrong" | "released";

/**
 * One shard of the gates: counts failures by subject. A try is reserved before any hash runs and settled after it. Open
 * reservations live in memory and may be lost; failures are rows, so a good sign-in writes nothing. Only a mailed proof
 * is a row from the start: its few attempts are all there will ever be, so none of them may be forgotten. Events of what
 * no account object has seen are recorded here, in the turn of the decision, and shipped by the alarm.
 */
export class GateObject extends DurableObject<Env> {
  #open = new OpenReservations();
  #windows = new WindowStore(this.ctx.storage.sql);
  #outbox = new OutboxRows(this.ctx.storage.sql);
  #tallies = new Tallies();
  #alarm = new EarliestAlarm(this.ctx);
  #shipper = new Shipper(() => this.#outbox.next(), eventStoreOf(this.env.EVENTS), streakOf(this.ctx.storage.kv));
  /** Epoch milliseconds. */
  #staysUntil = 0;
  /** Epoch milliseconds. Unknown while the object has not swept since it woke up: then the next alarm does. */
  #sweepsAt: number | undefined;

  /**
   * Takes a try for all subjects or for none. Refused: how long the one that must wait longest has to. `attempt` is what
   * the event of a refusal tells of it.
   */
  reserve(subjects: Subject[], attempt?: Attempt): { reservation: string } | Refusal {
    const now = Date.now();
    const refusal = this.#refusalOf(subjects, now);
    if (refusal) {
      if (attempt) this.#tallyRefused(refusal.refused, attempt, subjects, now);
      return refusal;
    }
    const reservation = crypto.randomUUID();
    for (const subject of subjects.filter(isSettled)) this.#open.add(subject, reservation, now);
    this.#count(subjects.filter(isSpent), now);
    return { reservation };
  }

  /**
   * Ends a try. Wrong writes the failure, right forgets the failures of its own email key and source and nobody
   * else's. A reservation that was lost is settled all the same; a proof's attempt stays spent. A right try uses its
   * proof up, and is refused when another one already has: whoever brings a proof waits for this answer. `failed` is what
   * the event of a wrong one tells.
   */
  settle(
    reservation: string,
    subjects: Subject[],
    outcome: Outcome,
    failed?: FailedAttempt | undefined,
  ): Refusal | undefined {
    const now = Date.now();
    for (const { key } of subjects) this.#open.close(key, reservation);
    if (outcome === "wrong") this.#fail(subjects.filter(isSettled), failed, now);
    if (outcome !== "right") return undefined;
    const proof = subjects.find(isSpent);
    if (proof && isUsedUp(this.#windows.read(proof.key))) return { refused: "proof_used" };
    if (proof) this.#write(proof, usedUpProof(now), now);
    for (const { kind, key } of subjects) if (kind === "pair") this.#windows.forget(key);
    return undefined;
  }

  /** A complete sign-in has opened a session of these addresses: strangers begin anew, unless the cap was reached. */
  sessionOpened(subjects: Subject[]): void {
    for (const { kind, key } of subjects) {
      if (kind === "address" && isClearedBySession(this.#windows.read(key))) this.#windows.forget(key);
    }
  }

  /**
   * Forgets the failures of an address from one client, and over all clients, its cap included: its password was reset by
   * mail. Those of the client itself stay.
   */
  forgive(subjects: Subject[]): void {
    for (const { kind, key } of subjects) if (kind === "pair" || kind === "address") this.#windows.forget(key);
  }

  /**
   * Counts something that has no try of its own, if it may happen: a mail, or a malformed body. False, and nothing is
   * counted, when one of the subjects is at its limit; so one client alone never uses up what its surroundings have. Of a
   * mail `attempt` is what the event then tells.
   */
  spend(subjects: Subject[], attempt?: Attempt): boolean {
    const now = Date.now();
    const mayHappen = this.#refusalOf(subjects, now, false) === undefined;
    if (mayHappen) this.#count(subjects, now);
    else if (attempt) this.#tallyRefused("mails_throttled", attempt, subjects, now);
    return mayHappen;
  }

  /** Takes note of something that no object has seen, in the gate of its source: the first of a minute, then a number. */
  report(occurrence: Occurrence, from: Circumstances): void {
    this.#tally(occurrence, from, Date.now());
  }

  /**
   * What an alert does by itself. A network is refused until then (epoch milliseconds), but for browsers that an account
   * recognises; an address asks for a proof from now on, until a session or a reset clears it. Again changes nothing.
   */
  impose(subjects: Subject[], until: number): void {
    const now = Date.now();
    for (const subject of subjects) {
      const window = this.#windows.read(subject.key);
      const imposed = subject.kind === "address" ? askingForProof(window, now) : refusedUntil(window, until);
      if (imposed !== window) this.#write(subject, imposed, now);
    }
  }

  /**
   * An operator's unlock: forgets all that is held against these subjects, of an address also from each client, of a network
   * also against each client of it.
   */
  lift(subjects: Subject[]): void {
    for (const { kind, key } of subjects) {
      this.#windows.forget(key);
      if (kind === "address") this.#windows.forgetAll(`pair:${key.slice("address:".length)}:`);
      if (kind === "network") this.#windows.forgetAll(`source:${clientsOf(key.slice("network:".length))}`);
    }
  }

  /** Ships events, ends the windows of what was counted, and sweeps. */
  override async alarm(): Promise<void> {
    const now = Date.now();
    this.#alarm.hasRung();
    this.#record(this.#tallies.close(now), now);
    const later = await this.#shipper.ship();
    // From now on: a store that does not answer has taken its time already.
    if (later) this.#alarm.ringAt(Date.now() + later.retryAfterMs);
    this.#countUntilClosed(now);
    this.#sweep(now);
  }

  /** Answers, which is all that readiness asks of a shard. */
  ping(): true {
    return true;
  }

  #refusalOf(subjects: Subject[], now: number, withOpen = true): Refusal | undefined {
    const open = (key: string) => (withOpen ? this.#open.count(key, now) : { all: 0, unproven: 0 });
    const considered = subjects.map((subject) => {
      const { key } = subject;
      return { subject, window: this.#windows.read(key), open: open(key) };
    });
    return refusalOf(considered, now);
  }

  /** Counts a failure, and records it in the same turn. */
  #fail(subjects: Subject[], failed: FailedAttempt | undefined, now: number): void {
    const began = this.#count(subjects, now);
    if (!failed) return;
    const { from, ...told } = failed;
    const occurrence: Occurrence = { kind: "authn_login_fail", ...told };
    if (failed.account === undefined) {
      this.#tally({ ...occurrence, ...this.#touched(subjects, now) }, from, now);
      return;
    }
    const locks = began.map((reason): Occurrence => ({ ...occurrence, kind: "authn_login_lock", reason }));
    this.#record(
      [occurrence, ...locks].map((one) => ({ occurrence: one, from })),
      now,
    );
  }

  /** Writes one failure more of each subject. Answers what addresses have begun to ask for by it. */
  #count(subjects: Subject[], now: number): ("address_unproven" | "address_closed")[] {
    return subjects.flatMap((subject) => {
      const { kind, key, mark } = subject;
      const before = this.#windows.read(key);
      const after =
        kind === "address" ? withAddressFailure(before, subject, now) : withFailure(kind, before, now, mark);
      if (after === before) return [];
      this.#write(subject, after, now);
      return kind === "address" ? (beganWith(before, after) ?? []) : [];
    });
  }

  #write({ kind, key }: Subject, window: FailureWindow, now: number): void {
    const at = kind === "address" ? addressForgettableAt(window) : forgettableAt(kind, window);
    const isSticky = kind === "proof" || (kind === "address" && holdsBack(window)) || (window.refusedUntil ?? 0) > now;
    this.#windows.write(key, window, { forgettableAt: at, isSticky });
    this.#sweepAt(at, now);
  }

  #tallyRefused(reason: string, { from, ...told }: Attempt, subjects: Subject[], now: number): void {
    this.#tally({ kind: "excess_rate_limit_exceeded", reason, ...told, ...this.#touched(subjects, now) }, from, now);
  }

  #tally(occurrence: Occurrence, from: Circumstances, now: number): void {
    this.#record(this.#tallies.note(occurrence, from, now), now);
    this.#countUntilClosed(now);
  }

  /**
   * Has the alarm end the windows that have counted something, and stays in memory until then: an object without work is
   * dropped after ten seconds, and the numbers with it; one with a timer is kept for more than a minute.
   */
  #countUntilClosed(now: number): void {
    const closesAt = this.#tallies.closesAt();
    if (closesAt === undefined) return;
    this.#alarm.ringAt(closesAt);
    if (this.#staysUntil >= closesAt) return;
    this.#staysUntil = closesAt;
    setTimeout(() => {}, closesAt - now);
  }

  #record(tallied: Tallied[], now: number): void {
    if (tallied.length === 0) return;
    this.#outbox.keep(tallied.map(({ occurrence, from }) => securityEvent(occurrence, from, now)));
    this.#alarm.ringAt(now + NOTABLE_EVENT_DELAY_MS);
  }

  /** How many different addresses the network of a try has touched, where this gate is its network's. */
  #touched(subjects: Subject[], now: number): Pick<Occurrence, "about"> {
    const network = subjects.find(({ kind }) => kind === "network");
    const touched = network ? addressesTouched(this.#windows.read(network.key), now) : 0;
    return touched > 0 ? { about: { addresses_touched: touched } } : {};
  }

  /** Not with every alarm: those that ship events may come each second. */
  #sweep(now: number): void {
    if (this.#sweepsAt !== undefined && now < this.#sweepsAt) {
      this.#alarm.ringAt(this.#sweepsAt);
      return;
    }
    const next = this.#windows.sweep(now);
    this.#sweepsAt = Number.POSITIVE_INFINITY;
    if (next !== undefined) this.#sweepAt(next, now);
  }

  /** Has the table swept when a row may be forgotten, and at least once a day: there may be too many of them. */
  #sweepAt(forgettableAt: number, now: number): void {
    const at = Math.min(Math.max(forgettableAt, now + GATE_SWEEP_MS), now + GATE_SWEPT_AT_LEAST_MS);
    if (this.#sweepsAt !== undefined) this.#sweepsAt = Math.min(this.#sweepsAt, at);
    this.#alarm.ringAt(at);
  }
}

/** Spent by the reservation itself, before anything is judged. */
function isSpent({ kind }: Subject): boolean {
  return kind === "proof";
}

/** Open until it is settled, and a failure only then. */
function isSettled(subject: Subject): boolean {
  return !isSpent(subject);
}
