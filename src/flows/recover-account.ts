import type { Canceller } from "../account/recovery.ts";
import { emailKey } from "../directory/email-key.ts";
import { isOpen, type User } from "../directory/users.ts";
import type { Failure } from "../gate/attempt.ts";
import { addressOnlyCounted, mailsToAddressGate } from "../gate/subjects.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import { recoveryAsked, recoveryRunning } from "../mail/messages.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import { dummyHash, thawedPassword, verifyPassword } from "../passwords/password-hash.ts";
import type { ShownPassword } from "../passwords/password-policy.ts";
import { RECOVERY_FINISH_LINK_TTL_MS, RECOVERY_LINK_TTL_MS, RECOVERY_REMINDER_MS } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import { releasePasskeys } from "./change-factors.ts";
import { askGates } from "./first-door.ts";
import { withHashPlace } from "./hash-place.ts";
import { mayMail } from "./mail-limits.ts";
import { mailedLink, openAccountLink, verdictOn } from "./mailed-links.ts";
import { tellOwner } from "./notices.ts";

/** Those who administer others are helped by other operators, never by a mailbox. */
const NEVER_RECOVERED_ROLE = "admin";

/**
 * Somebody says that every factor is lost. The answer never tells whether the password was right: with the right one a
 * link goes to the mailbox, after the answer.
 */
export function startRecovery(
  service: Service,
  visit: Visit,
  email: string,
  password: ShownPassword,
): Promise<{ kind: "recovery_sent" } | Refusal> {
  return withHashPlace(service, visit, (place) => startFrom(place, service, visit, email, password));
}

async function startFrom(
  place: HashPlace,
  service: Service,
  visit: Visit,
  email: string,
  password: ShownPassword,
): Promise<{ kind: "recovery_sent" } | Refusal> {
  const ring = await service.keyRing(visit.now);
  const key = emailKey(email) ?? "";
  const [user, admitted] = await Promise.all([
    service.users.findByEmailKey(key),
    askGates(service, ring, visit, { emailKey: key, counting: addressOnlyCounted }),
  ]);
  if ("refused" in admitted) return admitted;
  // A freeze has closed it for signing in alone: whoever has lost the factors as well has no other way back.
  const { right } = await place.use(() =>
    verifyPassword(ring, thawedPassword(user?.password ?? dummyHash(ring)), password),
  );
  const isOwner = user !== undefined && right && isOpen(user);
  // Until it is settled the try counts as a failure, so nothing is won by not waiting. And a right one counts like a wrong
  // one: whoever asks next how often he may still try would hear from the gate what the answer does not tell.
  service.waitUntil(admitted.settle("wrong", isOwner ? undefined : failureOf(user, right)));
  if (isOwner && mayRecover(service, user)) service.waitUntil(mailConfirmation(service, ring, visit, user));
  return { kind: "recovery_sent" };
}

function failureOf(user: User | undefined, right: boolean): Failure {
  if (!user) return { reason: "unknown_email" };
  return { reason: right ? "account_not_active" : "wrong_password", account: user.id };
}

function mayRecover({ config }: Service, { roles }: User): boolean {
  return config.recoveryDelayMs > 0 && !roles.includes(NEVER_RECOVERED_ROLE);
}

async function mailConfirmation(service: Service, ring: KeyRing, visit: Visit, user: User): Promise<void> {
  if (!(await mayMail(service, await mailsToAddressGate(ring, user.emailKey, "recoveries"), visit.from))) return;
  const payload = { accountId: user.id, id: crypto.randomUUID() };
  const awaited = await service.account(user.id).requestRecovery(verdictOn(user, ring, visit), payload.id);
  if ("refused" in awaited) return;
  const link = await mailedLink(service, ring, "recovery_confirm", payload, visit.now + RECOVERY_LINK_TTL_MS);
  service.sendLater(recoveryAsked(service.config.appName, user.email, link));
}

/** The mailbox is proven as well: the wait starts, and the owner hears of it now and every day. */
export async function confirmRecovery(
  service: Service,
  visit: Visit,
  token: string,
): Promise<{ kind: "recovery_started"; finishAfter: number } | Refusal> {
  const link = await openAccountLink(service, visit, "recovery_confirm", token);
  if (isRefusal(link)) return link;
  const { payload, user, ring, verdict } = link;
  if (!isOpen(user) || !mayRecover(service, user)) return { refused: "link_used" };
  // Before the wait, so that no wait is ever without its mails; a call for nothing does no harm. One that is there already
  // comes sooner, and is not put off.
  const dueAt = visit.now + RECOVERY_REMINDER_MS;
  await service.appointments.make({ userId: user.id, kind: "recovery", dueAt });
  const asked = { id: crypto.randomUUID(), delayMs: service.config.recoveryDelayMs };
  const started = await service.account(user.id).startRecovery(verdict, payload.id, asked);
  if (isRefusal(started)) return started;
  const { id, finishAfter } = started.recovery;
  await remindOfRecovery(service, ring, user, id, finishAfter);
  return { kind: "recovery_started", finishAfter };
}

/** Says that a recovery runs, with the link that calls it off. */
export async function remindOfRecovery(
  service: Service,
  ring: KeyRing,
  user: User,
  id: string,
  finishAfter: number,
): Promise<void> {
  const payload = { accountId: user.id, id };
  const until = finishAfter + RECOVERY_FINISH_LINK_TTL_MS;
  const link = await mailedLink(service, ring, "recovery_cancel", payload, until);
  service.sendLater(recoveryRunning(service.config.appName, user.email, finishAfter, link));
}

/** Calls a recovery off, by the link of a mail or by a session that is older than it. */
export async function cancelRecovery(
  service: Service,
  visit: Visit,
  by: { token: string } | { bearer: AccessToken },
): Promise<{ kind: "recovery_cancelled" } | Refusal> {
  const canceller = await cancellerOf(service, visit, by);
  if (isRefusal(canceller)) return canceller;
  const { accountId, ...who } = canceller;
  const cancelled = await service.account(accountId).cancelRecovery(who);
  if ("refused" in cancelled) return cancelled;
  tellOwner(service, visit, accountId, { notice: "recovery_cancelled" });
  return { kind: "recovery_cancelled" };
}

async function cancellerOf(
  service: Service,
  visit: Visit,
  by: { token: string } | { bearer: AccessToken },
): Promise<(Canceller & { accountId: string }) | Refusal> {
  const { from } = visit;
  if ("bearer" in by) return { accountId: by.bearer.accountId, sessionId: by.bearer.sessionId, from };
  const link = await openAccountLink(service, visit, "recovery_cancel", by.token);
  return isRefusal(link) ? link : { accountId: link.user.id, recoveryId: link.payload.id, from };
}

/** Ends a recovery whose wait is over: the factors go, and the next sign-in adds one. */
export async function finishRecovery(
  service: Service,
  visit: Visit,
  token: string,
): Promise<{ kind: "factors_removed" } | Refusal> {
  const link = await openAccountLink(service, visit, "recovery_finish", token);
  if (isRefusal(link)) return link;
  const { payload, user, verdict } = link;
  if (!isOpen(user) || !mayRecover(service, user)) return { refused: "link_used" };
  const finished = await service.account(user.id).finishRecovery(verdict, payload.id);
  if (isRefusal(finished)) return finished;
  await releasePasskeys(service, visit, user.id, finished.credentialIds);
  tellOwner(service, visit, user.id, { notice: "factors_removed", by: "recovery" });
  return { kind: "factors_removed" };
}
