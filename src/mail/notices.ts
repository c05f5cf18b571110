import { FACTOR_LABEL_MAX, FREEZE_LINK_TTL_MS } from "../policy.ts";
import { compose, quoted, utc } from "./layout.ts";
import type { Message } from "./message.ts";
import { type Occasion, sentenceOf } from "./occasion.ts";

/** What happened to the second factors of an account. */
type FactorNotice =
  | { notice: "factor_added" | "factor_removed"; kind: "totp" | "passkey"; label: string }
  | { notice: "second_factor_turned_off" }
  /** After a recovery, or by an operator. */
  | { notice: "factors_removed"; by: "recovery" | "operator" }
  | { notice: "recovery_code_used"; remaining: number }
  | { notice: "recovery_codes_replaced" }
  /** A passkey's signature counter went back: there is a copy of it. */
  | { notice: "sign_count_fell" };

/** What happened at the doors of an account. `until` in epoch milliseconds. */
type SignInNotice =
  | { notice: "browser_trusted"; until: number }
  /** What of a complete sign-in the account had not seen before. */
  | { notice: "unfamiliar_sign_in"; unfamiliar: "network" | "browser" | "both" }
  /** A right password, and then wrong answers in a row or none at all. */
  | { notice: "second_factor_failed"; how: "wrong" | "unanswered" }
  /** A session was ended because a token of it was used twice. */
  | { notice: "refresh_token_reused" };

/** What happened to the account itself. `email_changed` and `email_restored` are told to the address that counts now. */
type AccountNotice =
  | { notice: "password_changed" | "password_reset" }
  | { notice: "email_changed" | "email_restored" }
  | { notice: "account_frozen" }
  | { notice: "recovery_cancelled" }
  | { notice: "deletion_cancelled" };

/** Something that happened to an account and that its owner has to hear of. */
export type Notice = FactorNotice | SignInNotice | AccountNotice;

/** The subject, and the sentences below it. */
type Words = [subject: string, ...sentences: string[]];

/** Tells the owner of an account what has happened to it, when and where, and what to do if it was somebody else. */
export function noticeToOwner(
  appName: string,
  to: string,
  notice: Notice,
  occasion: Occasion,
  freezeLink: string,
): Message {
  const [subject, ...sentences] = wordsOf(notice, `your account at ${appName}`);
  return compose(appName, to, subject, [
    ...sentences,
    sentenceOf(occasion),
    `If it was not you, somebody else can use your account. Open this link within ${FREEZE_LINK_TTL_MS / 3_600_000} hours: it signs everybody out, and no password works until you set a new one by a mail to this address.`,
    { link: freezeLink, label: "This was not me" },
  ]);
}

function wordsOf(notice: Notice, account: string): Words {
  switch (notice.notice) {
    case "factor_added":
    case "factor_removed":
    case "second_factor_turned_off":
    case "factors_removed":
    case "recovery_code_used":
    case "recovery_codes_replaced":
    case "sign_count_fell":
      return wordsOfFactors(notice, account);
    case "browser_trusted":
    case "unfamiliar_sign_in":
    case "second_factor_failed":
    case "refresh_token_reused":
      return wordsOfSignIns(notice, account);
    default:
      return ACCOUNT_WORDS[notice.notice](account);
  }
}

const FACTOR_NAMES = { totp: "authenticator app", passkey: "passkey" } as const;

