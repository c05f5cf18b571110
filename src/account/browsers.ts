import type { Circumstances } from "../events/security-event.ts";
import { BROWSER_SEEN_STEP_MS, RECOGNISED_BROWSERS } from "../policy.ts";
import type { Guard } from "./account-store.ts";
import type { SecondFactorPolicy } from "./methods.ts";
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
  trust?: Trust;
}

/** That a browser will not be asked for the second factor: granted when, for how long, under which demands. */
export interface Trust extends Floor {
  /** Its own secret name, so that being recognised never passes for being trusted. */
  id: string;
  grantedAt: number;
  until: number;
  secondFactor: SecondFactorPolicy;
}

/** What the operator says about trust now: how long it may last, 0 for not at all, and what is demanded otherwise. */
export interface TrustTerms {
  trustForMs: number;
  secondFactor: SecondFactorPolicy;
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
  /** Keyed digest of the network that it asks from. */
  network: string;
  trustTerms: TrustTerms;
  /** For events. */
  from?: Circumstances | undefined;
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

/** The browser that was told it would not be asked, while that holds. */
export function trustedBrowser(guard: Guard, { trustIds, trustTerms }: BrowserClaim, now: number): Browser | undefined {
  return guard.browsers.find(
    (browser) => trustIds.includes(browser.trust?.id ?? "") && isTrusted(browser, guard, trustTerms, now),
  );
}

/** Whether the trust in a browser holds now: of this password and epoch, and within what the operator allows by now. */
export function isTrusted({ trust }: Browser, floor: Floor, terms: TrustTerms, now: number): boolean {
  if (!trust || now >= Math.min(trust.until, trust.grantedAt + terms.trustForMs)) return false;
  const reachesFloor = trust.passwordVersion >= floor.passwordVersion && trust.epoch >= floor.epoch;
  return reachesFloor && trust.secondFactor === terms.secondFactor;
}

/**
 * The browsers after one has signed in completely, that one first and so all of them in the order of their use: known
 * ones are seen again, a new one is added, and the one unused for longest makes room.
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
  return [seen, ...others.slice(0, RECOGNISED_BROWSERS - 1)];
}

/** Trusts a recognised browser from `now` on, as long as the operator allows. */
export function trustBrowser(
  guard: Guard,
  browserId: string,
  { trustForMs, secondFactor }: TrustTerms,
  now: number,
): Trust {
  const { passwordVersion, epoch } = guard;
  const id = crypto.randomUUID();
  const trust = { id, grantedAt: now, until: now + trustForMs, secondFactor, passwordVersion, epoch };
  guard.browsers = guard.browsers.map((browser) => (browser.id === browserId ? { ...browser, trust } : browser));
  return trust;
}

/** Takes the trust in a browser back. It stays recognised, which opens nothing. */
export function withoutTrust({ trust: _, ...browser }: Browser): Browser {
  return browser;
}
