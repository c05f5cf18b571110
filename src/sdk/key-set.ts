import * as policy from "../token-policy.ts";
import { type FetchedJwks, fetchJwks, type Jwks } from "./jwks.ts";
import { KeysUnavailable } from "./refused.ts";
import { type Hold, SharedWork } from "./shared-work.ts";
import { checkedAddress, type Fetch, type FetchDefect } from "./small-fetch.ts";

/** The public keys of an issuer, by their ids. */
export interface KeySet {
  /**
   * The key of this id; `undefined` when the issuer has none. Throws {@link KeysUnavailable} when that is not known. `hold`
   * keeps a fetch alive that others may wait for.
   */
  keyFor(kid: string, hold?: Hold): Promise<CryptoKey | undefined>;
}

/** How the keys are asked for. */
export interface KeySetOptions {
  /** Where they are, if not at `<issuer>/.well-known/jwks.json`. */
  jwksUri?: string;
  /** How they are fetched. Default: the platform's `fetch`. */
  fetch?: Fetch;
  /** Epoch milliseconds. Default: `Date.now`. */
  now?: () => number;
}

interface Known {
  jwks: Jwks;
  /** Epoch milliseconds. */
  expiresAt: number;
  /** Later than that only when the issuer was asked again and was silent. */
  usableUntil: number;
}

/**
 * The keys that an issuer publishes (RFC 7517), fetched when a token first needs them and kept as long as the answer
 * allows. A key id that nobody has costs a fetch at most every 30 s, however many tokens name it. When the issuer does not
 * answer, keys go on for 15 minutes more; when it answers with anything else than keys, they do not. Throws a `TypeError`
 * for an address that is not `https:` (or `http:` to this machine).
 *
 * @example
 * const keys = publishedKeys("https://auth.example.com", { jwksUri: "https://keys.example.net/jwks.json" });
 * await verifyAccessToken(token, { issuer, audience, keys });
 */
export function publishedKeys(issuer: string, { jwksUri, fetch, now = Date.now }: KeySetOptions = {}): KeySet {
  const address = checkedAddress(jwksUri ?? `${issuer}/.well-known/jwks.json`);
  let known: Known | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  let tries = 0;
  let heard = 0;

  const isFresh = () => known !== undefined && now() < known.expiresAt;
  const isUsable = () => known !== undefined && now() < known.usableUntil;
  // A clock that was put back is no reason to wait until it is where it was.
  const sinceTry = () => (now() < triedAt ? Number.POSITIVE_INFINITY : now() - triedAt);
  const mayTry = () => sinceTry() >= (isUsable() ? policy.JWKS_COOLDOWN_MS : policy.JWKS_RETRY_MS);

  const loading = new SharedWork(async () => {
    tries += 1;
    const attempt = tries;
    triedAt = now();
    const answer = await fetchJwks(address, fetch);
    // One that was asked for earlier and comes later may hold a key that has been dropped meanwhile.
    if (attempt < heard) return;
    heard = attempt;
    known = knownAfter(answer, known, now());
  });

  return {
    async keyFor(kid, hold) {
      const cached = isFresh() ? known?.jwks.get(kid) : undefined;
      if (cached) return cached;
      // While the keys are fresh, an id that they lack is not worth a second fetch.
      await loading.join({ mayBegin: mayTry, mayTakeOver: () => !isFresh(), hold });
      if (!known || !isUsable()) throw new KeysUnavailable(`the keys of ${issuer} cannot be had`);
      return known.jwks.get(kid);
    },
  };
}

/** What is known after an answer at `now`, and for how long. */
function knownAfter(answer: FetchedJwks | FetchDefect, known: Known | undefined, now: number): Known | undefined {
  if (typeof answer === "object") {
    const expiresAt = now + answer.maxAgeSeconds * 1000;
    return { jwks: answer.jwks, expiresAt, usableUntil: expiresAt };
  }
  // An issuer that speaks and does not say these keys may have dropped them: they end with their own time.
  const more = answer === "unreachable" ? policy.JWKS_STALE_MS : 0;
  return known && { ...known, usableUntil: known.expiresAt + more };
}

const sharedKeys = new Map<string, KeySet>();

/** The published keys of an issuer, one set of them for the whole process. */
export function sharedKeysOf(issuer: string): KeySet {
  const keys = sharedKeys.get(issuer) ?? publishedKeys(issuer);
  sharedKeys.set(issuer, keys);
  return keys;
}
