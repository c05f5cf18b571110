import {
  EMAIL_CHANGE_LINK_TTL_MS,
  FREEZE_LINK_TTL_MS,
  INVITATION_LINK_TTL_MS,
  PROOF_LINK_TTL_MS,
  RECOVERY_FINISH_LINK_TTL_MS,
  RECOVERY_LINK_TTL_MS,
  RESET_LINK_TTL_MS,
  UNDO_LINK_TTL_MS,
  VERIFY_LINK_TTL_MS,
} from "../policy.ts";
import { compose, quotedAddress, utc } from "./layout.ts";
import type { Message } from "./message.ts";
import { type Occasion, sentenceOf } from "./occasion.ts";

/** Asks a new address for its confirmation. The link says nothing but where it leads and opens nothing by itself. */
export function confirmRegistration(appName: string, to: string, link: string): Message {
  return compose(appName, to, `Confirm your address for ${appName}`, [
    `Somebody, hopefully you, asked for an account at ${appName} with this address.`,
    `To finish, open this link within ${spell(VERIFY_LINK_TTL_MS)} and type the password you chose:`,
    { link, label: "Confirm this address" },
    "If it was not you, do nothing: without the password the link activates nothing.",
  ]);
}

/** What the owner of an account gets when somebody registers with its address again. */
export function alreadyRegistered(appName: string, to: string): Message {
  return compose(appName, to, `You already have an account at ${appName}`, [
    `Somebody, hopefully you, asked for an account at ${appName} with this address, but there is one already.`,
    "Nothing has changed. If it was you, sign in with the password you have.",
    "If it was not you, there is nothing to do.",
  ]);
}

/** Lets whoever reads this mailbox sign in where a stranger's tries have closed the way. It opens nothing without the password. */
export function proveMailbox(appName: string, to: string, link: string): Message {
  return compose(appName, to, `Sign in to ${appName}`, [
    `Somebody, hopefully you, wants to sign in to ${appName} and was asked to show that this mailbox is theirs.`,
    `To go on, open this link within ${spell(PROOF_LINK_TTL_MS)} in the browser you want to sign in with, and type your password there:`,
    { link, label: "Go on" },
    "If it was not you, do nothing: without the password the link opens nothing.",
  ]);
}

/** Brings the link that sets a new password. It signs nobody in. */
export function resetPassword(appName: string, to: string, link: string): Message {
  return compose(appName, to, `A new password for ${appName}`, [
    `Somebody, hopefully you, asked for a new password for your account at ${appName}.`,
    `To choose one, open this link within ${spell(RESET_LINK_TTL_MS)}. Only the newest link works, and only once:`,
    { link, label: "Choose a new password" },
    "A second factor stays as it is and will be asked for. If it was not you, do nothing: your password stays as it is.",
  ]);
}

/** Asks the new address of an account for its confirmation. It opens nothing without the account's password. */
export function confirmNewEmail(appName: string, to: string, link: string): Message {
  return compose(appName, to, `Confirm your new address for ${appName}`, [
    `Somebody, hopefully you, wants to use this address for their account at ${appName}.`,
    `To confirm it, open this link within ${spell(EMAIL_CHANGE_LINK_TTL_MS)} and type the password of that account:`,
    { link, label: "Confirm this address" },
    "If it was not you, do nothing: without the password the link changes nothing.",
  ]);
}

/** Tells the present address of an account that another was asked for, while nothing has changed yet. */
export function emailChangeAsked(
  appName: string,
  to: string,
  newEmail: string,
  freezeLink: string,
  occasion: Occasion,
): Message {
  return compose(appName, to, `Your account at ${appName} may get another address`, [
    `Somebody, hopefully you, asked that your account at ${appName} use the address ${quotedAddress(newEmail)} from now on.`,
    sentenceOf(occasion),
    "Nothing has changed yet. It will when that address is confirmed, and this address will hear of it then.",
    `If it was not you, somebody else can use your account. Open this link within ${spell(FREEZE_LINK_TTL_MS)}: it stops the change, signs everybody out, and no password works until you set a new one by a mail to this address.`,
    { link: freezeLink, label: "This was not me" },
  ]);
}

/** What somebody who has an account gets when another account wants to take its address. */
export function addressAlreadyTaken(appName: string, to: string): Message {
  return compose(appName, to, `You already have an account at ${appName}`, [
    `Somebody, hopefully you, wanted to use this address for another account at ${appName}, but it has an account already.`,
    "Nothing has changed, neither here nor there. If it was you, choose another address or sign in with this one.",
    "If it was not you, there is nothing to do.",
  ]);
}

