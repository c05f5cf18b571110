import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { hidden, root, runWrangler } from "./wrangler.mjs";

/** State of `npm run dev`. */
export const STATE = join(hidden, "state");

// Inside the state, so that deleting the state forgets the stamp with it.
const STAMP = join(STATE, "migrations.sha256");

const TEMPLATES = join(hidden, "templates");

/** The databases, by their bindings. */
const DATABASES = ["DB", "EVENTS"];

/** Changes with every migration, and with the bindings that say where they go. */
function fingerprint() {
  const folder = join(root, "migrations");
  const files = readdirSync(folder, { recursive: true }).filter((file) => file.endsWith(".sql"));
  const hash = createHash("sha256").update(readFileSync(join(root, "wrangler.toml")));
  for (const file of files.sort()) hash.update(`\0${file}\0`).update(readFileSync(join(folder, file)));
  return hash.digest("hex");
}

function readOrNothing(file) {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

async function applyMigrations(state) {
  // One after another: they share the state.
  for (const database of DATABASES) {
    await runWrangler("d1", "migrations", "apply", database, "--local", "--persist-to", state);
  }
}

/** Puts a finished folder where it belongs, unless another process was first with the same. */
function publish(unfinished, finished) {
  try {
    renameSync(unfinished, finished);
  } catch (error) {
    if (!existsSync(finished)) throw error;
    rmSync(unfinished, { recursive: true });
  }
}

/** A migrated state without any rows: made once, then copied, because wrangler takes seconds and a copy does not. */
async function template() {
  const name = fingerprint();
  const finished = join(TEMPLATES, name);
  if (existsSync(finished)) return finished;
  mkdirSync(TEMPLATES, { recursive: true });
  // wrangler keeps this folder clean, so that what an interrupted run leaves here goes away in time.
  mkdirSync(join(hidden, "tmp"), { recursive: true });
  const unfinished = mkdtempSync(join(hidden, "tmp", "state-"));
  await applyMigrations(unfinished);
  publish(unfinished, finished);
  for (const other of readdirSync(TEMPLATES).filter((other) => other !== name)) {
    rmSync(join(TEMPLATES, other), { recursive: true, force: true });
  }
  return finished;
}

/** Fills `state` with an empty, migrated database, unless it holds one already. */
export async function fillState(state) {
  if (existsSync(join(state, "v3"))) return;
  cpSync(await template(), state, { recursive: true });
}

/** True while `npm run dev` would miss a migration. */
export function migrationsArePending() {
  return readOrNothing(STAMP) !== fingerprint();
}

/** Brings the database of `npm run dev` up to date and keeps its rows. */
export async function migrate() {
  if (existsSync(join(STATE, "v3"))) await applyMigrations(STATE);
  else await fillState(STATE);
  writeFileSync(STAMP, fingerprint());
}
