import type { AccountStore } from "../../src/account/account-store.ts";
import { openSession } from "../../src/account/admission.ts";
import { activeTotpFactors } from "../../src/account/factors.ts";
import { rotateSession } from "../../src/account/sessions.ts";
import { matchFactors } from "../../src/account/totp-factors.ts";
import type { KeyRing } from "../../src/keys/key-ring.ts";
import { createKeyRingRecord } from "../../src/keys/new-keys.ts";

/**
 * What the product would be if it read, waited and then wrote. The races must let more than one of these through:
 * otherwise they would prove nothing about the real ones.
 */

/** Judges a code and writes what it had read before the code was checked. */
export async function brokenAnswer(
  store: AccountStore,
  ring: KeyRing,
  accountId: string,
  challengeId: string,
  code: string,
): Promise<boolean> {
  const guard = store.guard();
  const challenge = guard.challenges.find(({ id }) => id === challengeId);
  if (!challenge) return false;
  const matches = await matchFactors(ring, accountId, activeTotpFactors(store), code, Date.now());
  if (matches.every(({ steps }) => steps.length === 0)) return false;
  guard.challenges = guard.challenges.filter((open) => open !== challenge);
  store.saveGuard(guard);
  openSession(store, guard, challenge.factors, challenge.terms, Date.now());
  return true;
}

/** Checks the generation, waits for a signature, and only then moves it. */
export async function brokenRefresh(
  store: AccountStore,
  ring: KeyRing,
  sessionId: string,
  generation: number,
): Promise<boolean> {
  const session = store.session(sessionId);
  if (session?.generation !== generation) return false;
  await crypto.subtle.sign("HMAC", ring.active("refresh").key, new Uint8Array(16));
  store.saveSession(rotateSession(session, Date.now()));
  return true;
}

/** Looks for a ring and, when there is none, makes one and keeps it. */
export async function brokenFirstRing(db: D1Database): Promise<string> {
  const stored = await db.prepare("SELECT sealed FROM key_ring WHERE id = 1").first<string>("sealed");
  if (stored) return stored;
  const { signing } = await createKeyRingRecord(Date.now());
  const kid = signing[0]?.kid ?? "";
  await db.prepare("INSERT OR REPLACE INTO key_ring (id, version, sealed) VALUES (1, 1, ?)").bind(kid).run();
  return kid;
}

/** Looks for the address and, when nobody has it, takes it. Its table has no unique key. */
export async function brokenAdd(db: D1Database, emailKey: string): Promise<boolean> {
  const found = await db.prepare("SELECT 1 FROM broken_users WHERE email_key = ?").bind(emailKey).first();
  if (found) return false;
  await db.prepare("INSERT INTO broken_users (email_key) VALUES (?)").bind(emailKey).run();
  return true;
}
