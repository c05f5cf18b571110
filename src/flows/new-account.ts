import { securityEvent } from "../events/security-event.ts";
import type { Service, Visit } from "../service.ts";

/**
 * Records that accounts exist from now on, after the directory has them. No object decides that, so nothing keeps the
 * event if this isolate ends before it has arrived: the account is there all the same, and its first sign-in is recorded.
 */
export function recordCreated(
  service: Service,
  { from, now }: Visit,
  accounts: string[],
  reason: "registered" | "invited" | "imported",
): void {
  const events = accounts.map((account) => securityEvent({ kind: "user_created", account, reason }, from, now));
  if (events.length > 0) service.waitUntil(service.events.add(events));
}
