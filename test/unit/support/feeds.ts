import type { KeySet } from "../../../src/sdk/key-set.ts";
import { ISSUER, type Json, KID, SECONDS, signedTexts, trusted } from "./forged-tokens.ts";

export const FEED_HEADER = { alg: "ES256", typ: "revoked+jwt", kid: KID };
export const FEED_CLAIMS = { iss: ISSUER, iat: SECONDS, exp: SECONDS + 120, not_before: 0, sids: ["ended"] };

/** A signed list of ended sessions that is good but for these members; `undefined` removes one. */
export const feed = (claims: Json = {}, header: Json = {}, key = trusted.privateKey) =>
  signedTexts(JSON.stringify({ ...FEED_HEADER, ...header }), JSON.stringify({ ...FEED_CLAIMS, ...claims }), key);

/** A list that a caller has put together, with a payload of any bytes. */
export const feedOf = (payload: string | Uint8Array) => signedTexts(JSON.stringify(FEED_HEADER), payload);

/** The issuer's one key, and no other under any name. */
export const ONE_KEY: KeySet = { keyFor: async (kid) => (kid === KID ? trusted.publicKey : undefined) };

/** The one key under every name, so that only another check can refuse a list. */
export const ANY_NAME: KeySet = { keyFor: async () => trusted.publicKey };

/** The bytes of a text with one of them changed at a place. */
export function changedAt(text: string, at: number): string {
  return text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
}
