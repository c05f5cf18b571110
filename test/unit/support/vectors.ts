import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "../../../../shared/vectors");

/**
 * A file of published test vectors that lies beside the checkout, parsed. `undefined` where nobody put it: the tests
 * that need it are then skipped under a name that says so, instead of passing over nothing.
 */
export function readVectors<T>(name: string): T | undefined {
  const file = join(FOLDER, name);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as T) : undefined;
}
