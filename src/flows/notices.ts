import { logLine } from "../log.ts";
import { type Notice, noticeToOwner } from "../mail/messages.ts";
import type { Service, Visit } from "../service.ts";

/**
 * Tells the owner of an account what has happened to it, and the log: after the answer, by mail to the stored address.
 * No limit of mails holds it back, since only who has shown a factor can cause it.
 */
export function tellOwner(service: Service, visit: Visit, accountId: string, notice: Notice): void {
  logLine({ event: notice.notice, account: accountId });
  service.waitUntil(
    service.users.findById(accountId).then((user) => {
      if (!user) return;
      const occasion = { at: visit.now, userAgent: visit.userAgent };
      service.sendLater(noticeToOwner(service.config.appName, user.email, notice, occasion));
    }),
  );
}