function wordsOfFactors(notice: FactorNotice, account: string): Words {
  switch (notice.notice) {
    case "factor_added":
    case "factor_removed": {
      const change = notice.notice === "factor_added" ? `was added to ${account}` : `was removed from ${account}`;
      const label = quoted(notice.label, FACTOR_LABEL_MAX);
      return [`A second factor ${change}`, `The ${FACTOR_NAMES[notice.kind]} ${label} ${change}.`];
    }
    case "second_factor_turned_off":
      return [
        `The second factor of ${account} was turned off`,
        `All authenticator apps, passkeys and recovery codes were removed from ${account}. The password alone now opens it.`,
      ];
    case "factors_removed":
      return [
        `All second factors of ${account} were removed`,
        `All authenticator apps, passkeys and recovery codes were removed from ${account}, ${REMOVED_BY[notice.by]}. Everybody was signed out, and whoever signs in next will be asked to add a new factor.`,
      ];
    case "recovery_code_used":
      return [
        `A recovery code of ${account} was used`,
        `A recovery code of ${account} was used and will not work again. Codes left: ${notice.remaining}.`,
        "When you are signed in with an authenticator app or a passkey, make a new set of codes.",
      ];
    case "recovery_codes_replaced":
      return [
        `The recovery codes of ${account} were replaced`,
        `A new set of recovery codes was made for ${account}. The codes from before no longer work.`,
      ];
    case "sign_count_fell":
      return [
        `A passkey of ${account} may have been copied`,
        `A passkey of ${account} was used, and its counter was behind: there may be a copy of it. It was refused, and nobody was signed in.`,
        "Sign in another way, remove that passkey and add it anew.",
      ];
  }
}

const REMOVED_BY = {
  recovery: "at the end of a recovery that nobody called off",
  operator: "by those who run this service",
} as const;

const UNFAMILIAR = {
  network: "from a network that it had not been used from before",
  browser: "in a browser that it had not been used in before",
  both: "in a browser and from a network that it had not been used from before",
} as const;

const FAILED = {
  wrong: "then gave several wrong answers when asked for the second factor",
  unanswered: "then gave no right answer when asked for the second factor",
} as const;

function wordsOfSignIns(notice: SignInNotice, account: string): Words {
  switch (notice.notice) {
    case "browser_trusted":
      return [
        `A browser is now trusted by ${account}`,
        `Until ${utc(notice.until)} a browser may sign in to ${account} with the password alone.`,
        "The list of your browsers is where you can take this back.",
      ];
    case "unfamiliar_sign_in":
      return [
        `A new sign-in to ${account}`,
        `Somebody signed in to ${account} ${UNFAMILIAR[notice.unfamiliar]}. If it was you, there is nothing to do.`,
      ];
    case "second_factor_failed":
      return [
        `Somebody knows the password of ${account}`,
        `Somebody gave the right password of ${account}, ${FAILED[notice.how]}. Nobody was signed in by that.`,
        "If it was you, there is nothing to do. If it was not, change your password, here and wherever else you use it.",
      ];
    case "refresh_token_reused":
      return [
        `A session of ${account} was ended`,
        `A token of a session of ${account} was used a second time, as happens when somebody has stolen it. That session was ended, and whoever used it has to sign in again.`,
      ];
  }
}

const ACCOUNT_WORDS: Record<AccountNotice["notice"], (account: string) => Words> = {
  password_changed: (account) => [
    `The password of ${account} was changed`,
    `The password of ${account} was changed by somebody who was signed in and knew the one before. All other sessions were ended.`,
  ],
  password_reset: (account) => [
    `The password of ${account} was reset`,
    `A new password was set for ${account} with a link from a mail to this address. Everybody was signed out.`,
  ],
  email_changed: (account) => [
    `This is now the address of ${account}`,
    `From now on ${account} uses this address. Everybody was signed out. The address before can take this back for a while.`,
  ],
  email_restored: (account) => [
    `This is the address of ${account} again`,
    `A change of the address of ${account} was taken back. Everybody was signed out, and no password works any more.`,
    "To go on, ask for a new password: a mail to this address will bring it.",
  ],
  account_frozen: (account) => [
    `Everything of ${account} was closed`,
    `Somebody opened the link of a mail to this address and said: this was not me. Everybody was signed out of ${account}, and no password works any more.`,
    "To go on, ask for a new password: a mail to this address will bring it.",
  ],
  recovery_cancelled: (account) => [
    `The recovery of ${account} was called off`,
    `The recovery of ${account} was called off. Its second factors stay as they are.`,
  ],
  deletion_cancelled: (account) => [
    `The deletion of ${account} was called off`,
    `The deletion of ${account} was called off, and it can be used again. Everybody has to sign in anew.`,
  ],
};
