import { KNOWN_NETWORKS, MAIL_WINDOW_MS, SIGN_INS_TOLD } from "../policy.ts";
import type { Unfamiliar } from "../refusal.ts";
import type { Guard } from "./account-store.ts";
import { type BrowserClaim, recognise } from "./browsers.ts";

/**
 * Compares a complete sign-in with those before it, and remembers its network. To be asked before the browser is
 * recognised. The very first sign-in is like no other and says nothing; a client that keeps no cookies is judged by
 * its network alone.
 */
export function becomeFamiliar(guard: Guard, claim: BrowserClaim, now: number): Unfamiliar | undefined {
  const unfamiliar = compareAndRemember(guard, claim);
  const told = guard.toldOfSignIns.filter((at) => now < at + MAIL_WINDOW_MS);
  // Whoever has the password of an account without a factor signs in as often as he likes: a few mails say it all, and
  // no other notice goes under in them.
  if (!unfamiliar || told.length >= SIGN_INS_TOLD) return undefined;
  guard.toldOfSignIns = [...told, now];
  return unfamiliar;
}

function compareAndRemember(guard: Guard, claim: BrowserClaim): Unfamiliar | undefined {
  const { networks, browsers } = guard;
  const isNewNetwork = !networks.includes(claim.network);
  const isNewBrowser = claim.isBrowser && recognise(browsers, claim) === undefined;
  if (isNewNetwork) guard.networks = [...networks, claim.network].slice(-KNOWN_NETWORKS);
  const hasSignedIn = networks.length > 0 || browsers.length > 0;
  // Networks are kept since a later version than browsers are: without any there is nothing to compare with.
  const isUnknownNetwork = isNewNetwork && networks.length > 0;
  if (!hasSignedIn || !(isUnknownNetwork || isNewBrowser)) return undefined;
  if (isUnknownNetwork && isNewBrowser) return "both";
  return isUnknownNetwork ? "network" : "browser";
}

/** Takes back what a sign-in that nobody got has left, so that the next one from there is told. */
export function forgetNetwork(guard: Guard, network: string): void {
  guard.networks = guard.networks.filter((known) => known !== network);
}
