import * as policy from "../token-policy.ts";
import { type KeySet, publishedKeys, sharedKeysOf } from "./key-set.ts";
import { KeysUnavailable } from "./refused.ts";
import { type RevokedList, readRevokedList } from "./revoked-list.ts";
import { type Hold, SharedWork } from "./shared-work.ts";
import { checkedAddress, type Fetch, fetchSmall } from "./small-fetch.ts";

/** The sessions of an issuer that have ended while access tokens of them may still live. */
export interface RevokedSessions {
  /**
   * Whether the session of a token has ended, or everything that was issued when the token was. Throws
   * {@link KeysUnavailable} where the list is lost and the service wants tokens refused then.
   */
  isRevoked(token: { sid: string; iat: number }, hold?: Hold): Promise<boolean>;
}

/** How the list is asked for, and what happens without it. */
export interface RevokedSessionsOptions {
  /**
   * What becomes of tokens while no list speaks. `open`: they are good until they expire, as for a service that never
   * asks; whoever can keep the list from the service then keeps an ended session for that long. `closed`: none is good.
   */
  onFeedLost: "open" | "closed";
  /** How old the list may become before it is asked for again: 1 to 60, default 30. Caches add ten seconds. */
  pollSeconds?: number;
  /** Where the list is, if not at `<issuer>/.well-known/revoked-sessions`. */
  uri?: string;
  /** How it is fetched. Default: the platform's `fetch`. */
  fetch?: Fetch;
  /** Epoch milliseconds. Default: `Date.now`. */
  now?: () => number;
  /** Default: the keys that the issuer publishes. */
  keys?: KeySet;
}

/**
 * The issuer's signed list of ended sessions, for services that cannot wait until a token expires. It is fetched when a
 * token is verified and the last list has grown old, never in between: Workers run nothing then. While it cannot be
 * fetched, the last list speaks until its own end (two minutes); then `onFeedLost` decides. An older list than one that
 * was seen is refused, so that no cache and nobody on the way can bring a session back. Throws a `TypeError` for options
 * out of bounds. Make one for the whole process.
 *
 * @example
 * const revoked = revokedSessions("https://auth.example.com", { onFeedLost: "closed" });
 * await verifyAccessToken(token, { issuer: "https://auth.example.com", audience: "orders", revokedSessions: revoked });
 */
export function revokedSessions(issuer: string, options: RevokedSessionsOptions): RevokedSessions {
  checkOptions(options);
  const list = new PolledList(issuer, options);
  return {
    async isRevoked({ sid, iat }, hold) {
      await list.refresh(hold);
      const { last } = list;
      // What has ended stays so, whether or not the list still speaks for others.
      if (last && (last.sids.has(sid) || iat < last.notBefore)) return true;
      if (list.speaks || options.onFeedLost === "open") return false;
      throw new KeysUnavailable(`the list of ended sessions of ${issuer} cannot be had`);
    },
  };
}

/** The last list that was believed, and when it is asked for again. Moments in epoch milliseconds. */
class PolledList {
  last: RevokedList | undefined;
  #issuer: string;
  #address: string;
  #keys: KeySet;
  #fetch: Fetch | undefined;
  #now: () => number;
  #pollMs: number;
  #startedAt = Number.NEGATIVE_INFINITY;
  #nextAt = Number.NEGATIVE_INFINITY;
  readonly #loading = new SharedWork(() => this.#load());

  constructor(issuer: string, options: RevokedSessionsOptions) {
    const { pollSeconds = policy.REVOKED_SESSIONS_POLL_SECONDS.default } = options;
    this.#issuer = issuer;
    this.#address = checkedAddress(options.uri ?? `${issuer}/.well-known/revoked-sessions`);
    this.#keys = options.keys ?? keysOf(issuer, options);
    this.#fetch = options.fetch;
    this.#now = options.now ?? Date.now;
    this.#pollMs = pollSeconds * 1000;
  }

  /** Whether the last list still says of a session that is not in it that it lives. */
  get speaks(): boolean {
    return this.last !== undefined && this.#now() / 1000 < this.last.exp;
  }

  /** Asks again when it is time, once for all who wait. */
  refresh(hold: Hold | undefined): Promise<void> {
    // A clock that was put back is no reason to wait until it is where it was.
    const isDue = () => this.#now() >= this.#nextAt || this.#now() < this.#startedAt;
    return this.#loading.join({ mayBegin: isDue, mayTakeOver: isDue, hold });
  }

  async #load(): Promise<void> {
    this.#startedAt = this.#now();
    const newer = newerOf(this.last, await this.#fetched());
    this.last = newer ?? this.last;
    this.#nextAt = this.#now() + (newer ? this.#untilNext(newer) : policy.REVOKED_SESSIONS_RETRY_MS);
  }

  /** Early enough that there is a newer list before this one ends, whatever the clocks say. */
  #untilNext({ exp }: RevokedList): number {
    const left = exp * 1000 - this.#now() - policy.REVOKED_SESSIONS_RETRY_MS;
    return Math.max(Math.min(this.#pollMs, left), policy.SHARED_WAIT_MS);
  }

  async #fetched(): Promise<RevokedList | undefined> {
    const { REVOKED_SESSIONS_MAX_BYTES: maxBytes, JWKS_TIMEOUT_MS: timeoutMs } = policy;
    const answer = await fetchSmall(this.#fetch, this.#address, { maxBytes, timeoutMs });
    if (typeof answer !== "object") return undefined;
    return readRevokedList(answer.text, { issuer: this.#issuer, keys: this.#keys, now: this.#now() });
  }
}

/**
 * What to believe when a list arrives: nothing of one that is older than what was seen. Two of one second are both
 * believed, since either may lack what the other has. A drop is never taken back: whoever made this list may not have
 * heard of it.
 */
function newerOf(last: RevokedList | undefined, read: RevokedList | undefined): RevokedList | undefined {
  if (!last || !read) return read;
  if (read.iat < last.iat) return undefined;
  const sids = read.iat === last.iat ? new Set([...last.sids, ...read.sids]) : read.sids;
  return { ...read, sids, notBefore: Math.max(last.notBefore, read.notBefore) };
}

/** A fetch of one's own, or a clock, is meant for the keys as well. */
function keysOf(issuer: string, { fetch, now }: RevokedSessionsOptions): KeySet {
  if (!fetch && !now) return sharedKeysOf(issuer);
  return publishedKeys(issuer, { ...(fetch ? { fetch } : {}), ...(now ? { now } : {}) });
}

function checkOptions({
  onFeedLost,
  pollSeconds = policy.REVOKED_SESSIONS_POLL_SECONDS.default,
}: RevokedSessionsOptions) {
  const { min, max } = policy.REVOKED_SESSIONS_POLL_SECONDS;
  // Left out, it would be decided by whoever wrote this.
  if (onFeedLost !== "open" && onFeedLost !== "closed") throw new TypeError('onFeedLost must be "open" or "closed"');
  if (!(pollSeconds >= min && pollSeconds <= max)) throw new TypeError(`pollSeconds must be ${min} to ${max}`);
}
