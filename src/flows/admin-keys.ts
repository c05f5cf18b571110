import { securityEvent } from "../events/security-event.ts";
import type { KeyOutcome } from "../keys/key-commands.ts";
import { logLine } from "../log.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { Operator } from "./operate-account.ts";

/** What an admin does to the key ring. */
export type KeyAction = { action: "rotate"; purpose: string } | { action: "drop"; key: string };

/** What came of it. */
export type KeyAnswer = Exclude<KeyOutcome, { refused: unknown }>;

/** The states of all keys: never a key itself. */
export async function listKeys({ keyCommands }: Service, { now }: Visit): Promise<KeyAnswer | Refusal> {
  return answerOf(await keyCommands.list(now));
}

/** Brings the next key of a purpose into use, or drops one that somebody else has. Done at once, as by the command. */
export async function changeKeys(
  service: Service,
  { from, now }: Visit,
  { actor }: Operator,
  asked: KeyAction,
): Promise<KeyAnswer | Refusal> {
  const { keyCommands, events } = service;
  const id = crypto.randomUUID();
  const isDrop = asked.action === "drop";
  const outcome = isDrop
    ? await keyCommands.drop(asked.key, id, now)
    : await keyCommands.rotate(asked.purpose, id, now);
  if ("refused" in outcome) return answerOf(outcome);
  // Everybody is signed out by this: whoever reads the log should find out why.
  if (isDrop) logLine({ level: "warn", event: "key_dropped", ...outcome });
  const reason = isDrop ? "drop_key" : "rotate_key";
  const about = { key: "key" in outcome ? outcome.key : "", operation: id };
  const recorded = events.add([securityEvent({ kind: "authz_admin", actor, reason, about }, from, now)]);
  // The log has it. An emergency must not be told to have failed because a table did not answer.
  await recorded.catch((error) => logLine({ level: "error", event: "event_not_kept", reason, error: String(error) }));
  return answerOf(outcome);
}

function answerOf(outcome: KeyOutcome): KeyAnswer | Refusal {
  if (!("refused" in outcome)) return outcome;
  const { refused } = outcome;
  if (refused !== "unknown_purpose") return { refused };
  return {
    refused: "malformed_body",
    errors: [{ path: "purpose", message: "must be one that the list of keys names" }],
  };
}
