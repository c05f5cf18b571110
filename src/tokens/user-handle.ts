import type { KeyRing } from "../keys/key-ring.ts";
import { authenticateBytes, readAuthenticatedBytes } from "./authenticated-bytes.ts";
import { bytesOfUuid, uuidOfBytes } from "./uuid.ts";

// key id 1 ‖ account 16 ‖ HMAC-SHA-256 32: forty-nine of the 64 bytes that a user handle may have (WebAuthn §5.4.3).
const OFFSET = { account: 1, mac: 17 } as const;

/**
 * The user handle of an account (WebAuthn §14.6.1), base64url. Authenticators keep it for years and compare it byte by
 * byte: it is the same each time, and of no epoch.
 */
export async function makeUserHandle(ring: KeyRing, accountId: string): Promise<string> {
  const by = ring.active("handle");
  const bytes = new Uint8Array(OFFSET.mac);
  bytes[0] = by.id;
  bytes.set(bytesOfUuid(accountId), OFFSET.account);
  return authenticateBytes(by, bytes);
}

/** The account of a user handle that this service made; `undefined` for anything else, so that it wakes no object. */
export async function readUserHandle(ring: KeyRing, text: string): Promise<string | undefined> {
  const bytes = await readAuthenticatedBytes(text, OFFSET.mac, ([id = 0]) => ring.byId("handle")(id));
  return bytes && uuidOfBytes(bytes.subarray(OFFSET.account));
}
