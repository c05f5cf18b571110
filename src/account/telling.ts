import type { EndedSessions } from "../directory/ended-sessions.ts";
import { logLine } from "../log.ts";
import { TELLING_RETRY_WAITS_MS, TELLING_TIMEOUT_MS } from "../token-policy.ts";
import type { AccountStore } from "./account-store.ts";

/**
 * Tells the directory which sessions have ended. Their marks stay in the storage of the account until it has heard of
 * them, so that whatever breaks off is told again; listing one twice is the same as once.
 */
export class Teller {
  #store: AccountStore;
  #ended: Pick<EndedSessions, "add">;
  #remind: () => Promise<void>;
  #telling: Promise<boolean> | undefined;

  /** `remind` has the account called again, in case that nothing else of it is left after a try that has failed. */
  constructor(store: AccountStore, ended: Pick<EndedSessions, "add">, remind: () => Promise<void>) {
    this.#store = store;
    this.#ended = ended;
    this.#remind = remind;
  }

  /** Tells what is left to be told, including what ends meanwhile. False when the directory could not be reached. */
  tell(): Promise<boolean> {
    this.#telling ??= this.#tellAll();
    return this.#telling;
  }

  async #tellAll(): Promise<boolean> {
    // Whoever ends a session goes on writing in the same turn: first that, then this.
    await undefined;
    for (const wait of [...TELLING_RETRY_WAITS_MS, undefined]) {
      try {
        await this.#tellUntilNothingIsLeft();
        return true;
      } catch (error) {
        await this.#remind().catch((fault) => logLine({ level: "error", event: "not_reminded", error: String(fault) }));
        if (wait === undefined) logLine({ level: "error", event: "ended_sessions_not_listed", error: String(error) });
        else await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
    this.#telling = undefined;
    return false;
  }

  async #tellUntilNothingIsLeft(): Promise<void> {
    for (let owed = this.#store.owed(); owed.length > 0; owed = this.#store.owed()) {
      const now = Date.now();
      const current = owed.filter(({ until }) => now < until);
      if (current.length > 0) await inTime(this.#ended.add(current));
      this.#store.forgetOwed(owed);
    }
    // In the turn that has found nothing left: what ends from now on is told anew.
    this.#telling = undefined;
  }
}

/** Whoever has asked for the end of a session waits for this: an answer that does not come is one that says no. */
async function inTime(told: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the directory did not answer in time")), TELLING_TIMEOUT_MS);
  });
  try {
    await Promise.race([told, late]);
  } finally {
    clearTimeout(timer);
  }
}
