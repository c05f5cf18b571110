import type { KeyRing } from "../keys/key-ring.ts";
import { seal, unseal } from "../keys/seal.ts";
import { DEVICE_COOKIE_ACCOUNTS } from "../policy.ts";
import { TOKEN_MAX_LENGTH } from "../token-policy.ts";

/**
 * Which cookie it is: `__Host-sallyport_dev` names a browser that has signed in completely and only chooses its pots,
 * `__Host-sallyport_tb` one that is not asked for the second factor.
 */
export type BrowserCookieKind = "recognised" | "trusted";

/** What a browser is to one account. That the account still knows it is the account object's to say. */
export interface BrowserEntry {
  /** `emailDigest` of the account's address: found before any account is. */
  emailDigest: string;
  browserId: string;
  /** Epoch milliseconds. */
  expiresAt: number;
}

/** Seals the value of a cookie. Each kind has its own context, so neither passes for the other. `[A-Za-z0-9_-]+`. */
export async function sealBrowserCookie(
  ring: KeyRing,
  kind: BrowserCookieKind,
  entries: BrowserEntry[],
): Promise<string> {
  return seal(ring.active("seal"), new TextEncoder().encode(JSON.stringify(entries)), contextOf(kind));
}

/** What a cookie of this kind says at `now`, newest first. Nothing when it is not ours; expired entries are left out. */
export async function readBrowserCookie(
  ring: KeyRing,
  kind: BrowserCookieKind,
  value: string,
  now: number,
): Promise<BrowserEntry[]> {
  if (value.length > TOKEN_MAX_LENGTH) return [];
  const plaintext = await unseal(ring.byId("seal"), value, contextOf(kind));
  if (!plaintext) return [];
  const entries = JSON.parse(new TextDecoder().decode(plaintext)) as BrowserEntry[];
  return entries.filter(({ expiresAt }) => now < expiresAt);
}

/** The list with an entry put first, in place of an older one of the same address; the oldest one too many goes. */
export function withEntry(entries: BrowserEntry[], entry: BrowserEntry): BrowserEntry[] {
  const others = entries.filter(({ emailDigest }) => emailDigest !== entry.emailDigest);
  return [entry, ...others].slice(0, DEVICE_COOKIE_ACCOUNTS);
}

/** What the browser is to the account of this address. */
export function entryFor(entries: BrowserEntry[], emailDigest: string): BrowserEntry | undefined {
  return entries.find((entry) => entry.emailDigest === emailDigest);
}

function contextOf(kind: BrowserCookieKind): string {
  return `browser-cookie:${kind}`;
}
