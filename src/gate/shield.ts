import { SHIELD_TIMEOUT_MS } from "../edge-policy.ts";
import { logLine } from "../log.ts";

/**
 * Whether a client may pass the shield: the platform's rate limit, which counts each location by itself and lets through
 * more rather than less. It only takes the top off a flood. Nothing depends on it, so a shield that does not answer lets
 * everybody pass and is a line in the log: what may be tried is for the gates to decide, and they fail closed. A service
 * that is run without one does without.
 */
export async function passesShield(shield: RateLimit | undefined, source: string): Promise<boolean> {
  if (!shield) return true;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the shield did not answer in time")), SHIELD_TIMEOUT_MS);
  });
  try {
    const { success } = await Promise.race([shield.limit({ key: source }), late]);
    return success;
  } catch (error) {
    logLine({ level: "error", event: "shield_failed", error: String(error) });
    return true;
  } finally {
    clearTimeout(timer);
  }
}
