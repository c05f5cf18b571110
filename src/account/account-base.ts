import { DurableObject } from "cloudflare:workers";
import type { KeyRing } from "../keys/key-ring.ts";
import { keyRingOfIsolate } from "../keys/key-ring-store.ts";
import { parseRootSecrets } from "../keys/root-secret.ts";
import { AccountStore } from "./account-store.ts";
import { liveSession } from "./admission.ts";

/** What every face of an account stands on: its storage, its name and the key ring. */
export abstract class AccountBase extends DurableObject<Env> {
  protected readonly store = new AccountStore(this.ctx.storage.sql);

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
