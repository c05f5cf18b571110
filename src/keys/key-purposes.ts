import {
  DATA_KEY_LEAD_MS,
  LINK_KEY_KEPT_MS,
  REFRESH_KEY_KEPT_MS,
  SHORT_KEY_KEPT_MS,
  SIGNING_KEY_KEPT_MS,
  SIGNING_KEY_LEAD_MS,
} from "../token-policy.ts";

/** Purposes of the first version. A record without one of them is damaged: a new pepper would make every hash wrong. */
export const FIRST_PURPOSES = ["seal", "challenge", "refresh", "link", "pepper", "digest"] as const;
/** Purposes that came later: a record of an earlier version is completed with them. */
export const LATER_PURPOSES = ["recovery", "handle", "assertion", "dpop", "checkpoint"] as const;

/** What a key of 32 random bytes is for. No key serves two purposes, so nothing made for one can be passed off as another. */
export type DataKeyPurpose = (typeof FIRST_PURPOSES | typeof LATER_PURPOSES)[number];
/** What any key is for. */
export type KeyPurpose = "signing" | DataKeyPurpose;

/** How the keys of a purpose come and go. Durations in milliseconds. */
export interface PurposeRule {
  algorithm: "ES256" | "HMAC-SHA-256" | "AES-256-GCM" | "Ed25519";
  /** `by_itself`: when the active key's time is up; `when_asked`: by an operator alone; `never`: there is no next key. */
  rotates: "by_itself" | "when_asked" | "never";
  /** How long the next key is published before it may be used. */
  leadMs: number;
  /** How long a retired key stays in the ring; `undefined`: always, since what is stored names it. */
  keptMs: number | undefined;
}

/** A key whose work dies by itself: it may also be dropped. */
const shortLived = (keptMs: number, algorithm: PurposeRule["algorithm"] = "HMAC-SHA-256"): PurposeRule => ({
  algorithm,
  rotates: "by_itself",
  leadMs: DATA_KEY_LEAD_MS,
  keptMs,
});

/** A key that something stored needs for as long as it is stored. */
const lasting = (rotates: "when_asked" | "never", algorithm: PurposeRule["algorithm"]): PurposeRule => ({
  algorithm,
  rotates,
  leadMs: DATA_KEY_LEAD_MS,
  keptMs: undefined,
});

/** Every purpose and its rule. The order is that of lists for people. */
export const PURPOSE_RULES: Record<KeyPurpose, PurposeRule> = {
  signing: { algorithm: "ES256", rotates: "by_itself", leadMs: SIGNING_KEY_LEAD_MS, keptMs: SIGNING_KEY_KEPT_MS },
  challenge: shortLived(SHORT_KEY_KEPT_MS),
  assertion: shortLived(SHORT_KEY_KEPT_MS),
  dpop: shortLived(SHORT_KEY_KEPT_MS),
  refresh: shortLived(REFRESH_KEY_KEPT_MS),
  link: shortLived(LINK_KEY_KEPT_MS, "AES-256-GCM"),
  seal: lasting("when_asked", "AES-256-GCM"),
  pepper: lasting("when_asked", "HMAC-SHA-256"),
  recovery: lasting("when_asked", "HMAC-SHA-256"),
  checkpoint: lasting("when_asked", "Ed25519"),
  digest: lasting("never", "HMAC-SHA-256"),
  handle: lasting("never", "HMAC-SHA-256"),
};

/** Whether a word is a purpose. */
export function isKeyPurpose(word: string): word is KeyPurpose {
  return Object.hasOwn(PURPOSE_RULES, word);
}

/** Whether keys of this purpose have successors. */
export function rotates(purpose: KeyPurpose): boolean {
  return PURPOSE_RULES[purpose].rotates !== "never";
}
