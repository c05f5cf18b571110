import { env } from "cloudflare:workers";
import { usersOf } from "../../src/directory/users.ts";
import { type KeyRingRecord, sealRecord, unsealRecord } from "../../src/keys/key-ring.ts";
import { roots } from "./in-worker.ts";

/** Puts a ring in the place of the one that D1 holds, sealed as the service would. */
export async function storeRing(record: KeyRingRecord): Promise<void> {
  const sealed = await sealRecord(record, roots()[0] ?? new Uint8Array(), `record:${record.version}`);
  await env.DB.prepare("INSERT OR REPLACE INTO key_ring VALUES (1, ?, ?)").bind(record.version, sealed).run();
}

/** The ring that D1 holds, opened as the service would. */
export async function storedRing(): Promise<KeyRingRecord> {
  const row = await env.DB.prepare("SELECT * FROM key_ring").first<{ version: number; sealed: string }>();
  const record = row && (await unsealRecord(row.sealed, roots(), `record:${row.version}`));
  if (!record) throw new Error("there is no ring that opens");
  return record;
}

/** Adds an account that nobody can sign in to: from then on a ring that is missing was lost. */
export async function addSomeone(): Promise<void> {
  const email = "a@example.com";
  await usersOf(env.DB).add({ id: crypto.randomUUID(), email, emailKey: email, password: "", createdAt: 0 });
}
