import type { KeyRing } from "../keys/key-ring.ts";
import { DPOP_NONCE_TTL_MS } from "../token-policy.ts";
import { authenticateBytes, readAuthenticatedBytes } from "./authenticated-bytes.ts";

// key id 1 ‖ time in milliseconds 6 ‖ HMAC-SHA-256 32: thirty-nine bytes, a multiple of three, so that it has one spelling.
const OFFSET = { time: 1, mac: 7 } as const;
/** One nonce serves everybody for a minute: it says when, and not to whom. */
const STEP_MS = 60_000;
/** Isolates differ by less than this. */
const AHEAD_MS = STEP_MS;

/** What a proof of possession has to repeat (RFC 9449 §8), so that none can be made in advance. Kept nowhere. */
export function makeDpopNonce(ring: KeyRing, now: number): Promise<string> {
  const by = ring.active("dpop");
  const bytes = new Uint8Array(OFFSET.mac);
  bytes[0] = by.id;
  // Six bytes hold milliseconds for nine thousand years.
  const time = new DataView(new ArrayBuffer(8));
  time.setBigUint64(0, BigInt(now - (now % STEP_MS)));
  bytes.set(new Uint8Array(time.buffer, 2), OFFSET.time);
  return authenticateBytes(by, bytes);
}

/** Whether a nonce is ours and of the last minutes. */
export async function isDpopNonce(ring: KeyRing, nonce: string, now: number): Promise<boolean> {
  const bytes = await readAuthenticatedBytes(nonce, OFFSET.mac, ([id = 0]) => ring.byId("dpop")(id));
  if (!bytes) return false;
  const padded = new Uint8Array(8);
  padded.set(bytes.subarray(OFFSET.time), 2);
  const madeAt = Number(new DataView(padded.buffer).getBigUint64(0));
  return now < madeAt + STEP_MS + DPOP_NONCE_TTL_MS && madeAt <= now + AHEAD_MS;
}
