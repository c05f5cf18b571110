import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { countAgainstSource } from "./first-door.ts";

/**
 * Whether whoever signs in has passed the bot check that his page shows; `token` is what the widget gave, if anything.
 * Asked before gates and hashes, since it costs no storage, and before a place for a hash is taken, since it takes a
 * while. A token that is not good is refused, and is a failure of its client. When nobody can say, it is as if none had
 * been sent: it speaks for nobody, and keeps nobody out whom the gates let pass without.
 */
export async function passBotCheck(
  service: Service,
  visit: Visit,
  token: string | undefined,
): Promise<{ hasPassed: boolean } | Refusal> {
  const verdict = token === undefined ? "unknown" : await service.checkBot(token);
  if (verdict !== "bot") return { hasPassed: verdict === "human" };
  service.waitUntil(countAgainstSource(service, visit));
  return { refused: "bot_check_failed" };
}
