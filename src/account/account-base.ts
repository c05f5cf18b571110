import { DurableObject } from "cloudflare:workers";
import { endedSessionsOf } from "../directory/ended-sessions.ts";
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
    now: () => Date.now(),
    owes: () => this.ctx.waitUntil(this.endsAreListed()),
  });
  readonly #teller = new Teller(this.store, endedSessionsOf(this.env.DB), () =>
    this.ctx.storage.setAlarm(Date.now() + TELLING_AGAIN_MS),
  );

  /** What the directory could not be told, told again. */
  override async alarm(): Promise<void> {
    await this.endsAreListed();
  }

  /**
   * Ends when the directory lists every session that has ended. When it cannot be reached that is in the log, and it is
   * told by an alarm or with the next call, whichever comes first: a session is over all the same.
   */
  protected async endsAreListed(): Promise<void> {
    await this.#teller.tell();
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
