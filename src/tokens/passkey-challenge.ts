import * as base64url from "jose/base64url";
import type { KeyRing } from "../keys/key-ring.ts";
import { PASSKEY_CHALLENGE_TTL_MS } from "../policy.ts";
import { authenticateBytes, readAuthenticatedBytes } from "./authenticated-bytes.ts";

/** A challenge of ours that is still good. `id` is its random part, base64url: it is to be spent once. */
export interface PasskeyChallenge {
  id: string;
  /** Epoch milliseconds, a whole second. After it the spent `id` may be forgotten. */
  expiresAt: number;
}

// key id 1 ‖ epoch 4 ‖ expiry in seconds 4 ‖ random 16 ‖ HMAC-SHA-256 32: fifty-seven bytes, a multiple of three, so
// that base64url has exactly one spelling of it.
const OFFSET = { epoch: 1, expiry: 5, random: 9, mac: 25 } as const;

/**
 * A challenge for a passkey sign-in that begins without a name (WebAuthn §13.4.3 asks for 16 random bytes). It proves
 * itself by a key that serves nothing else, so it is stored nowhere. Base64url; `now` in epoch milliseconds.
 */
export async function makePasskeyChallenge(ring: KeyRing, now: number): Promise<string> {
  const by = ring.active("assertion");
  const bytes = new Uint8Array(OFFSET.mac);
  const view = new DataView(bytes.buffer);
  bytes[0] = by.id;
  view.setUint32(OFFSET.epoch, ring.epoch);
  view.setUint32(OFFSET.expiry, Math.floor((now + PASSKEY_CHALLENGE_TTL_MS) / 1000));
  crypto.getRandomValues(bytes.subarray(OFFSET.random));
  return authenticateBytes(by, bytes);
}

/**
 * Reads a challenge that this service made in the current epoch and that has not expired at `now`; `undefined` for
 * anything else. That it is answered only once is the account object's to say.
 */
export async function readPasskeyChallenge(
  ring: KeyRing,
  text: string,
  now: number,
): Promise<PasskeyChallenge | undefined> {
  const bytes = await readAuthenticatedBytes(text, OFFSET.mac, ([id = 0]) => ring.byId("assertion")(id));
  if (!bytes) return undefined;
  const view = new DataView(bytes.buffer);
  const expiresAt = view.getUint32(OFFSET.expiry) * 1000;
  if (view.getUint32(OFFSET.epoch) !== ring.epoch || now >= expiresAt) return undefined;
  return { id: base64url.encode(bytes.subarray(OFFSET.random)), expiresAt };
}
