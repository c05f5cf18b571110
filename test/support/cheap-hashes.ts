import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
const FOLDER = join(ROOT, ".wrangler/cheap-hashes");

/** How `src` names its policy, and what takes its place: what one password hash costs is swapped, and nothing else. */
export const CHEAP_HASHES = { from: "../policy.ts", to: join(import.meta.dirname, "cheap-policy.ts") };

/**
 * Writes the settings of the product anew, with that in them; gives the file. `wrangler dev` takes no such option.
 *
 * Instances that run already watch the file, and one that finds it half written ends for want of an entry point: so it is
 * written once for each text, and appears whole.
 */
export function cheapConfig(): string {
  const text = readFileSync(join(ROOT, "wrangler.toml"), "utf8");
  const main = `main = ${JSON.stringify(join(ROOT, "src/index.ts"))}`;
  const alias = `[alias]\n${JSON.stringify(CHEAP_HASHES.from)} = ${JSON.stringify(CHEAP_HASHES.to)}\n`;
  const file = join(FOLDER, "wrangler.toml");
  const settings = `${text.replace(/^main = .*$/m, main)}\n${alias}`;
  if (existsSync(file) && readFileSync(file, "utf8") === settings) return file;
  mkdirSync(FOLDER, { recursive: true });
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, settings);
  renameSync(unfinished, file);
  return file;
}
