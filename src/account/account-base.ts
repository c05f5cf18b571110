import { DurableObject } from "cloudflare:workers";
import { endedSessionsOf } from "../directory/ended-sessions.ts";
import { NOTABLE_EVENT_DELAY_MS, ROUTINE_EVENT_DELAY_MS } from "../event-policy.ts";
import { EarliestAlarm } from "../events/earliest-alarm.ts";
import { eventStoreOf } from "../events/event-store.ts";
import { Shipper, streakOf } from "../events/outbox.ts";
import { isRoutine } from "../events/security-event.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { keyRingOfIsolate } from "../keys/key-ring-store.ts";
import { parseRootSecrets } from "../keys/root-secret.ts";
import { TELLING_AGAIN_MS } from "../token-policy.ts";
import { AccountStore } from "./account-store.ts";
import { liveSession } from "./admission.ts";
import { Teller } from "./telling.ts";

/** What every face of an account stands on: its storage, its name and the key ring. */
export abstract class AccountBase extends DurableObject<Env> {
  protected readonly store = new AccountStore(this.ctx.storage.sql, {
    account: this.ctx.id.name ?? "",
    now: () => Date.now(),
    owes: () => this.ctx.waitUntil(this.endsAreListed()),
    recorded: (event) => this.#wakeIn(isRoutine(event) ? ROUTINE_EVENT_DELAY_MS : NOTABLE_EVENT_DELAY_MS),
  });
  readonly #teller = new Teller(this.store, endedSessionsOf(this.env.DB), async () => this.#wakeIn(TELLING_AGAIN_MS));
  readonly #shipper = new Shipper(
    () => this.store.shipment(),
    eventStoreOf(this.env.EVENTS),
    streakOf(this.ctx.storage.kv),
  );
  readonly #alarm = new EarliestAlarm(this.ctx);

  /** Ships what was recorded, and tells the directory what it could not be told. */
  override async alarm(): Promise<void> {
    this.#alarm.hasRung();
    const [later] = await Promise.all([this.#shipper.ship(), this.endsAreListed()]);
    if (later) this.#wakeIn(later.retryAfterMs);
  }

  /** Has this object called again after `ms`, or before: whoever comes later must not put off what waits already. */
  #wakeIn(ms: number): void {
    this.#alarm.ringAt(Date.now() + ms);
  }

  /**
   * Ends when the directory lists every session that has ended. When it cannot be reached that is in the log, and it is
   * told by an alarm or with the next call, whichever comes first: a session is over all the same.
   */
  protected async endsAreListed(): Promise<void> {
    await this.#teller.tell();
  }

  /** Ends when what was recorded so far has arrived, or could not: then an alarm sees to it. */
  protected async eventsAreShipped(): Promise<void> {
    await this.#shipper.ship();
  }

  protected liveSession(sessionId: string): ReturnType<typeof liveSession> {
    return liveSession(this.store, this.store.guard(), sessionId, Date.now());
  }

  protected id(): string {
    return this.ctx.id.toString();
  }

  protected keyRing(): Promise<KeyRing> {
    const roots = parseRootSecrets(this.env.ROOT_SECRET);
    if (typeof roots === "string") throw new Error(roots);
    return keyRingOfIsolate(this.env.ROOT_SECRET, roots).current(this.env, Date.now());
  }
}
