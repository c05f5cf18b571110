import type { KeyRing } from "../keys/key-ring.ts";
import { authenticateBytes, readAuthenticatedBytes } from "./authenticated-bytes.ts";
import { bytesOfUuid, uuidOfBytes } from "./uuid.ts";

/** What a refresh token names. `secret` is the 128 random bits that the session has kept since it was opened. */
export interface RefreshTokenParts {
  accountId: string;
  sessionId: string;
  generation: number;
  secret: Uint8Array<ArrayBuffer>;
}

// version 1 ‖ key id 1 ‖ epoch 4 ‖ account 16 ‖ session 16 ‖ generation 4 ‖ secret 16 ‖ HMAC-SHA-256 32: ninety bytes,
// a multiple of three, so that base64url has neither padding nor spare bits and a token has exactly one spelling.
const PREFIX = "rt_";
const VERSION = 1;
const OFFSET = { keyId: 1, epoch: 2, account: 6, session: 22, generation: 38, secret: 42, mac: 58 } as const;

/** Makes the token of one generation of a session, authenticated by the ring's refresh key. */
export async function makeRefreshToken(ring: KeyRing, parts: RefreshTokenParts): Promise<string> {
  const by = ring.active("refresh");
  const bytes = new Uint8Array(OFFSET.mac);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[OFFSET.keyId] = by.id;
  view.setUint32(OFFSET.epoch, ring.epoch);
  bytes.set(bytesOfUuid(parts.accountId), OFFSET.account);
  bytes.set(bytesOfUuid(parts.sessionId), OFFSET.session);
  view.setUint32(OFFSET.generation, parts.generation);
  bytes.set(parts.secret, OFFSET.secret);
  return PREFIX + (await authenticateBytes(by, bytes));
}

/**
 * Reads a refresh token that this service made in the current epoch; `undefined` for anything else, so that a forged
 * one wakes no object. Whether its generation is the current one is the account object's to say. `laterEpoch`: it is
 * ours, and this copy of the ring has not heard of the last emergency drop yet; such a token opens nothing here.
 */
export async function readRefreshToken(
  ring: KeyRing,
  token: string,
): Promise<RefreshTokenParts | { laterEpoch: RefreshTokenParts } | undefined> {
  if (!token.startsWith(PREFIX)) return undefined;
  const bytes = await readAuthenticatedBytes(token.slice(PREFIX.length), OFFSET.mac, (claimed) =>
    claimed[0] === VERSION ? ring.byId("refresh")(claimed[OFFSET.keyId] ?? 0) : undefined,
  );
  if (!bytes) return undefined;
  const view = new DataView(bytes.buffer);
  const epoch = view.getUint32(OFFSET.epoch);
  if (epoch < ring.epoch) return undefined;
  const parts = {
    accountId: uuidOfBytes(bytes.subarray(OFFSET.account, OFFSET.session)),
    sessionId: uuidOfBytes(bytes.subarray(OFFSET.session, OFFSET.generation)),
    generation: view.getUint32(OFFSET.generation),
    secret: bytes.slice(OFFSET.secret),
  };
  return epoch > ring.epoch ? { laterEpoch: parts } : parts;
}

/** The session that a refresh token names, where it is to be ended: of a later epoch, too. */
export async function readEndedToken(ring: KeyRing, token: string): Promise<RefreshTokenParts | undefined> {
  const read = await readRefreshToken(ring, token);
  return read && "laterEpoch" in read ? read.laterEpoch : read;
}
