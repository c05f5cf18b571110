import {
  CLOCK_TOLERANCE_MAX_SECONDS,
  REVOKED_SESSIONS_FUTURE_SECONDS,
  REVOKED_SESSIONS_MAX_BYTES,
} from "../token-policy.ts";
import { isSignedWith, readCompactJws } from "./compact-jws.ts";
import type { KeySet } from "./key-set.ts";

/** A list of ended sessions that its issuer has signed. Times in epoch seconds. */
export interface RevokedList {
  /** When it was made: by this an older list is told from a newer one. */
  iat: number;
  /** Until when it speaks. */
  exp: number;
  /** What was issued before this is over, whatever its session; 0 if nothing. */
  notBefore: number;
  sids: ReadonlySet<string>;
}

/** What a list is checked against. `now` in epoch milliseconds. */
export interface ExpectedList {
  issuer: string;
  keys: KeySet;
  now: number;
}

const HEADER_MEMBERS = 3;

/**
 * Reads a list of ended sessions: a compact JWS of ES256 and of the type `revoked+jwt`, by a key of its issuer, that
 * speaks now. `undefined` for anything else, and when the keys cannot be had.
 */
export async function readRevokedList(
  text: string,
  { issuer, keys, now }: ExpectedList,
): Promise<RevokedList | undefined> {
  const jws = readCompactJws(text, REVOKED_SESSIONS_MAX_BYTES);
  const kid = jws && keyIdOf(jws.header);
  if (!jws || kid === undefined || jws.claims.iss !== issuer) return undefined;
  const list = listOf(jws.claims);
  if (!list || !isTimely(list, now / 1000)) return undefined;
  const key = await keys.keyFor(kid).catch(() => undefined);
  return key && (await isSignedWith(key, jws)) ? list : undefined;
}

/** The key id of a header that says exactly three things: so nothing in it asks for more than is done here. */
function keyIdOf(header: Record<string, unknown>): string | undefined {
  const { alg, typ, kid } = header;
  const isOurs = alg === "ES256" && typ === "revoked+jwt" && Object.keys(header).length === HEADER_MEMBERS;
  return isOurs && typeof kid === "string" ? kid : undefined;
}

function listOf({ iat, exp, not_before: notBefore, sids }: Record<string, unknown>): RevokedList | undefined {
  if (!isTime(iat) || !isTime(exp) || !isTime(notBefore) || exp <= iat) return undefined;
  if (!Array.isArray(sids) || !sids.every((sid) => typeof sid === "string")) return undefined;
  return { iat, exp, notBefore, sids: new Set<string>(sids) };
}

/** It has been made, as far as clocks agree, it has not ended, and it does not mean to speak for longer than any does. */
function isTimely({ iat, exp }: RevokedList, nowSeconds: number): boolean {
  const isMade = iat <= nowSeconds + CLOCK_TOLERANCE_MAX_SECONDS;
  return isMade && nowSeconds < exp && exp <= nowSeconds + REVOKED_SESSIONS_FUTURE_SECONDS;
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
