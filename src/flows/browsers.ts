import type { BrowserClaim, RecognisedBrowser, TrustTerms } from "../account/browsers.ts";
import type { Config } from "../config.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { keyedDigest } from "../keys/keyed-digest.ts";
import { DAY_MS, DEVICE_COOKIE_TTL_MS, USER_AGENT_MAX } from "../policy.ts";
import type { Service, Visit } from "../service.ts";
import {
  type BrowserCookieKind,
  type BrowserEntry,
  readBrowserCookie,
  sealBrowserCookie,
  withEntry,
} from "../tokens/browser-cookie.ts";

/** What the cookies of a request say once they have been opened. */
export interface VisitingBrowser {
  recognised: BrowserEntry[];
  trusted: BrowserEntry[];
  /** The same, as the account wants to hear it. */
  claim: BrowserClaim;
}

/** A cookie to be set. */
export interface NewCookie {
  kind: BrowserCookieKind;
  value: string;
  maxAgeSeconds: number;
}

/** Opens the cookies of a request. Forged and foreign ones say nothing. */
export async function visitingBrowser(
  { config }: Service,
  ring: KeyRing,
  { browser, userAgent, network, from, now }: Visit,
): Promise<VisitingBrowser> {
  const read = async (kind: BrowserCookieKind, value: string | undefined) =>
    value === undefined ? [] : readBrowserCookie(ring, kind, value, now);
  const [recognised, trusted, seenFrom] = await Promise.all([
    read("recognised", browser.recognised),
    read("trusted", browser.trusted),
    keyedDigest(ring, `familiar:${network.network}`),
  ]);
  return {
    recognised,
    trusted,
    claim: {
      isBrowser: browser.isBrowser,
      recognisedIds: recognised.map(({ browserId }) => browserId),
      trustIds: trusted.map(({ browserId }) => browserId),
      userAgent: userAgent.slice(0, USER_AGENT_MAX),
      network: seenFrom,
      trustTerms: trustTerms(config),
      from,
    },
  };
}

/** What the operator says about trusted browsers. */
export function trustTerms({ trustedBrowserDays, secondFactor }: Config): TrustTerms {
  return { trustForMs: trustedBrowserDays * DAY_MS, secondFactor };
}

/** The cookies of a browser that has just signed in completely. It may be known to a few other accounts as well. */
export async function cookiesFor(
  ring: KeyRing,
  visiting: VisitingBrowser,
  { id, emailDigest, trusted }: RecognisedBrowser,
  now: number,
): Promise<NewCookie[]> {
  const known = { emailDigest, browserId: id, expiresAt: now + DEVICE_COOKIE_TTL_MS };
  const cookies = [await newCookie(ring, "recognised", visiting.recognised, known, now)];
  if (!trusted) return cookies;
  const trust = { emailDigest, browserId: trusted.id, expiresAt: trusted.until };
  return [...cookies, await newCookie(ring, "trusted", visiting.trusted, trust, now)];
}

async function newCookie(
  ring: KeyRing,
  kind: BrowserCookieKind,
  entries: BrowserEntry[],
  entry: BrowserEntry,
  now: number,
): Promise<NewCookie> {
  const value = await sealBrowserCookie(ring, kind, withEntry(entries, entry));
  return { kind, value, maxAgeSeconds: Math.floor((entry.expiresAt - now) / 1000) };
}
