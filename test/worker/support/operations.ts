import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { CompactEncrypt, importJWK, type JWK } from "jose";
import type { OperationKind } from "../../../src/directory/operations.ts";
import { everyMinute } from "../../../src/flows/every-minute.ts";
import type { ImportResult } from "../../../src/flows/import-users.ts";
import { openService } from "../../../src/service.ts";

/** Asks for an operation as the operators' command does. */
export async function ask(kind: OperationKind, payload: object, { by = "ada", at = Date.now() } = {}): Promise<string> {
  const id = crypto.randomUUID();
  await env.DB.prepare("INSERT INTO operations (id, kind, payload, requested_by, requested_at) VALUES (?, ?, ?, ?, ?)")
    .bind(id, kind, JSON.stringify(payload), by, at)
    .run();
  return id;
}

/** What the minute cron does, at a moment and with other bindings if need be. */
export async function runMinute(now = Date.now(), bindings: object = env): Promise<void> {
  const context = createExecutionContext();
  const service = openService(bindings as Env, (work) => context.waitUntil(work), {});
  if ("problems" in service) throw new Error(service.problems.join());
  await everyMinute(service, now);
  await waitOnExecutionContext(context);
}

/** An operation as it is stored. */
export interface StoredOperation {
  state: string;
  payload: string;
  attempts: number;
  result: string | null;
}

export async function operation(id: string): Promise<StoredOperation> {
  const row = await env.DB.prepare("SELECT * FROM operations WHERE id = ?").bind(id).first<StoredOperation>();
  if (!row) throw new Error("no such operation");
  return row;
}

/** What came of an operation. */
export async function resultOf<T>(id: string): Promise<T> {
  const { result } = await operation(id);
  return JSON.parse(result ?? "null") as T;
}

/** A key for imports: its id and its public part. */
export async function importKey(): Promise<{ id: string; publicKey: JWK }> {
  const id = await ask("import_key", {});
  await runMinute();
  return { id, publicKey: (await resultOf<{ public_key: JWK }>(id)).public_key };
}

/** Asks for an import of these users, enciphered as the command does. */
export async function askImport(
  { id, publicKey }: { id: string; publicKey: JWK },
  users: unknown[],
  { emailsVerified = true } = {},
): Promise<string> {
  const batch = { emails_verified: emailsVerified, users: users.map((user, index) => ({ line: index + 1, user })) };
  const jwe = await new CompactEncrypt(new TextEncoder().encode(JSON.stringify(batch)))
    .setProtectedHeader({ alg: "ECDH-ES", enc: "A256GCM" })
    .encrypt(await importJWK(publicKey, "ECDH-ES"));
  return ask("import_users", { key: id, jwe });
}

/** Imports users, and tells what came of it. */
export async function importAll(users: unknown[], options: { emailsVerified?: boolean } = {}): Promise<ImportResult> {
  const id = await askImport(await importKey(), users, options);
  await runMinute();
  return resultOf(id);
}
