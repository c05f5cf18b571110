import type { Operation } from "../directory/operations.ts";
import type { KeyOutcome } from "../keys/key-commands.ts";
import { logLine } from "../log.ts";
import type { Service, Visit } from "../service.ts";

/** The operations that are about the key ring. */
export type KeyOperationKind = "list_keys" | "rotate_key" | "drop_key" | "rewrap_keys";

/** Executes one. A second time it does nothing, and answers the same. */
export async function operateOnKeys(
  { keyCommands }: Service,
  { now }: Visit,
  kind: KeyOperationKind,
  { id, payload }: Operation,
): Promise<KeyOutcome> {
  switch (kind) {
    case "list_keys":
      return keyCommands.list(now);
    case "rotate_key":
      return keyCommands.rotate(wordOf(payload, "purpose"), id, now);
    case "drop_key": {
      const outcome = await keyCommands.drop(wordOf(payload, "key"), id, now);
      // Everybody is signed out by this: whoever reads the log should find out why.
      if (!("refused" in outcome)) logLine({ level: "warn", event: "key_dropped", ...outcome });
      return outcome;
    }
    case "rewrap_keys":
      return keyCommands.rewrap(now);
  }
}

/** What the operation is about. A word that is no word names nothing, and is refused where names are looked up. */
function wordOf(payload: string, name: string): string {
  const value = (JSON.parse(payload) as Record<string, unknown>)[name];
  return typeof value === "string" ? value : "";
}
