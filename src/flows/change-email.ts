import type { Prepared } from "../account/changes.ts";
import { emailKey } from "../directory/email-key.ts";
import type { User } from "../directory/users.ts";
import { mailsToAddressGate } from "../gate/subjects.ts";
import type { KeyRing } from "../keys/key-ring.ts";
import {
  addressAlreadyTaken,
  confirmNewEmail,
  emailChangeAsked,
  emailChanged,
  emailTakenBack,
} from "../mail/messages.ts";
import type { HashPlace } from "../passwords/hash-places.ts";
import { frozenPassword, verifyPassword } from "../passwords/password-hash.ts";
import type { ShownPassword } from "../passwords/password-policy.ts";
import { EMAIL_CHANGE_LINK_TTL_MS, UNDO_LINK_TTL_MS } from "../policy.ts";
import { isRefusal, type Refusal } from "../refusal.ts";
import type { Service, Visit } from "../service.ts";
import type { AccessToken } from "../tokens/access-token.ts";
import type { LinkPayloads } from "../tokens/one-time-link.ts";
import { proofOf, releasePasskeys } from "./change-factors.ts";
import type { AdmittedTry } from "./first-door.ts";
import { askGates } from "./first-door.ts";
import { mailLater, mayCauseMail, mayMail } from "./mail-limits.ts";
import { mailedLink, openAccountLink, verdictOn } from "./mailed-links.ts";
import { freezeLink, occasionOf, tellOwner } from "./notices.ts";
import { changeAccount } from "./two-stores.ts";

/**
 * Asks for another address. Nothing changes before a link comes back from there; the present address hears of it at once.
 * An address that has an account gets another mail, and the answer is the same.
 */
export async function askEmailChange(
  service: Service,
  visit: Visit,
  bearer: AccessToken,
  newEmail: string,
): Promise<{ kind: "verification_sent" } | Refusal> {
  const id = crypto.randomUUID();
  const awaited = await service.account(bearer.accountId).awaitEmailChange(proofOf(bearer, visit), id);
  if ("refused" in awaited) return awaited;
  service.waitUntil(mailBothAddresses(service, visit, { accountId: bearer.accountId, id, email: newEmail }));
  return { kind: "verification_sent" };
}

async function mailBothAddresses(service: Service, visit: Visit, payload: LinkPayloads["change_email"]): Promise<void> {
  const ring = await service.keyRing(visit.now);
  const { accountId, email } = payload;
  const key = emailKey(email) ?? "";
  const [user, other, isTaken] = await Promise.all([
    service.users.findById(accountId),
    service.users.findByEmailKey(key),
    service.users.isTaken(key, visit.now),
  ]);
  // Both hear of it or neither does: beyond its limit a request leads to nothing, and nothing of it is kept quiet.
  if (!user || !(await mayAsk(service, ring, visit, user))) return;
  const { appName } = service.config;
  const ownLink = await freezeLink(service, visit, user);
  service.sendLater(emailChangeAsked(appName, user.email, email, ownLink, occasionOf(visit)));
  if (other) mailLater(service, ring, visit, key, addressAlreadyTaken(appName, other.email));
  if (isTaken) return;
  const link = await mailedLink(service, ring, "change_email", payload, visit.now + EMAIL_CHANGE_LINK_TTL_MS);
  mailLater(service, ring, visit, key, confirmNewEmail(appName, email, link));
}

async function mayAsk(service: Service, ring: KeyRing, visit: Visit, user: User): Promise<boolean> {
  const mails = await mailsToAddressGate(ring, user.emailKey, "changes");
  return (await mayCauseMail(service, ring, visit)) && mayMail(service, mails, visit.from);
}

/**
 * The link to the new address came back, with a password. It is the account's that is asked for and guessed at, so it is
 * the account's gate that counts. It asks for no proof: here is no place to show one, and strangers could keep anybody
 * from moving by it.
 */
export async function confirmEmailChange(
  place: HashPlace,
  service: Service,
  visit: Visit,
  ring: KeyRing,
  payload: LinkPayloads["change_email"],
  password: ShownPassword,
): Promise<{ kind: "verified" } | Refusal> {
  const key = emailKey(payload.email) ?? "";
  const [user, isTaken] = await Promise.all([
    service.users.findById(payload.accountId),
    service.users.isTaken(key, visit.now),
  ]);
  // Taken already: nobody is signed out for a change that cannot be made.
  if (user?.status !== "active" || isTaken) return { refused: "link_used" };
  const admitted = await askGates(service, ring, visit, { emailKey: user.emailKey, credit: { holdsLink: true } });
  if ("refused" in admitted) return admitted;
  return moveTo(place, service, visit, ring, user, payload, password, admitted);
}

async function moveTo(
  place: HashPlace,
  service: Service,
  visit: Visit,
  ring: KeyRing,
  user: User,
  { accountId, id, email }: LinkPayloads["change_email"],
  password: ShownPassword,
  admitted: AdmittedTry,
): Promise<{ kind: "verified" } | Refusal> {
  const { right } = await place.use(() => verifyPassword(ring, user.password, password));
  if (!right) {
    await admitted.settle("wrong", { reason: "link_wrong_password", account: accountId });
    return { refused: "link_wrong_password" };
  }
  service.waitUntil(admitted.settle("right"));
  const undo = { accountId, id, email: user.email };
  const prepared = await service.account(accountId).prepareEmailChange(verdictOn(user, ring, visit), id);
  const to = { email, emailKey: emailKey(email) ?? "" };
  const undoUntil = visit.now + UNDO_LINK_TTL_MS;
  const changed = await changeAccount(service, visit, user, prepared, {
    write: () => service.userChanges.changeEmail(user, to, undoUntil, visit.now),
    isIn: ({ emailKey }) => emailKey === to.emailKey,
  });
  if (isRefusal(changed)) return changed;
  const link = await mailedLink(service, ring, "undo_email", undo, undoUntil);
  service.sendLater(emailChanged(service.config.appName, user.email, email, link));
  tellOwner(service, visit, accountId, { notice: "email_changed" });
  return { kind: "verified" };
}

/** The old address takes an email change back: nobody is signed in, and a reset sets the next password. */
export async function undoEmailChange(
  service: Service,
  visit: Visit,
  token: string,
): Promise<{ kind: "email_restored" } | Refusal> {
  const link = await openAccountLink(service, visit, "undo_email", token);
  if (isRefusal(link)) return link;
  const { payload, user, verdict } = link;
  const prepared = await service.account(user.id).prepareEmailUndo(verdict, payload.id);
  return restoreAddress(service, visit, user, prepared, payload.email);
}

/** Gives an account the address back that it had before. The one that loses it hears of that. */
export async function restoreAddress(
  service: Service,
  visit: Visit,
  user: User,
  prepared: Prepared | Refusal,
  email: string,
): Promise<{ kind: "email_restored" } | Refusal> {
  const to = { email, emailKey: emailKey(email) ?? "" };
  const changed = await changeAccount(service, visit, user, prepared, {
    write: () => service.userChanges.restoreEmail(user, to, frozenPassword(user.password)),
    isIn: ({ emailKey }) => emailKey === to.emailKey,
  });
  if (isRefusal(changed)) return changed;
  await releasePasskeys(service, visit, user.id, changed.credentialIds);
  service.sendLater(emailTakenBack(service.config.appName, user.email));
  tellOwner(service, visit, user.id, { notice: "email_restored" });
  return { kind: "email_restored" };
}
