import type { NewImportedUser } from "../directory/imported-users.ts";
import { openImport } from "../keys/import-key.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { keyedDigest } from "../keys/keyed-digest.ts";
import { storeForeignHash } from "../passwords/foreign/stored-hash.ts";
import { NO_PASSWORD } from "../passwords/password-hash.ts";
import { IMPORT_KEY_TTL_MS, IMPORT_OBJECTS_AT_ONCE } from "../policy.ts";
import type { Service, Visit } from "../service.ts";
import { type ImportedUser, type ImportTerms, isRefusedLine, readImportedUser } from "./imported-user.ts";
import { recordCreated } from "./new-account.ts";

/** One batch of an import. `payload` as its operation holds it: the id of the import's key, and a JWE. */
export interface ImportBatch {
  id: string;
  payload: string;
  /** Whether an earlier try was interrupted, at whatever point. */
  isRepeated: boolean;
}

/** What came of each line; how many were imported, and how many had an account already. */
export interface ImportResult {
  imported: number;
  present: number;
  /** Imported, but somebody has to set a new password. */
  reset_needed: Note[];
  refused: Note[];
}

interface Note {
  line: number;
  reason: string;
}

/** What the command enciphers. */
interface Batch {
  emails_verified: boolean;
  users: { line: number; user: unknown }[];
}

interface Row {
  line: number;
  /** The same at each try. */
  id: string;
  user: ImportedUser;
}

/**
 * Imports a batch. The factors go into the account object first and the directory's row is written last: a try that
 * breaks off in between leaves no account that a password alone would open, and the next one ends the same way. Whoever
 * has an account already is left as he is.
 */
export async function importUsers(
  service: Service,
  visit: Visit,
  batch: ImportBatch,
): Promise<ImportResult | { refused: "import_key_gone" }> {
  const { now } = visit;
  const ring = await service.keyRing(now);
  const opened = await openBatch(service, ring, batch.payload, now);
  if (!opened) return { refused: "import_key_gone" };
  const { rows, refused } = await readRows(ring, batch.id, opened, now);
  const keys = rows.map(({ user }) => user.emailKey);
  const before = await service.importedUsers.ownersOf(keys);
  const free = rows.filter(({ user }) => !before.has(user.emailKey));
  await eachOf(withFactors(free), ({ id, user }) => service.account(id).importFactors(user.totpSecrets));
  await service.importedUsers.add(await Promise.all(free.map((row) => newUser(ring, row))), now);
  const owners = await service.importedUsers.ownersOf(keys);
  const created = free.filter(({ id, user }) => owners.get(user.emailKey) === id);
  recordCreated(service, visit, ids(created), "imported");
  // Of a try that was interrupted, a line whose address had an account may have left its factors, too.
  const tried = batch.isRepeated ? rows : free;
  const lost = tried.filter(({ id, user }) => owners.get(user.emailKey) !== id);
  await eachOf(withFactors(lost), ({ id }) => service.account(id).withdrawImport());
  return resultOf(rows, owners, refused);
}

async function openBatch(service: Service, ring: KeyRing, payload: string, now: number): Promise<Batch | undefined> {
  const { key, jwe } = JSON.parse(payload) as { key: string; jwe: string };
  const sealed = await service.operations.importKey(key, now - IMPORT_KEY_TTL_MS);
  const text = sealed && (await openImport(ring, key, sealed, jwe));
  return text ? (JSON.parse(text) as Batch) : undefined;
}

async function readRows(ring: KeyRing, batchId: string, { emails_verified, users }: Batch, now: number) {
  const terms: ImportTerms = { emailsVerified: emails_verified, now };
  const rows: Row[] = [];
  const refused: Note[] = [];
  for (const { line, user: given } of users) {
    const user = readImportedUser(given, terms);
    const twin = isRefusedLine(user) ? undefined : rows.find((row) => row.user.emailKey === user.emailKey);
    if (isRefusedLine(user)) refused.push({ line, reason: user.reason });
    // Which of them is the owner's, and what each lacks, is not for us to guess.
    else if (twin) refused.push({ line, reason: `has the address of line ${twin.line}, which was imported` });
    else rows.push({ line, user, id: await accountIdOf(ring, batchId, line) });
  }
  return { rows, refused };
}

/** Random to everybody without the ring, and never chosen by whoever made the batch. */
async function accountIdOf(ring: KeyRing, batchId: string, line: number): Promise<string> {
  const digest = await keyedDigest(ring, `import:${batchId}:${line}`);
  return digest.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

async function newUser(ring: KeyRing, { id, user }: Row): Promise<NewImportedUser> {
  const { email, emailKey, emailVerified, roles, createdAt } = user;
  const status = user.isDisabled ? "disabled" : "active";
  const password = "resetNeeded" in user.password ? NO_PASSWORD : await storeForeignHash(ring, user.password);
  return { id, email, emailKey, emailVerified, status, password, roles, createdAt };
}

function ids(rows: Row[]): string[] {
  return rows.map(({ id }) => id);
}

function withFactors(rows: Row[]): Row[] {
  return rows.filter(({ user }) => user.totpSecrets.length > 0);
}

/** So many at a time: an import must not hold every object of the service busy at once. */
async function eachOf(rows: Row[], work: (row: Row) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < rows.length; at += IMPORT_OBJECTS_AT_ONCE) {
    await Promise.all(rows.slice(at, at + IMPORT_OBJECTS_AT_ONCE).map(work));
  }
}

function resultOf(rows: Row[], owners: Map<string, string>, refused: Note[]): ImportResult {
  const result: ImportResult = { imported: 0, present: 0, reset_needed: [], refused: [...refused] };
  for (const { line, id, user } of rows) {
    const owner = owners.get(user.emailKey);
    if (owner === undefined) {
      result.refused.push({ line, reason: "email is kept for an account that can still ask for it back" });
    } else if (owner !== id) {
      result.present += 1;
    } else {
      result.imported += 1;
      const reason = needsReset(user);
      if (reason !== undefined) result.reset_needed.push({ line, reason });
    }
  }
  return result;
}

/** Why somebody cannot sign in before a reset by mail, if so. */
function needsReset({ password, emailVerified }: ImportedUser): string | undefined {
  if ("resetNeeded" in password) return password.resetNeeded;
  return emailVerified ? undefined : "nobody has proven the address";
}
