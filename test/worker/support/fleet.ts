import { env } from "cloudflare:workers";
import type { KeyRing } from "../../../src/keys/key-ring.ts";
import { type KeyRingBindings, KeyRingStore } from "../../../src/keys/key-ring-store.ts";
import { publishedKeys, TokenRefused, verifyAccessToken } from "../../../src/sdk/verify.ts";
import { JWKS_MAX_AGE_SECONDS } from "../../../src/token-policy.ts";
import { signAccessToken } from "../../../src/tokens/access-token.ts";
import { roots } from "../../support/in-worker.ts";

// The service as many isolates see it, and services that believe its key set, on a clock that only the test moves.

export const ISSUER = "https://auth.example.com";
export const AUDIENCE = "orders";
/** The longest life that an operator can give a token: the hardest case for keys that go. */
export const TOKEN_SECONDS = 600;

/** A clock that stands still until it is moved. Epoch milliseconds. */
export class Clock {
  now = Date.UTC(2026, 0, 1);
  pass(ms: number): void {
    this.now += ms;
  }
}

/** KV as a place far away sees it: each value arrives `lagMs` after it was written. The real one holds the newest. */
export class LaggingKv {
  #history: { at: number; value: string }[] = [];
  #clock: Clock;
  /** While set, writes are on their way and arrive when this is called. */
  held: (() => void)[] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What has been written up to now, the newest last. */
  get values(): string[] {
    return this.#history.map(({ value }) => value);
  }

  write(value: string): void {
    this.#history.push({ at: this.#clock.now, value });
  }

  /** The bindings of an isolate that hears of changes this much later. */
  seenWith(lagMs: number): KeyRingBindings {
    const get = async () => {
      const seen = this.#history.filter(({ at }) => at + lagMs <= this.#clock.now).at(-1);
      return seen ? JSON.parse(seen.value) : null;
    };
    const put = async (_: string, value: string) => {
      if (this.held) await new Promise<void>((arrive) => this.held?.push(arrive));
      this.write(value);
    };
    return { DB: env.DB, KV: { get, put } as unknown as KVNamespace };
  }
}

/** One isolate: its own memory, its own view of KV. */
export class Isolate {
  readonly store = new KeyRingStore(roots());
  readonly bindings: KeyRingBindings;
  #clock: Clock;

  constructor(clock: Clock, kv: LaggingKv, lagMs: number) {
    this.#clock = clock;
    this.bindings = kv.seenWith(lagMs);
  }

  ring(): Promise<KeyRing> {
    return this.store.current(this.bindings, this.#clock.now);
  }

  /** An access token of somebody, issued now with the key that this isolate believes to be the active one. */
  async issue(): Promise<{ token: string; kid: string; expiresAt: number }> {
    const ring = await this.ring();
    const seconds = Math.floor(this.#clock.now / 1000);
    const subject = { accountId: crypto.randomUUID(), sessionId: crypto.randomUUID(), audience: AUDIENCE, roles: [] };
    const factors = { pwd: seconds, otp: seconds };
    const token = await signAccessToken(ring, ISSUER, { ...subject, factors }, this.#clock.now, TOKEN_SECONDS);
    return { token, kid: ring.signing.kid, expiresAt: (seconds + TOKEN_SECONDS) * 1000 };
  }
}

/** A service elsewhere: verifies with our verifier and a key set of its own, which it fetches from some isolate. */
export class Verifier {
  fetches = 0;
  #verify: (token: string) => Promise<unknown>;
  #cached: { body: string; at: number } | undefined;

  /** `cacheMs`: how long a cache on the way keeps what it has seen, without telling its age. */
  constructor(clock: Clock, isolate: () => Isolate, cacheMs = 0) {
    const fetch = async () => {
      this.fetches += 1;
      if (!this.#cached || clock.now >= this.#cached.at + cacheMs) {
        this.#cached = { body: JSON.stringify({ keys: (await isolate().ring()).jwks }), at: clock.now };
      }
      const headers = {
        "Content-Type": "application/json",
        "Cache-Control": `public, max-age=${JWKS_MAX_AGE_SECONDS}`,
      };
      return new Response(this.#cached.body, { headers });
    };
    const now = () => clock.now;
    const keys = publishedKeys(ISSUER, { fetch, now });
    this.#verify = (token) => verifyAccessToken(token, { issuer: ISSUER, audience: AUDIENCE, keys, now });
  }

  /** Why a token is refused; nothing when it is good. */
  async refusalOf(token: string): Promise<string | undefined> {
    try {
      await this.#verify(token);
      return undefined;
    } catch (error) {
      if (error instanceof TokenRefused) return error.code;
      throw error;
    }
  }
}
