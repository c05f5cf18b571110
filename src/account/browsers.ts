import { BROWSER_SEEN_STEP_MS, RECOGNISED_BROWSERS } from "../policy.ts";
import type { Guard } from "./account-store.ts";
import type { Floor } from "./sessions.ts";

/**
 * A browser that has signed in completely. Being recognised chooses its pots and nothing else; being trusted lets a
 * password open a session that says it is no more than that. Times in epoch milliseconds.
 */
export interface Browser {
  id: string;
  userAgent: string;
  createdAt: number;
  lastUsedAt: number;
  /** Its own secret name, so that being recognised never passes for being trusted. */
  trust?: Floor & { id: string; until: number };
}

/** What the cookies of a request claim; the account decides what is true of it. */
export interface BrowserClaim {
  /** Whether a browser asks, which can keep cookies. */
  isBrowser: boolean;
  /** Ids in the cookie of recognised browsers. */
  recognisedIds: string[];
  /** Ids in the cookie of trusted browsers. */
  trustIds: string[];
  userAgent: string;
}

/** What a browser is to be given. `trusted` only when trust was granted by this very sign-in. */
export interface RecognisedBrowser {
  id: string;
  emailDigest: string;
  trusted?: { id: string; until: number };
}

/** The browser of the account that asks, if it is one. */
export function recognise(browsers: Browser[], { recognisedIds }: BrowserClaim): Browser | undefined {
  return browsers.find(({ id }) => recognisedIds.includes(id));
}

/** The browser that was told it would not be asked, while that holds: in time, and of this password and epoch. */
export function trustedBrowser(guard: Guard, { trustIds }: BrowserClaim, now: number): Browser | undefined {
  return guard.browsers.find(
    (browser) => browser.trust && trustIds.includes(browser.trust.id) && isTrusted(browser, guard, now),
  );
}

/** Whether the trust in a browser holds now. */
export function isTrusted({ trust }: Browser, floor: Floor, now: number): boolean {
  if (!trust || now >= trust.until) return false;
  return trust.passwordVersion >= floor.passwordVersion && trust.epoch >= floor.epoch;
}

/**
 * The browsers after one has signed in completely, that one first: known ones are seen again, a new one is added, and
 * the one unused for longest makes room.
 */
export function afterSignIn(browsers: Browser[], claim: BrowserClaim, now: number): Browser[] {
  const known = recognise(browsers, claim);
  const others = browsers.filter((browser) => browser !== known);
  if (known && now < known.lastUsedAt + BROWSER_SEEN_STEP_MS) return [known, ...others];
  const seen = {
    ...(known ?? { id: crypto.randomUUID(), createdAt: now }),
    userAgent: claim.userAgent,
    lastUsedAt: now,
  };
  return [seen, ...others.sort((a, b) => b.lastUsedAt - a.lastUsedAt).slice(0, RECOGNISED_BROWSERS - 1)];
}

/** Trusts a recognised browser until `until` (epoch milliseconds), under the present password and epoch. */
export function trustBrowser(
  { browsers, passwordVersion, epoch }: Guard,
  browserId: string,
  until: number,
): { browsers: Browser[]; trust: { id: string; until: number } } {
  const trust = { id: crypto.randomUUID(), until, passwordVersion, epoch };
  const trusting = browsers.map((browser) => (browser.id === browserId ? { ...browser, trust } : browser));
  return { browsers: trusting, trust };
}

/** Forgets every trust: the password or a factor has changed. The browsers stay recognised, which opens nothing. */
export function withoutTrust(browsers: Browser[]): Browser[] {
  return browsers.map(({ trust: _, ...browser }) => browser);
}