/** Tells the old address of an account that the new one counts, and how to take that back. */
export function emailChanged(appName: string, to: string, newEmail: string, undoLink: string): Message {
  return compose(appName, to, `Your account at ${appName} has another address`, [
    `Your account at ${appName} now uses the address ${quotedAddress(newEmail)}. This address no longer opens it, and everybody was signed out.`,
    "If it was you, there is nothing to do.",
    `If it was not you, open this link within ${spell(UNDO_LINK_TTL_MS)}. It brings this address back, signs everybody out, and no password works until you set a new one by a mail to this address. What was done to the second factors since is taken back too:`,
    { link: undoLink, label: "Take this back" },
  ]);
}

/** Tells the address that an account had for a while that it has its old one again. Whoever reads it has no say in that. */
export function emailTakenBack(appName: string, to: string): Message {
  return compose(appName, to, `Your account at ${appName} has its old address again`, [
    `The address that the account at ${appName} had before took this one back. This address no longer opens it, and everybody was signed out.`,
    `If you did not expect that, ask for help at ${appName}.`,
  ]);
}

/** Asks whether a recovery shall start. The link alone starts the waiting, and removes nothing. */
export function recoveryAsked(appName: string, to: string, link: string): Message {
  return compose(appName, to, `Recover your account at ${appName}`, [
    `Somebody who knows the password of your account at ${appName}, hopefully you, says that all second factors of it are lost.`,
    `If it was you, open this link within ${spell(RECOVERY_LINK_TTL_MS)}. It starts a waiting time, during which you can call the recovery off; only at its end can the factors be removed:`,
    { link, label: "Start the waiting time" },
    "If it was not you, do nothing here, but sign in and change your password: somebody else knows it.",
  ]);
}

/** Says, at once and then daily, that a recovery runs. `finishAfter` in epoch milliseconds. */
export function recoveryRunning(appName: string, to: string, finishAfter: number, cancelLink: string): Message {
  return compose(appName, to, `Your account at ${appName} is being recovered`, [
    `The second factors of your account at ${appName} are said to be lost. After ${utc(finishAfter)} a mail to this address will bring a link that removes all of them.`,
    "If it was you, wait for that mail.",
    "If it was not you, or if you have found a factor again, call the recovery off with this link. Signing in with any second factor does the same:",
    { link: cancelLink, label: "Call the recovery off" },
  ]);
}

/** Brings the link that ends a recovery, once its waiting time is over. */
export function recoveryReady(appName: string, to: string, finishLink: string): Message {
  return compose(appName, to, `Your account at ${appName} can be recovered now`, [
    `The waiting time for the recovery of your account at ${appName} is over.`,
    `To remove all its second factors and recovery codes, open this link within ${spell(RECOVERY_FINISH_LINK_TTL_MS)}. It signs everybody out, and at your next sign-in you will be asked to add a new factor:`,
    { link: finishLink, label: "Remove the lost factors" },
    "If it was not you, do not open it: without it the factors stay. Sign in and change your password, since somebody else knows it.",
  ]);
}

/** Says that an account will be deleted, and how to keep it. `deletesAt` in epoch milliseconds. */
export function deletionScheduled(appName: string, to: string, deletesAt: number, cancelLink: string): Message {
  return compose(appName, to, `Your account at ${appName} will be deleted`, [
    `Somebody who was signed in, hopefully you, asked to delete your account at ${appName}. Everybody was signed out, and nobody can sign in any more. After ${utc(deletesAt)} it will be gone and cannot be brought back.`,
    "If it was you, there is nothing to do.",
    "If it was not you, or if you have changed your mind, keep the account with this link:",
    { link: cancelLink, label: "Keep the account" },
  ]);
}

/** Invites an address to have an account. */
export function invitation(appName: string, to: string, link: string): Message {
  return compose(appName, to, `You are invited to ${appName}`, [
    `You have been invited to have an account at ${appName} with this address.`,
    `To accept, open this link within ${spell(INVITATION_LINK_TTL_MS)} and choose a password:`,
    { link, label: "Accept the invitation" },
    "If you do not want an account, do nothing.",
  ]);
}

/** A lifetime in words: in the largest unit up to hours that leaves no rest, and a week in days. */
function spell(ms: number): string {
  const minutes = ms / 60_000;
  if (minutes % 60 !== 0) return `${minutes} minutes`;
  return minutes > 72 * 60 ? `${minutes / 60 / 24} days` : `${minutes / 60} hours`;
}
