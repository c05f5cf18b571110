// How the operators' commands reach the service: rows in the table `operations`, which the minute cron executes. Locally
// the cron is poked, in a running `npm run dev` or else in a private instance on the same state.
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { STATE } from "./database.mjs";
import { startInstance } from "./instance.mjs";
import { hidden, root, runWrangler } from "./wrangler.mjs";

/** Ends a command with a message for a person, without a stack trace that tells them nothing. */
export class Stop extends Error {}

/** Without any progress for so long a wait ends: remotely the cron comes once a minute. */
const PATIENCE_MS = { local: 90_000, remote: 6 * 60_000 };
const PAUSE_MS = { local: 500, remote: 5_000 };
const POKE_MS = 60_000;
/** Results of so many batches are well below what one wrangler may print. */
const IDS_AT_ONCE = 20;

/** A text as SQL. */
export function quoted(text) {
  if (text.includes("\0")) throw new Stop("A NUL cannot be part of this.");
  return `'${text.replaceAll("'", "''")}'`;
}

function readOrNothing(file) {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** The address of a running `npm run dev`, if there is one. */
function runningService() {
  try {
    const { url, pid } = JSON.parse(readOrNothing(join(hidden, "sallyport.json")));
    process.kill(pid, 0);
    return url;
  } catch {
    return undefined;
  }
}

/** The secret of `npm run dev`: another one would not open the keys in its database. */
function localRootSecret() {
  const line = readOrNothing(join(root, ".dev.vars")).match(/^\s*(?:export\s+)?ROOT_SECRET\s*=\s*(.*)$/m);
  const secret = line?.[1]?.trim().replace(/^(["'])(.*)\1$/, "$2");
  if (!secret) throw new Stop("There is no ROOT_SECRET in .dev.vars. `npm run dev` makes one.");
  return secret;
}

async function localService({ state, url, needsRunning }) {
  const running = url ?? (state ? undefined : runningService());
  if (running) return { url: running, end: async () => {} };
  if (needsRunning) throw new Stop("This needs the running service, whose mailbox gets the mail. Start `npm run dev`.");
  console.error("No `npm run dev` is running: starting the service for this command …");
  const instance = await startInstance({ state: state ?? STATE, rootSecret: localRootSecret() });
  return { url: instance.url, end: () => instance.stop() };
}

/** A local database is one file, which the running service writes as well: it is free a moment later. */
const BUSY = /SQLITE_BUSY|database is locked/;
const BUSY_PAUSES_MS = [200, 400, 800, 1_600];

/** What wrangler prints for a statement. One that found the file locked has done nothing, and is tried again. */
async function printedFor(database, where, sql, pauses = BUSY_PAUSES_MS) {
  try {
    return await runWrangler("d1", "execute", database, ...where, "--json", "--command", sql);
  } catch (error) {
    const [pause, ...later] = pauses;
    if (pause === undefined || !BUSY.test(error.message)) throw new Stop(whatWranglerSays(database, error.message));
    await sleep(pause);
    return printedFor(database, where, sql, later);
  }
}

/** The rows of each statement. */
async function execute(database, where, sql) {
  const printed = await printedFor(database, where, sql);
  return JSON.parse(printed.slice(printed.indexOf("["))).map(({ results }) => results);
}

/** What to do about it, and what wrangler printed, without the statement. */
function whatWranglerSays(database, message) {
  const said = message
    .slice(message.indexOf("failed:\n") + "failed:\n".length)
    .replace(/Command failed:.*$/s, "")
    .trim();
  const hint = /no such (table|column)/.test(said)
    ? `The database ${database} lacks a migration: \`npx wrangler d1 migrations apply ${database} --remote\`, or \`npm run dev\` for the local one.`
    : "If this is the deployed database: is this machine signed in to Cloudflare (`npx wrangler login`)?";
  return `The database did not answer as it should. ${hint}\n\n${said}`;
}

/**
 * Opens the operations of the local or the deployed service.
 *
 * @param options.remote the deployed one
 * @param options.state,options.url a local one elsewhere than that of `npm run dev`
 * @param options.needsRunning whether a service that lives as long as the command would not do
 */
export async function openOperations(options) {
  const where = options.remote ? ["--remote"] : ["--local", "--persist-to", options.state ?? STATE];
  const service = options.remote ? undefined : await localService(options);
  const kind = options.remote ? "remote" : "local";
  const query = (sql) => execute("DB", where, sql);
  const queryEvents = (sql) => execute("EVENTS", where, sql);

  /** Has the cron come now, where it can be called. */
  async function poke() {
    if (!service) return;
    const address = `${service.url}/cdn-cgi/local/scheduled?cron=*+*+*+*+*`;
    const response = await fetch(address, { signal: AbortSignal.timeout(POKE_MS) }).catch(() => undefined);
    if (!response?.ok) throw new Stop(`The service at ${service.url} does not answer. Is it still running?`);
  }

  /** The operations of these ids: those that exist. */
  async function read(ids) {
    const rows = [];
    for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
      const list = ids
        .slice(at, at + IDS_AT_ONCE)
        .map(quoted)
        .join(", ");
      rows.push(...(await query(`SELECT id, state, begun_at, result FROM operations WHERE id IN (${list})`))[0]);
    }
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Inserts an operation, unless one of this id is there. */
  async function insert(kindOf, payload, by, id = randomUUID()) {
    const values = [id, kindOf, JSON.stringify(payload), by].map(quoted).join(", ");
    await query(
      `INSERT INTO operations (id, kind, payload, requested_by, requested_at) VALUES (${values}, ${Date.now()}) ON CONFLICT DO NOTHING`,
    );
    return id;
  }

  /** Waits until none of these is waiting, or nothing has moved for long. `onProgress` hears how many are through. */
  async function settle(ids, onProgress = () => {}, patience = PATIENCE_MS[kind]) {
    let [finished, movedAt] = [-1, Date.now()];
    for (;;) {
      await poke();
      const rows = await read(ids);
      const now = [...rows.values()].filter(({ state }) => state !== "waiting").length;
      if (now > finished) [finished, movedAt] = [now, Date.now()];
      onProgress(finished);
      if (finished === ids.length || Date.now() - movedAt > patience) return rows;
      await sleep(PAUSE_MS[kind]);
    }
  }

  return { query, queryEvents, poke, read, insert, settle, isRemote: options.remote, close: () => service?.end() };
}
