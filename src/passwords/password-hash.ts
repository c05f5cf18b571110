import { timingSafeEqual } from "node:crypto";
import argon2Module from "@phi-ag/argon2/argon2.wasm";
import type { KeyRing } from "../keys/key-ring.ts";
import { ARGON2ID, PASSWORD_TAG_BYTES, SALT_BYTES } from "../policy.ts";
import { type Argon2Parameters, argon2idOf } from "./argon2id.ts";
import { isForeignHash, matchesForeignHash } from "./foreign/stored-hash.ts";
import type { ShownPassword } from "./password-policy.ts";
import { formatPhc, parsePhc } from "./phc.ts";

const argon2id = argon2idOf(argon2Module);

/** What the directory holds for an account that has no password, and gets one by a reset alone. */
export const NO_PASSWORD = "";

const FROZEN = "frozen:";

/** A stored password that signs nobody in any more, and still tells its owner from a stranger where that is asked. */
export function frozenPassword(hash: string): string {
  return isClosed(hash) ? hash : `${FROZEN}${hash}`;
}

/** What it was before. */
export function thawedPassword(hash: string): string {
  return hash.startsWith(FROZEN) ? hash.slice(FROZEN.length) : hash;
}

/** Whether nobody signs in with it. */
export function isClosed(hash: string): boolean {
  return hash === NO_PASSWORD || hash.startsWith(FROZEN);
}

/** What a comparison found. `outdated`: made with lower parameters or an older pepper than a new hash would be. */
export interface PasswordVerdict {
  right: boolean;
  outdated: boolean;
}

/**
 * Hashes a normalised password: Argon2id, then HMAC-SHA-256 under the ring's pepper, as a PHC string that names both.
 * Without the pepper a stolen database cannot be guessed at.
 */
export async function hashPassword(ring: KeyRing, password: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const pepper = ring.active("pepper");
  const tag = await tagOf(password, salt, ARGON2ID, PASSWORD_TAG_BYTES, pepper.key);
  return formatPhc({ parameters: ARGON2ID, pepperId: pepper.id, salt, tag });
}

/**
 * Compares a password with a stored hash, in constant time for the tag. No password is right where there is none, and
 * finding that out costs what any comparison costs. Our own hashes are made of its normal form, imported ones of what was
 * typed; those are outdated, whatever they are.
 */
export async function verifyPassword(ring: KeyRing, hash: string, password: ShownPassword): Promise<PasswordVerdict> {
  if (isClosed(hash)) return { ...(await verifyPassword(ring, dummyHash(ring), password)), right: false };
  const { normalized, typed } = password;
  if (isForeignHash(hash)) return { right: await matchesForeignHash(argon2id, ring, hash, typed), outdated: true };
  const stored = parsePhc(hash);
  const pepper = stored && ring.byId("pepper")(stored.pepperId);
  if (!stored || !pepper) throw new Error("a stored password hash cannot be read");
  const { parameters, salt, tag } = stored;
  const right = timingSafeEqual(tag, await tagOf(normalized, salt, parameters, tag.length, pepper.key));
  const outdated = pepper.id !== ring.active("pepper").id || isBelow(parameters, ARGON2ID);
  return { right, outdated };
}

/** A hash that no password has: comparing with it costs what a real comparison costs (ASVS 6.3.8). */
export function dummyHash(ring: KeyRing): string {
  const salt = new Uint8Array(SALT_BYTES);
  const tag = new Uint8Array(PASSWORD_TAG_BYTES);
  return formatPhc({ parameters: ARGON2ID, pepperId: ring.active("pepper").id, salt, tag });
}

async function tagOf(
  password: string,
  salt: Uint8Array,
  parameters: Argon2Parameters,
  tagBytes: number,
  pepper: CryptoKey,
): Promise<Uint8Array> {
  const tag = argon2id(new TextEncoder().encode(password), salt, parameters, tagBytes);
  return new Uint8Array(await crypto.subtle.sign("HMAC", pepper, tag));
}

function isBelow(parameters: Argon2Parameters, current: Argon2Parameters): boolean {
  return parameters.memory < current.memory || parameters.passes < current.passes || parameters.lanes < current.lanes;
}
