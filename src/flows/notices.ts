import type { User } from "../directory/users.ts";
import { UNKNOWN_NETWORK } from "../gate/network.ts";
import { logLine } from "../log.ts";
import { type Notice, noticeToOwner } from "../mail/notices.ts";
import type { Occasion } from "../mail/occasion.ts";
import { FREEZE_LINK_TTL_MS } from "../policy.ts";
import type { Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import { mailedLink } from "./mailed-links.ts";

/**
 * Tells the owner of an account what has happened to it, and the log: after the answer, by mail to the stored address,
 * whatever the status of the account. No limit of mails holds it back: whoever can cause it is signed in, has shown a
 * factor or, where that is not so, is held back by the rule that asks for the notice.
 */
export function tellOwner(
  service: Service,
  visit: Visit,
  accountId: string,
  notice: Notice,
  occasion: Occasion = occasionOf(visit),
): void {
  logLine({ event: notice.notice, account: accountId });
  service.waitUntil(mailNotice(service, visit, accountId, notice, occasion));
}

async function mailNotice(
  service: Service,
  visit: Visit,
  accountId: string,
  notice: Notice,
  occasion: Occasion,
): Promise<void> {
  const user = await service.users.findById(accountId);
  if (!user) return;
  const link = await freezeLink(service, visit, user);
  service.sendLater(noticeToOwner(service.config.appName, user.email, notice, occasion, link));
}

/** The same of what was refused, where its owner has to hear of that. */
export function tellOfRefusal(service: Service, visit: Visit, accountId: string, refusal: Refusal): void {
  const warning = "warning" in refusal ? refusal.warning : undefined;
  if (warning === "sign_count_fell") tellOwner(service, visit, accountId, { notice: warning });
  if (warning === "second_factor_failed") tellOwner(service, visit, accountId, { notice: warning, how: "wrong" });
}

/** The link of "this was not me". */
export async function freezeLink(service: Service, { now }: Visit, { id, email }: User): Promise<string> {
  const payload = { accountId: id, email, at: now };
  return mailedLink(service, await service.keyRing(now), "freeze", payload, now + FREEZE_LINK_TTL_MS);
}

/** When a visit was, where from, and by what program, as a mail may say it. */
export function occasionOf({ now, userAgent, network, place }: Visit): Occasion {
  return { at: now, userAgent, place, network: network.network === UNKNOWN_NETWORK ? undefined : network.network };
}
